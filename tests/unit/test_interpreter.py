"""The runtimes that say what a file is worth."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from edgelearn.cli.measure import measure
from edgelearn.data import Dataset
from edgelearn.errors import InputError, ToolError
from edgelearn.export.score import score_file
from edgelearn.graph import Quant
from edgelearn.importers import load
from edgelearn.interpreter import Interpreter, open_interpreter
from edgelearn.ops.quantized.convert import quantized
from tests.support.cli import MODEL
from tests.support.int8_nets import Net
from tests.support.tflite_files import TfliteNet
from tests.unit.import_models import model, node, random, save


def doubling(kind: int = TensorProto.FLOAT, batch: tuple[int, ...] = (1,)) -> bytes:
    """y = x + x."""
    shape = (*batch, 3)
    add = helper.make_node("Add", ["x", "x"], ["y"])
    x, y = (helper.make_tensor_value_info(name, kind, shape) for name in "xy")
    graph = helper.make_graph([add], "doubling", [x], [y])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(made.SerializeToString())


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


def pooled(sizes: tuple[int, ...], axis: int) -> bytes:
    """The mean along an axis, which takes that axis out; the batch is what remains beside the last."""
    mean = node("ReduceMean", ["x"], "y", axes=[axis], keepdims=0)
    left = [size for k, size in enumerate(sizes) if k != axis]
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", sizes), ("y", left)))
    graph = helper.make_graph([mean], "pooled", [x], [y])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(made.SerializeToString())


@pytest.mark.parametrize("count", [1, 7, 8, 9, 24])
def test_a_fixed_batch_is_filled_up(count: int, tmp_path: Path) -> None:
    """A file for eight samples at a time was refused by its runtime, and its accuracy not known."""
    (tmp_path / "m.onnx").write_bytes(doubling(batch=(8,)))
    x = np.random.default_rng(count).normal(size=(count, 3)).astype(np.float32)
    np.testing.assert_array_equal(open_interpreter(tmp_path / "m.onnx").predict(x), 2 * x)


def test_a_fixed_batch_behind_the_time(tmp_path: Path) -> None:
    """Of five steps, eight samples and three features the mean of the steps has the batch in front."""
    (tmp_path / "m.onnx").write_bytes(pooled((5, 8, 3), 0))
    x = np.random.default_rng(0).normal(size=(11, 5, 3)).astype(np.float32)
    found = open_interpreter(tmp_path / "m.onnx", (1, 0)).predict(x)
    np.testing.assert_allclose(found, x.mean(axis=1), rtol=0, atol=1e-6)
    (tmp_path / "m.onnx").write_bytes(pooled((5, 8, 3), 2))
    found = open_interpreter(tmp_path / "m.onnx", (1, 1)).predict(x)
    np.testing.assert_allclose(found, x.mean(axis=2), rtol=0, atol=1e-6)


def test_a_batch_that_the_output_has_not(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(pooled((8, 5), 0))
    with pytest.raises(InputError, match="not one each"):
        open_interpreter(tmp_path / "m.onnx").predict(np.zeros((8, 5), np.float32))
    net = TfliteNet()
    net.op("SUM", [net.input((4, 3)), net.const(np.array([0], np.int32))], (1, 3), {"KeepDims": True})
    with pytest.raises(InputError, match="not one each"):
        open_interpreter(net.save(tmp_path)).predict(np.zeros((4, 3), np.float32))


@pytest.mark.parametrize("count", [1, 4, 6])
def test_a_fixed_batch_in_a_tensorflow_lite_file(count: int, tmp_path: Path) -> None:
    net = TfliteNet()
    net.op("NEG", [net.input((4, 3))], (4, 3))
    x = np.random.default_rng(count).normal(size=(count, 3)).astype(np.float32)
    np.testing.assert_array_equal(open_interpreter(net.save(tmp_path)).predict(x), -x)


def test_a_file_with_a_fixed_batch_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = {"w": random(4, 3), "b": random(3)}
    dense, turned = node("Gemm", ["x", "w", "b"], "h"), node("Transpose", ["h"], "y", perm=[1, 0])
    for axis, nodes in enumerate(([node("Gemm", ["x", "w", "b"], "y")], [dense, turned])):
        path = save(model(nodes, (4,), weights, batch=8), tmp_path)
        graph = load(path)
        assert graph.meta["batch_axes"] == (0, axis)
        x = np.random.default_rng(3).normal(size=(21, 4)).astype(np.float32)
        data = Dataset(x, np.zeros(21, np.int64), x, np.argmax(x @ weights["w"] + weights["b"], axis=1))
        score = measure(path, data, graph, "cross-entropy")
        assert score is not None
        assert (score.samples, score.accuracy) == (21, 1.0)
        assert "measured net.onnx in onnxruntime: accuracy 1.000 on 21 held-out samples" in capsys.readouterr().err
