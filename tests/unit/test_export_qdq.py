"""Trained weights of quantised ONNX models: quantised anew, in the file's own form, and nothing else touched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgelearn.errors import InputError
from edgelearn.export import export_model
from edgelearn.importers.onnx import load_onnx
from edgelearn.passes.dequantize import dequantize
from edgelearn.passes.lower import lower
from tests.support.cli import DATA, MODEL
from tests.support.qdq_files import QdqNet, arrays, initializers, predict, quantised
from tests.support.tflm import lowered
from tests.unit.import_models import run, save
from tests.unit.test_import_qdq import FORMATS
from tests.unit.test_tflite_export import moved, values

Build = Callable[[QdqNet], tuple[str, tuple[int, ...]]]


def convolution(net: QdqNet) -> tuple[str, tuple[int, ...]]:
    w = net.weight((4, 3, 3, 2), 0, "layer.weight")
    y = net.node("Conv", [net.source(), w, net.bias(0.05, w, 4, "layer.bias")], pads=[1, 0, 1, 0])
    return net.rounded(y, 0.1, 120), (3, 5, 6)


def columns(net: QdqNet) -> tuple[str, tuple[int, ...]]:
    """A matrix with a scale a column, behind a flattened map: elements and scales change places."""
    x = net.node("Flatten", [net.source()])
    return net.rounded(net.node("MatMul", [x, net.weight((24, 5), 1, "layer.weight")]), 0.2, 120), (2, 3, 4)


def one_scale(net: QdqNet) -> tuple[str, tuple[int, ...]]:
    w = net.weight((4, 6), None, "layer.weight")
    y = net.node("Gemm", [net.source(), w, net.bias(0.05, w, 4, "layer.bias")], transB=1)
    return net.rounded(y, 0.1, 120), (6,)


def float_bias(net: QdqNet) -> tuple[str, tuple[int, ...]]:
    bias = net.const(net.rng.normal(size=4).astype(np.float32), "layer.bias")
    return net.node("Gemm", [net.source(), net.weight((4, 6), 0, "layer.weight"), bias], transB=1), (6,)


def rounded_floats(net: QdqNet) -> tuple[str, tuple[int, ...]]:
    """Float weights that the file rounds to integers when it runs, as quantisation-aware training leaves them."""
    weight = net.const(net.rng.normal(size=(4, 6)).astype(np.float32), "layer.weight")
    pair = net.scale(np.full(4, 0.03), np.zeros(4), np.dtype(np.int8))
    fake = net.node("DequantizeLinear", [net.node("QuantizeLinear", [weight, *pair], axis=0), *pair], axis=0)
    return net.rounded(net.node("Gemm", [net.source(), fake], transB=1), 0.1, 120), (6,)


def off_centre(net: QdqNet) -> tuple[str, tuple[int, ...]]:
    """Uint8 weights whose zero is not in the middle: they get one that is."""
    w = net.weight((4, 6), None, "layer.weight")
    net.stored[net.nodes[-1].input[2]] = np.asarray(101, np.uint8)
    return net.rounded(net.node("Gemm", [net.source(), w], transB=1), 0.1, 120), (6,)


NETS: dict[str, tuple[Build, str]] = {
    "convolution": (convolution, "int8"), "convolution of uint8": (convolution, "uint8"), "columns": (columns, "int8"),
    "one scale": (one_scale, "int8"), "float bias": (float_bias, "int8"), "rounded floats": (rounded_floats, "int8"),
    "off centre": (off_centre, "uint8"),
}  # fmt: skip


def built(name: str, folder: Path) -> tuple[QdqNet, Path]:
    build, weights = NETS[name]
    net = QdqNet(11, weights=weights)
    return net, save(net.content(*build(net)), folder)


@pytest.mark.parametrize("name", NETS)
def test_unchanged_weights_change_nothing(name: str, tmp_path: Path) -> None:
    _, path = built(name, tmp_path)
    graph = load_onnx(path)
    export_model(path, graph, values(graph), tmp_path / "out.onnx")
    assert (tmp_path / "out.onnx").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", NETS)
def test_changed_weights_are_within_half_a_step(name: str, tmp_path: Path) -> None:
    """And onnxruntime runs the file, with the numbers that its import has."""
    net, path = built(name, tmp_path)
    graph, out = load_onnx(path), tmp_path / "out.onnx"
    weights = moved(values(graph))
    export_model(path, graph, weights, out)
    onnx.checker.check_model(str(out), full_check=True)
    again = load_onnx(out)
    for key, value in values(again).items():
        quant = again.tensors[key].quant
        shape = () if quant is None else [-1 if k == quant.axis else 1 for k in range(value.ndim)]
        step = np.float32(0) if quant is None else np.reshape(quant.scale, shape)
        assert (np.abs(value - weights[key]) <= 0.501 * step).all(), key
    weight = next(t for t in again.tensors.values() if t.name == "layer_weight")
    assert weight.data is not None
    assert weight.quant is not None
    assert np.abs(weight.data).max() == 127
    assert not any(weight.quant.zero_point)
    x = net.rng.normal(size=(8, *graph.meta["input"].user_shape)).astype(np.float32) * 2
    last = again.tensors[again.outputs[0]].quant
    allowed = 1.01 * last.scale[0] if last else 1e-5 * float(np.abs(predict(onnx.load(out), x)).max())
    assert np.abs(run(lower(again), x) - predict(onnx.load(out), x)).max() <= allowed


def test_an_unchanged_channel_keeps_its_bits(tmp_path: Path) -> None:
    _, path = built("convolution", tmp_path)
    graph, out = load_onnx(path), tmp_path / "out.onnx"
    weights = values(graph)
    weights["layer_weight"][2] *= 3
    export_model(path, graph, weights, out)
    before, after = arrays(path), arrays(out)
    assert np.array_equal(np.delete(before["layer.weight"], 2, 0), np.delete(after["layer.weight"], 2, 0))
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    scales = {n.input[1] for n in onnx.load(path).graph.node if n.input[0] in ("layer.weight", "layer.bias")}
    assert changed <= {"layer.weight", "layer.bias", *scales}
    assert all(np.array_equal(np.delete(before[s], 2), np.delete(after[s], 2)) for s in scales)


def test_shared_scales_are_parted(tmp_path: Path) -> None:
    """Two layers that read one scale and one zero point: the trained one gets its own, the other keeps its bits."""
    net = QdqNet(12)
    pair = net.scale(0.02, 0, np.dtype(np.int8))
    names = [net.const(net.rng.integers(-99, 99, (6, 6)).astype(np.int8), f"{n}.weight") for n in ("first", "second")]
    x = net.source()
    for name in names:
        x = net.rounded(net.node("Gemm", [x, net.node("DequantizeLinear", [name, *pair])], transB=1), 0.1, 120)
    path, out = save(net.content(x, (6,)), tmp_path), tmp_path / "out.onnx"
    graph = load_onnx(path)
    export_model(path, graph, {"second_weight": values(graph)["second_weight"] * 7}, out)
    before, after = initializers(path), initializers(out)
    assert {name for name in before if before[name] != after[name]} == {"second.weight"}
    assert len(after.keys() - before.keys()) == 1
    assert np.allclose(values(load_onnx(out))["second_weight"], 7 * values(graph)["second_weight"], atol=0.07)


@pytest.mark.parametrize("name", FORMATS)
def test_a_trained_head_of_a_quantised_network(name: str, tmp_path: Path) -> None:
    """Only the head's weights and their scales change; the file classifies as the device does."""
    with np.load(DATA) as data:
        samples, x = (data[key].astype(np.float32) for key in ("x_train", "x_test"))
    path = quantised(tmp_path, onnx.load(MODEL), samples, **FORMATS[name])
    graph, out = load_onnx(path), tmp_path / "out.onnx"
    head = {key: value for key, value in values(graph).items() if key.startswith("classify")}
    assert len(head) == 2
    weights = moved(head, 0.05)
    export_model(path, dequantize(graph), weights, out)
    before, after = initializers(path), initializers(out)
    assert before.keys() == after.keys()
    changed = {key for key in before if before[key] != after[key]}
    assert 0 < len(changed) <= 5
    assert all("classify" in key for key in changed)
    assert onnx.load(path).graph.node == onnx.load(out).graph.node
    found, want = run(lower(load_onnx(out)), x), predict(onnx.load(out), x)
    assert np.mean(found.argmax(axis=1) == want.argmax(axis=1)) >= 0.99


def test_what_is_no_number_is_refused(tmp_path: Path) -> None:
    _, path = built("one scale", tmp_path)
    graph = load_onnx(path)
    with pytest.raises(InputError, match="weight 'layer_weight' holds NaN or infinity"):
        export_model(path, graph, {"layer_weight": np.full((4, 6), np.nan)}, tmp_path / "out.onnx")
    other = save(QdqNet(1).content("x", (6,)), tmp_path, "other.onnx")
    with pytest.raises(InputError):
        export_model(other, graph, values(graph), tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()


@pytest.mark.parametrize("name", ["pairs", "operators"])
def test_logits_that_left_their_range_come_back(name: str, tmp_path: Path) -> None:
    """A head whose new weights drive its outputs far beyond the old range classifies as it does on the device."""
    with np.load(DATA) as data:
        samples, x = (data[key].astype(np.float32) for key in ("x_train", "x_test"))
    path = quantised(tmp_path, onnx.load(MODEL), samples, **FORMATS[name])
    graph, out = load_onnx(path), tmp_path / "out.onnx"
    weights = {key: value * 5 for key, value in values(graph).items() if key.startswith("classify")}
    device = run(lowered(graph), x).argmax(axis=1)  # five times the weights: the same classes
    assert export_model(path, graph, weights, out) == ()
    saturated = np.mean(predict(onnx.load(out), x).argmax(axis=1) == device)
    assert export_model(path, graph, weights, out, samples) == graph.outputs
    found = np.mean(predict(onnx.load(out), x).argmax(axis=1) == device)
    assert saturated < 0.9
    assert found >= 0.97
    assert {key for key, old in initializers(path).items() if initializers(out)[key] != old} <= {
        key for key in initializers(path) if "classify" in key or "logits" in key
    }


def test_a_bias_follows_its_input(tmp_path: Path) -> None:
    """Of two layers the first trains: the second's int32 bias changes with its input's scale, and keeps its value."""
    net = QdqNet(13)
    x = net.rounded("x", 0.05, 128)
    first = net.node("Gemm", [x, net.weight((6, 6), 0, "first.weight")], transB=1)
    w = net.weight((4, 6), 0, "second.weight")
    x = net.rounded(first, 0.05, 120)
    y = net.node("Gemm", [x, w, net.bias(0.05, w, 4, "second.bias")], transB=1)
    path, out = save(net.content(net.rounded(y, 0.1, 120), (6,)), tmp_path), tmp_path / "out.onnx"
    graph = load_onnx(path)
    weights = {"first_weight": values(graph)["first_weight"] * 20}
    samples = net.rng.normal(size=(20, 6)).astype(np.float32)
    assert len(export_model(path, graph, weights, out, samples)) == 2
    before, after = values(graph), values(load_onnx(out))
    assert np.allclose(before["second_bias"], after["second_bias"], rtol=0, atol=1e-2)
    assert not np.array_equal(arrays(path)["second.bias"], arrays(out)["second.bias"])
    assert np.array_equal(before["second_weight"], after["second_weight"])
    full = dequantize(graph)
    trained = {**full.tensors, "first_weight": replace(full.tensors["first_weight"], data=weights["first_weight"])}
    want = run(full.replace(tensors=trained), samples)
    assert np.abs(predict(onnx.load(out), samples) - want).max() <= 0.03 * np.abs(want).max()


def test_integers_that_leave_the_model_keep_their_scale(tmp_path: Path) -> None:
    net = QdqNet(14)
    y = net.node("Gemm", [net.source(), net.weight((4, 6), 0, "layer.weight")], transB=1)
    made = net.content(net.node("QuantizeLinear", [y, *net.scale(0.02, 120)]), (6,))
    graph = load_onnx(save(made, tmp_path))
    weights = {"layer_weight": values(graph)["layer_weight"] * 20}
    samples = net.rng.normal(size=(20, 6)).astype(np.float32)
    assert export_model(tmp_path / "net.onnx", graph, weights, tmp_path / "out.onnx", samples) == ()
