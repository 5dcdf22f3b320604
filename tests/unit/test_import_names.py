"""Names on the device still look like what the user wrote."""

from __future__ import annotations

import pytest

from edgelearn.importers.onnx.names import identifier, node_name, printable


@pytest.mark.parametrize(
    ("name", "op", "weight", "expected"),
    [
        ("/conv1/Conv", "Conv", "conv1.weight", "conv1"),
        ("/conv1/Conv", "Conv", "onnx::Conv_23", "conv1"),
        ("/block/block.0/conv/Conv", "Conv", "", "block_0_conv"),
        ("/Relu_1", "Relu", "", "relu_1"),
        ("/relu/Relu", "Relu", "", "relu"),
        ("Conv_12", "Conv", "features.0.weight", "features_0"),
        ("Conv_12", "Conv", "", "conv_12"),
        ("node_max_pool1d", "MaxPool", "", "max_pool1d"),
        ("n4", "Clip", "", "clip"),
        ("", "Gemm", "", "gemm"),
        ("", "Gemm", "0.weight", "gemm_0"),
        ("model/dense/MatMul", "MatMul", "model/dense/MatMul/ReadVariableOp:0", "model_dense"),
        ("switch", "Relu", "", "switch"),
        ("größe/x", "Relu", "", "gr_e_x"),
        ("???", "Relu", "", "relu"),
    ],
)
def test_node_name(name: str, op: str, weight: str, expected: str) -> None:
    assert node_name(name, op, weight) == expected


def test_identifier_is_bounded() -> None:
    assert len(identifier("a" * 500, "x")) == 60
    assert identifier("9 lives", "net") == "net_9_lives"


def test_printable() -> None:
    assert printable("a\nb\x1b[0m") == "a?b?[0m"
    assert len(printable("a" * 500)) == 80
