"""Every supported ONNX op against onnxruntime, with odd sizes and over the opsets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.import_cases import CASES
from tests.unit.import_models import compare, model, node, random, save


@pytest.mark.parametrize("name", CASES)
def test_op_matches_onnxruntime(name: str, tmp_path: Path) -> None:
    made, ops = CASES[name]()
    graph = compare(save(made, tmp_path))
    assert [n.op for n in graph.nodes] == ops


@pytest.mark.parametrize("opset", range(7, 22))
def test_every_opset(opset: int, tmp_path: Path) -> None:
    """The ops whose operands moved between attributes and inputs, at each opset."""
    weights: dict[str, np.ndarray] = {
        "w": random(4, 3, 3), "s": random(4), "b": random(4), "m": random(4), "v": np.ones(4, np.float32),
        "k": random(4, 5), "low": np.float32(0), "high": np.float32(6), "axes": np.array([2]), "t": np.array([0, -1]),
    }  # fmt: skip
    clip = {"min": 0.0, "max": 6.0} if opset < 11 else {}
    squeeze = {"axes": [2]} if opset < 13 else {}
    nodes = [
        node("Conv", ["x", "w"], "a", pads=[1, 1]),
        node("BatchNormalization", ["a", "s", "b", "m", "v"], "c"),
        node("Clip", ["c"] if clip else ["c", "low", "high"], "d", **clip),
        node("GlobalAveragePool", ["d"], "e"),
        node("Squeeze", ["e"] if squeeze else ["e", "axes"], "f", **squeeze),
        node("Reshape", ["f", "t"], "g"),
        node("MatMul", ["g", "k"], "h"),
        node("Softmax", ["h"], "y"),
    ]
    used = {name for n in nodes for name in n.input}
    made = model(nodes, (3, 11), {k: v for k, v in weights.items() if k in used}, opset=opset)
    graph = compare(save(made, tmp_path))
    assert [n.op for n in graph.nodes] == ["conv2d", "batch_norm", "relu", "avg_pool2d", "dense", "softmax"]


def test_fixed_batch(tmp_path: Path) -> None:
    nodes = [node("Reshape", ["x", "t"], "h"), node("Relu", ["h"], "y")]
    compare(save(model(nodes, (3, 4), {"t": np.array([3, 12])}, batch=3), tmp_path), batch=3)


def test_unset_batch(tmp_path: Path) -> None:
    compare(save(model([node("Relu", ["x"], "y")], (3, 4), batch=None), tmp_path), batch=3)
