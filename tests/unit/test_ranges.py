"""Activations behind trained layers get the ranges that the new weights need; what is in front of them stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.export import export_tflite
from edgelearn.graph import Graph
from edgelearn.importers.tflite import load_tflite
from edgelearn.importers.tflite.parse import parse
from edgelearn.interpreter import Interpreter
from edgelearn.ops.optimizers import Optim
from edgelearn.passes.dequantize import real
from edgelearn.plan import make_plan
from edgelearn.reference import Reference
from edgelearn.session import as_it_travels
from tests.qemu.test_tflite_run import waves
from tests.support.int8_nets import Net, backbone
from tests.support.tflite_files import RELU6, VALID
from tests.support.tflm import Tflm, inputs, integer_layers, lowered

ONE = {"Padding": VALID, "StrideH": 1, "StrideW": 1}
SQUARE = {**ONE, "StrideH": 2, "StrideW": 2, "FilterHeight": 2, "FilterWidth": 2}


def imported(content: bytes, folder: Path) -> tuple[Path, Graph]:
    path = folder / "net.tflite"
    path.write_bytes(content)
    return path, load_tflite(path)


def grown(graph: Graph, *layers: str, factor: float = 6.0) -> dict[str, np.ndarray]:
    """New weights of some layers, `factor` times as large."""
    found = {}
    for name in graph.meta["export"]:
        tensor = graph.tensors[name]
        if name.rpartition("_")[0] in layers:
            assert tensor.data is not None
            assert tensor.quant is not None
            found[name] = (factor * real(tensor.data, tensor.quant)).astype(np.float32)
    assert found
    return found


def changed(before: Path, after: Path) -> set[int]:
    """Operators whose result has another scale, or any of whose constants other bytes."""
    old, new = (parse(p.read_bytes(), p.name) for p in (before, after))

    def differs(k: int) -> bool:
        a, b = old.tensors[k], new.tensors[k]
        same = (a.scale, a.zero_point) == (b.scale, b.zero_point)
        return not same or (a.data is not None and b.data is not None and not np.array_equal(a.data, b.data))

    assert len(old.content) == len(new.content)
    return {o.index for o in old.operators if any(differs(k) for k in (*o.inputs[1:], *o.outputs) if k >= 0)}


def trained(graph: Graph, x: np.ndarray, y: np.ndarray, epochs: int) -> tuple[dict[str, np.ndarray], Reference]:
    """The last layer trained as a board would train it."""
    plan = make_plan(graph, TrainConfig(train="last", momentum=0.9, batch=4), load("host"))
    reference = Reference(plan.graph, np.float32, lambda step: Optim(lr=1.0, momentum=0.9))
    sent = as_it_travels(plan, x)
    for _ in range(epochs):
        reference.fit(zip(sent, y, strict=True))
    return reference.weights(), reference


def test_logits_that_left_their_range_come_back(tmp_path: Path) -> None:
    """A high learning rate makes logits of 90 where the file has room for 13: every eighth sample is lost to that."""
    path, graph = imported(backbone(), tmp_path)
    (x, y), (x_test, y_test) = waves(120, 0), waves(80, 1)
    weights, reference = trained(graph, x, y, 10)
    plan = make_plan(graph, TrainConfig(train="last"), load("host"))
    seen = [int(np.argmax(reference.forward(s))) for s in as_it_travels(plan, x_test)]
    accuracy = {"device": float(np.mean(seen == y_test))}
    for name, samples in {"old": None, "new": x}.items():
        out = tmp_path / f"{name}.tflite"
        found = export_tflite(path, graph, weights, out, samples)
        assert len(found) == (name == "new")
        accuracy[name] = float(np.mean(np.argmax(Interpreter(out, reference=True).predict(x_test), axis=1) == y_test))
    assert accuracy["device"] > 0.85
    assert accuracy["old"] < accuracy["device"] - 0.1
    assert abs(accuracy["new"] - accuracy["device"]) <= 2 / 80
    assert changed(path, tmp_path / "new.tflite") == {5}  # the last one


def test_the_frozen_part_keeps_its_bytes_and_biases_follow(tmp_path: Path) -> None:
    """The middle layer trains: what is behind it changes, biases of frozen layers too, and nothing before it."""
    path, graph = imported(backbone(), tmp_path)
    x = np.stack([graph.meta["input"].to_user(s[None])[0] for _, s in inputs(graph, 20)])
    weights = grown(graph, "depthwise")
    plain = tmp_path / "plain.tflite"
    out = tmp_path / "out.tflite"
    assert export_tflite(path, graph, weights, plain) == ()
    assert len(export_tflite(path, graph, weights, out, x)) == 5
    assert changed(path, plain) == {1}
    assert changed(path, out) == {1, 2, 3, 4, 5}
    again = load_tflite(out)
    for node in again.nodes:
        if len(node.inputs) == 3 and node.op in ("conv2d", "depthwise_conv2d", "dense"):
            source, weight, bias = (again.tensors[n].quant for n in node.inputs)
            assert source is not None
            assert weight is not None
            assert bias is not None
            np.testing.assert_allclose(bias.scale, source.scale[0] * np.asarray(weight.scale), rtol=1e-6)
    kept = parse(out.read_bytes(), "out")
    stated = {t.index: t.scale for t in kept.tensors if t.type == "INT32" and t.scale}
    for operator in kept.operators:
        if len(operator.inputs) == 3:
            s, w, b = operator.inputs
            np.testing.assert_allclose(
                stated[b], kept.tensors[s].scale[0] * np.asarray(kept.tensors[w].scale), rtol=1e-6
            )
    truth = on_device(graph, weights, x)
    errors = [float(np.abs(Interpreter(p, reference=True).predict(x) - truth).mean()) for p in (plain, out)]
    assert errors[1] < 0.25 * errors[0]
    assert errors[1] < 0.03 * np.abs(truth).max()


def on_device(graph: Graph, weights: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """What a board computes that has these weights: int8 in front of them, real numbers behind."""
    plan = make_plan(graph, TrainConfig(train=",".join({n.rpartition("_")[0] for n in weights})), load("host"))
    reference = Reference(plan.graph)
    reference.load(weights)
    return np.stack([reference.forward(s) for s in as_it_travels(plan, x)])


def pooled(joined: bool) -> bytes:
    """conv, max pool, reshape, dense; or the pool joined with a frozen one."""
    net = Net(np.random.default_rng(4))
    x = net.source((1, 6, 6, 2), kind="INT8", scale=0.1, zero=0)
    quant = {"kind": "INT8", "scale": 0.3, "zero": -5}
    w = net.const(net.rng.integers(-127, 128, (4, 1, 1, 2)).astype(np.int8), scale=np.full(4, 0.01, np.float32))
    b = net.const(np.zeros(4, np.int32), scale=np.full(4, 0.001, np.float32))
    conv = net.op("CONV_2D", [x, w, b], (1, 6, 6, 4), ONE, **quant)
    pool = net.op("MAX_POOL_2D", [conv], (1, 3, 3, 4), SQUARE, **quant)
    wide = 4
    if joined:
        other = net.op("MAX_POOL_2D", [x], (1, 3, 3, 2), SQUARE, kind="INT8", scale=0.1, zero=0)
        other = net.op("QUANTIZE", [other], (1, 3, 3, 2), **quant)
        pool, wide = net.op("CONCATENATION", [pool, other], (1, 3, 3, 6), {"Axis": 3}, **quant), 6
    flat = net.op("RESHAPE", [pool, net.const(np.array([1, 9 * wide], np.int32))], (1, 9 * wide), **quant)
    return net.finish(flat)


@pytest.mark.parametrize(("joined", "count"), [(False, 4), (True, 1)])
def test_tensors_that_share_a_scale_change_together_or_not_at_all(joined: bool, count: int, tmp_path: Path) -> None:
    path, graph = imported(pooled(joined), tmp_path)
    x = np.stack([s for _, s in inputs(graph, 10)])
    out = tmp_path / "out.tflite"
    found = export_tflite(path, graph, grown(graph, "conv"), out, x)
    assert len(found) == count
    again = load_tflite(out)
    for layer in integer_layers(lowered(again)):
        truth = Tflm(out.read_bytes(), layer.origin.index)
        for fed, real_numbers in inputs(again, 3):
            reference = Reference(lowered(again))
            reference.forward(real_numbers)
            np.testing.assert_array_equal(reference.values[layer.outputs[0]].reshape(-1), truth(fed), layer.name)


def test_a_range_that_is_far_too_wide_becomes_narrow(tmp_path: Path) -> None:
    path, graph = imported(backbone(), tmp_path)
    x = np.stack([s for _, s in inputs(graph, 10)])
    weights = grown(graph, "dense", factor=0.05)
    truth = on_device(graph, weights, x)
    errors = []
    for name, samples in {"old": None, "new": x}.items():
        out = tmp_path / f"{name}.tflite"
        export_tflite(path, graph, weights, out, samples)
        errors.append(float(np.abs(Interpreter(out, reference=True).predict(x) - truth).mean()))
    assert errors[1] < 0.3 * errors[0]


def test_weights_that_did_not_change_and_ranges_that_fit_leave_the_file(tmp_path: Path) -> None:
    path, graph = imported(backbone(), tmp_path)
    x = np.stack([s for _, s in inputs(graph, 10)])
    out = tmp_path / "out.tflite"
    assert export_tflite(path, graph, grown(graph, "conv", "dense", factor=1.0), out, x) == ()
    assert out.read_bytes() == path.read_bytes()


def test_a_fused_activation_bounds_what_is_measured(tmp_path: Path) -> None:
    """ReLU6 holds whatever the weights do, so that its range stays."""
    net = Net(np.random.default_rng(6))
    x = net.source((1, 4, 4, 2), kind="INT8", scale=0.1, zero=0)
    w = net.const(net.rng.integers(-127, 128, (4, 1, 1, 2)).astype(np.int8), scale=np.full(4, 0.02, np.float32))
    b = net.const(np.zeros(4, np.int32), scale=np.full(4, 0.002, np.float32))
    options = {**ONE, "FusedActivationFunction": RELU6}
    conv = net.op("CONV_2D", [x, w, b], (1, 4, 4, 4), options, kind="INT8", scale=6 / 255, zero=-128)
    path, graph = imported(net.finish(conv), tmp_path)
    samples = np.stack([s for _, s in inputs(graph, 10)])
    found = export_tflite(path, graph, grown(graph, "conv", factor=9.0), tmp_path / "o.tflite", samples)
    assert net.tensors[conv].name not in found
    assert parse((tmp_path / "o.tflite").read_bytes(), "o").tensors[conv].scale == (float(np.float32(6 / 255)),)
