"""Which layers run in int8, and what stands between them and the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.formats import F32, S8, S32
from edgelearn.graph import Graph, Quant, Role
from edgelearn.importers.tflite import load_tflite
from edgelearn.passes.dequantize import dequantize
from edgelearn.passes.lower import lower
from edgelearn.passes.partition import partition
from edgelearn.plan import make_plan
from edgelearn.reference import Reference, evaluate
from edgelearn.report import layers, plan_figures
from tests.support.int8_nets import Net, backbone
from tests.support.nets import NETS
from tests.support.tflite_files import RELU, SAME
from tests.support.tflm import inputs, lowered

POINT = {"Padding": SAME, "StrideH": 1, "StrideW": 1}


@pytest.fixture
def source(tmp_path: Path) -> Graph:
    return imported(backbone(), tmp_path)


def imported(content: bytes, folder: Path) -> Graph:
    path = folder / "net.tflite"
    path.write_bytes(content)
    return load_tflite(path)


def ops(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes]


def test_a_float_graph_comes_back_as_it_is() -> None:
    graph = partition(NETS["residual_net"](), {"dense10_weight"})
    assert lower(graph) is graph


def test_everything_trained_is_the_dequantised_graph(source: Graph) -> None:
    graph, plain = lowered(source, "all"), dequantize(source)
    assert ops(graph) == ops(plain)
    assert {t.format for t in graph.tensors.values()} == {F32}
    assert graph.meta["int8"] == ()
    for _, real in inputs(source, 3):
        np.testing.assert_array_equal(evaluate(graph, real), evaluate(plain, real))


def test_the_cut_stands_in_front_of_the_trained_layer(source: Graph) -> None:
    """What is behind it is float, trained or not; what is not behind it stays in int8, and is read as real numbers."""
    first, depthwise, point, *_ = (node.name for node in source.nodes if node.op.endswith("conv2d"))
    graph = lowered(source, point)
    assert graph.meta["int8"] == (first, depthwise)
    assert ops(graph) == [
        "quantize", "conv2d_s8", "depthwise_conv2d_s8", "dequantize", "conv2d", "dequantize", "add", "relu",
        "avg_pool2d", "dense",
    ]  # fmt: skip
    weights = {t.name: t for t in graph.of_role(Role.PARAM)}
    assert all(t.format is F32 and t.data is not None and t.data.dtype == np.float32 for t in weights.values())
    for name, weight in weights.items():
        held = source.tensors[name]
        assert held.data is not None
        assert held.quant is not None
        scale = np.asarray(held.quant.scale).reshape([-1] + [1] * (held.data.ndim - 1))
        np.testing.assert_allclose(weight.data, held.data * scale, rtol=1e-6)


def test_int8_is_close_to_the_model_it_stands_for(source: Graph) -> None:
    """Rounded at every layer, so that outputs differ by some steps, not by more."""
    graph, plain = Reference(lowered(source)), dequantize(source)
    step = source.tensors[source.outputs[0]].quant
    assert step is not None
    for _, real in inputs(source, 20):
        assert np.abs(graph.forward(real) - np.clip(evaluate(plain, real), -99, 99)).max() < 40 * step.scale[0]


def test_an_int8_tensor_is_dequantised_once(tmp_path: Path) -> None:
    net = Net(np.random.default_rng(1))
    x = net.source((1, 4, 4, 3))
    a = net.weighted("CONV_2D", x, (3, 1, 1, 3), (1, 4, 4, 3), 0, 3, **POINT)
    b = net.weighted("CONV_2D", a, (3, 1, 1, 3), (1, 4, 4, 3), 0, 3, **POINT)
    c = net.weighted("CONV_2D", a, (3, 1, 1, 3), (1, 4, 4, 3), 0, 3, **POINT)
    source = imported(net.finish(net.op("ADD", [b, c], (1, 4, 4, 3), **net.quant())), tmp_path)
    names = [n.name for n in source.nodes if n.op == "conv2d"]
    graph = lowered(source, f"{names[1]},{names[2]}")
    assert ops(graph).count("dequantize") == 1
    assert graph.meta["int8"] == (names[0],)


def test_a_relu_is_fused_only_into_a_layer_that_nobody_else_reads(tmp_path: Path) -> None:
    def build(readers: int) -> Graph:
        net = Net(np.random.default_rng(2))
        options = {**POINT, "FusedActivationFunction": RELU}
        y = net.weighted("CONV_2D", net.source((1, 4, 4, 3)), (3, 1, 1, 3), (1, 4, 4, 3), 0, 3, **options)
        source = imported(net.finish(y), tmp_path)
        if readers == 1:
            return source
        conv, relu, dense = source.nodes
        total = replace(relu, op="add", name="again", inputs=(conv.outputs[0], relu.outputs[0]), outputs=("again_out",))
        out = replace(source.tensors[relu.outputs[0]], name="again_out")
        nodes = (conv, relu, total, replace(dense, inputs=("again_out", *dense.inputs[1:])))
        return source.replace(tensors={**source.tensors, "again_out": out}, nodes=nodes)

    assert ops(lowered(build(1))) == ["quantize", "conv2d_s8", "dequantize", "dense"]
    assert ops(lowered(build(2))) == ["quantize", "conv2d_s8", "table_s8", "add_s8", "dequantize", "dense"]


@pytest.mark.parametrize("why", ["zero point", "sum beyond 32 bits", "scale of nothing", "factor beyond any shift"])
def test_what_int8_can_not_compute_is_float(why: str, source: Graph) -> None:
    conv = source.nodes[0]
    weight, bias, out = (source.tensors[name] for name in (*conv.inputs[1:], conv.outputs[0]))
    assert weight.quant is not None
    assert bias.data is not None
    changed = {
        "zero point": replace(weight, quant=replace(weight.quant, zero_point=(1,) * 8)),
        "sum beyond 32 bits": replace(bias, data=np.full_like(bias.data, 2**31 - 1)),
        "scale of nothing": replace(out, quant=Quant((0.0,), (0,))),
        "factor beyond any shift": replace(weight, quant=replace(weight.quant, scale=(1e12,) * 8)),
    }[why]
    graph = lowered(source.replace(tensors={**source.tensors, changed.name: changed}))
    assert conv.name not in graph.meta["int8"]
    assert "conv2d" in ops(graph)
    assert "dense" in ops(graph)


def test_constants_are_in_flash_with_their_own_formats(source: Graph) -> None:
    plan = make_plan(source, TrainConfig(train="last"), load("qemu-m4"))
    formats = [t.format for t, _ in plan.consts.tensors]
    assert formats.count(S32) == 3 * 3  # bias, multiplier and shift of three convolutions
    assert formats.count(S8) == 3
    assert [name for name, t in plan.graph.tensors.items() if t.quant is not None] == list(plan.graph.inputs[:1])
    everything = make_plan(source, TrainConfig(train="all"), load("qemu-m4"))
    assert plan.ram < everything.ram


def test_the_output_keeps_its_name(source: Graph) -> None:
    """Also where nothing behind the int8 part is left: the last tensor is the model's output."""
    graph = lowered(source)
    end = next(k for k, n in enumerate(source.nodes) if n.op == "dense")
    name = source.nodes[end - 1].outputs[0]
    short = source.replace(nodes=source.nodes[:end], outputs=(name,))
    cut = lower(partition(short, {"nothing"}))
    assert graph.outputs == source.outputs
    assert cut.outputs == (name,)
    assert cut.tensors[name].format is F32
    assert ops(cut)[-1] == "dequantize"


def test_factors_are_no_weights(source: Graph) -> None:
    """Counted are the file's own weights, as many as when all of them train."""
    counts = []
    for train in ("last", "all"):
        plan = make_plan(source, TrainConfig(train=train), load("qemu-m4"))
        counts.append(plan.weights)
        assert plan.weights == sum(layer.weights for layer in layers(plan)) == plan_figures(plan)["weights"]
    assert counts == [sum(t.count for t in source.tensors.values() if t.data is not None)] * 2
