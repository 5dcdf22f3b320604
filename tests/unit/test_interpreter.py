"""The runtimes that say what a file is worth."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from edgelearn.data import Dataset
from edgelearn.errors import InputError, ToolError
from edgelearn.export.score import score_file
from edgelearn.graph import Quant
from edgelearn.interpreter import Interpreter, open_interpreter
from edgelearn.ops.quantized.convert import quantized
from tests.support.cli import MODEL
from tests.support.int8_nets import Net


def doubling(kind: int = TensorProto.FLOAT, batch: tuple[int, ...] = (1,)) -> bytes:
    """y = x + x."""
    shape = (*batch, 3)
    node = helper.make_node("Add", ["x", "x"], ["y"])
    x, y = (helper.make_tensor_value_info(name, kind, shape) for name in "xy")
    graph = helper.make_graph([node], "doubling", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("batch", [(1,), ()])
@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.DOUBLE])
def test_onnx_files_predict(kind: int, batch: tuple[int, ...], tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(doubling(kind, batch))
    predictor = open_interpreter(tmp_path / "m.onnx")
    assert predictor.runtime == "onnxruntime"
    np.testing.assert_array_equal(predictor.predict(np.arange(6.0).reshape(2, 3)), 2 * np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize("content", [b"no model at all", doubling(TensorProto.INT64)])
def test_what_the_runtime_refuses(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(InputError):
        open_interpreter(tmp_path / "m.onnx")


def test_a_missing_runtime_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ToolError) as caught:
        open_interpreter(MODEL)
    assert caught.value.hint == "pip install 'edgelearn[ort]'"


def test_int8_inputs_are_rounded_as_the_device_rounds_them(tmp_path: Path) -> None:
    """A file of one QUANTIZE to twice the scale would show a tie that went another way."""
    net = Net(np.random.default_rng(0))
    x = net.source((1, 9), kind="INT8", scale=0.5, zero=0)
    net.op("QUANTIZE", [x], (1, 9), kind="INT8", scale=0.25, zero=0)
    values = np.array([[-100, -1.25, -0.75, -0.25, 0, 0.25, 0.75, 1.25, 100]], np.float32)
    integers = quantized(Quant((0.5,), (0,)), values)
    found = Interpreter(net.save(tmp_path), reference=True).predict(values)
    np.testing.assert_array_equal(found, np.clip(0.5 * integers.astype(np.float32), -32, 31.75))


def test_scores_of_labels_and_of_vectors(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(doubling())
    x = np.array([[1, 2, 3], [3, 2, 1], [0, 5, 1], [1, 0, 0]], np.float32)
    labels = Dataset(x, np.zeros(4, np.int64), x, np.array([2, 0, 1, 2]))
    score = score_file(tmp_path / "m.onnx", labels, "cross-entropy")
    assert (score.accuracy, score.loss, score.samples, score.file) == (0.75, None, 4, "m.onnx")
    vectors = Dataset(x, x, x, 2 * x + np.float32(0.5))
    score = score_file(tmp_path / "m.onnx", vectors, "mse")
    assert score.accuracy is None
    assert score.loss == pytest.approx(0.25)
