"""What the frozen part of a float model becomes in int8: which layers, on which scales, and how near it stays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edgelearn import methods
from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.errors import InputError
from edgelearn.formats import F32, S8
from edgelearn.graph import Graph, Phase, Role
from edgelearn.passes.fold import fold_norms
from edgelearn.passes.lower import lower
from edgelearn.passes.partition import partition
from edgelearn.passes.quantize import LARGEST_BIAS, quantize
from edgelearn.plan import make_plan
from edgelearn.reference import Reference
from edgelearn.session import as_it_travels
from edgelearn.training import training_graph
from tests.support.nets import NETS as FLOAT_NETS
from tests.support.nets import Net
from tests.support.prefix_nets import CONFIG, NETS, calibrated, dense, gated, norms_first, samples, wide, with_bias

FLOAT = TrainConfig(train="last")


def marked(graph: Graph, train: str = "last") -> Graph:
    """A net's frozen part with scales, before it becomes int8 ops."""
    source = calibrated(graph)
    choice = methods.choose(source, TrainConfig(train=train))
    folded, trained = fold_norms(source, choice.trained)
    return quantize(partition(folded, trained), source.meta["ranges"])


def forward(graph: Graph) -> list[str]:
    return [n.op for n in graph.nodes if n.phase is Phase.FORWARD]


def trained_graph(graph: Graph, **changes: object) -> Graph:
    return training_graph(calibrated(graph), CONFIG.with_changes(**changes))


def scales(graph: Graph, *names: str) -> set[object]:
    return {graph.tensors[name].quant for name in names}


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (wide, "conv2d_s8 depthwise_conv2d_s8 conv2d_s8 add_s8 conv2d_s8 table_s8 concat_s8 max_pool2d_s8 mean_s8"
               " mean_s8 dequantize dense"),
        (dense, "dense_s8 table_s8 dense_s8 table_s8 dense_s8 table_s8 dense_s8 table_s8 dequantize dense"),
        (norms_first, "depthwise_conv2d_s8 conv2d_s8 depthwise_conv2d_s8 conv2d_s8 add_s8 depthwise_conv2d_s8 mean_s8"
                      " dequantize dense"),
        (gated, "conv2d_s8 mean_s8 conv2d_s8 conv2d_s8 table_s8 mul_s8 sub_s8 pad_s8 slice_s8 transpose_s8 mean_s8"
                " dequantize dense"),
    ],
)  # fmt: skip
def test_all_that_is_frozen_runs_in_int8(build: Callable[[], Graph], expected: str) -> None:
    graph = trained_graph(build())
    assert forward(graph) == expected.split()
    assert graph.tensors[graph.inputs[0]].format is S8
    assert {t.format for t in graph.of_role(Role.PARAM)} == {F32}


@pytest.mark.parametrize("method", ["minmax", "percentile", "mse"])
@pytest.mark.parametrize("name", [*NETS, "conv1d_net", "residual_net"])
def test_it_stays_near_the_float_net(name: str, method: str) -> None:
    """On samples that calibration has not seen: 25 dB, an error of a twentieth, after up to a dozen layers."""
    source = calibrated({**FLOAT_NETS, **NETS}[name](), method)
    plan = make_plan(source, CONFIG, load("host"))
    plain = training_graph(source, FLOAT)
    ours, theirs = Reference(plan.graph), Reference(plain)
    signal = noise = 0.0
    for x in samples(source, 12, 77):
        ours.forward(as_it_travels(plan, x))
        truth = theirs.forward(x)
        signal += float((truth**2).sum())
        noise += float(((ours.values[plan.graph.outputs[0]] - truth) ** 2).sum())
    assert 10 * np.log10(signal / noise) > 25


def test_weights_are_symmetric_with_a_scale_an_output_channel() -> None:
    net = wide()
    graph = marked(net)
    folded = fold_norms(net, {net.nodes[-1].inputs[1]})[0]
    for node, axis in ((graph.nodes[0], 0), (next(n for n in graph.nodes if n.op == "depthwise_conv2d"), 2)):
        held, real = graph.tensors[node.inputs[1]], folded.tensors[node.inputs[1]].data
        assert held.quant is not None
        assert held.data is not None
        assert real is not None
        others = tuple(k for k in range(real.ndim) if k != axis)
        assert held.quant.axis == axis
        assert set(held.quant.zero_point) == {0}
        np.testing.assert_allclose(held.quant.scale, np.abs(real).max(axis=others) / 127, rtol=1e-6)
        assert (np.abs(held.data.astype(int)).max(axis=others) == 127).all()
        shape = [-1 if k == axis else 1 for k in range(real.ndim)]
        step = np.asarray(held.quant.scale).reshape(shape)
        assert (np.abs(held.data * step - real) <= step * 0.5001).all()


def test_activations_reach_from_end_to_end_with_an_exact_zero() -> None:
    source = calibrated(wide())
    graph = marked(wide())
    for name in ("x", graph.nodes[1].outputs[0]):
        tensor = graph.tensors[name]
        assert tensor.quant is not None
        (scale,), (zero,), (low, high) = tensor.quant.scale, tensor.quant.zero_point, source.meta["ranges"][name]
        assert scale == pytest.approx((max(high, 0) - min(low, 0)) / 255, rel=1e-6)
        assert (-128 - zero) * scale == pytest.approx(min(low, 0), abs=scale * 0.501)


def test_a_clamp_gives_its_scale_to_the_layer_that_computes_it() -> None:
    graph = marked(wide())
    conv, relu = graph.nodes[:2]
    assert (conv.op, relu.op) == ("conv2d", "relu")
    assert len(scales(graph, conv.outputs[0], relu.outputs[0])) == 1
    lowered = lower(graph)
    assert conv.outputs[0] not in lowered.tensors
    bounds = next(n for n in lowered.nodes if n.op == "conv2d_s8").attrs
    quant = graph.tensors[relu.outputs[0]].quant
    assert quant is not None
    assert bounds["min"] == -128
    assert bounds["max"] == min(127, round(6 / quant.scale[0]) - 128)


def test_a_pool_before_its_relu_needs_no_negative_half() -> None:
    """What lies below zero is picked by nobody but the ReLU, so the convolution may saturate there already."""
    net = Net((6, 6, 2))
    conv = net.conv(5, (3, 3))
    pool = net.pool("max_pool2d", (2, 2), (2, 2))
    relu = net.relu()
    net.dense(3)
    graph = marked(net.graph())
    assert len(scales(graph, conv, pool, relu)) == 1
    quant = graph.tensors[conv].quant
    assert quant is not None
    assert quant.zero_point == (-128,)
    source = calibrated(net.graph())
    ours, theirs = Reference(lower(graph), np.float32), Reference(source, np.float64)
    for x in samples(source, 8):
        ours.forward(x)
        theirs.forward(x)
        real = (ours.values[relu].astype(int) + 128) * quant.scale[0]
        np.testing.assert_allclose(real, theirs.values[relu], atol=3 * quant.scale[0])


def test_joined_maps_share_one_scale() -> None:
    """That of the ReLU behind the join and the pool, which pick from both."""
    graph, ranges = marked(wide()), calibrated(wide()).meta["ranges"]
    concat = next(n for n in graph.nodes if n.op == "concat")
    relu = next(n for n in graph.nodes[graph.nodes.index(concat) :] if n.op == "relu")
    assert len(scales(graph, *concat.inputs, *concat.outputs, *relu.outputs)) == 1
    quant = graph.tensors[concat.outputs[0]].quant
    assert quant is not None
    assert quant.scale[0] * 255 == pytest.approx(ranges[relu.outputs[0]][1])


def test_a_channel_of_zeros_and_a_bias_far_beyond_its_weights_stay_exact() -> None:
    """A dead channel gives its bias, whatever that is in steps of the product of scales."""
    net = Net((5, 5, 2))
    conv = net.conv(4, (3, 3))
    net.mean()
    net.dense(3)
    plain = net.graph()
    weight, bias = (np.array(plain.tensors[f"{conv}_{part}"].data) for part in ("weight", "bias"))
    weight[0], weight[1], weight[2] = 0.0, 1e-9, 1e-9
    bias[:3] = 0.0, 1.75, 300.0
    source = with_bias(with_bias(plain, f"{conv}_weight", weight), f"{conv}_bias", bias)
    graph = marked(source)
    held, x = graph.tensors[f"{conv}_weight"].quant, graph.tensors["x"].quant
    assert held is not None
    assert x is not None
    assert (np.abs(bias) / (np.asarray(held.scale) * x.scale[0]) <= LARGEST_BIAS * 1.001).all()
    lowered = lower(graph)
    assert forward(lowered)[:2] == ["quantize", "conv2d_s8"]
    quant = graph.tensors[conv].quant
    assert quant is not None
    ours = Reference(lowered)
    ours.forward(samples(source, 1)[0])
    real = (ours.values[conv][0, 0].astype(int) - quant.zero_point[0]) * quant.scale[0]
    np.testing.assert_allclose(real[:3], bias[:3], atol=quant.scale[0])


def test_constants_that_are_shared_get_an_int8_copy() -> None:
    """A convolution that stands in the frozen part and again behind what trains keeps its float weights there."""
    net = Net((4, 4, 3))
    first = net.conv(3, (1, 1), name="first")
    net.conv(3, (1, 1), name="middle")
    attrs = dict(net.nodes[0].attrs)
    net.add("conv2d", f"{first}_weight", f"{first}_bias", name="again", **attrs)
    net.mean()
    net.dense(2)
    graph = trained_graph(net.graph(), train="middle")
    assert forward(graph)[:4] == ["conv2d_s8", "dequantize", "conv2d", "conv2d"]
    again = next(n for n in graph.nodes if n.name == "again")
    assert graph.tensors[again.inputs[1]].format is F32
    np.testing.assert_array_equal(graph.tensors[again.inputs[1]].data, net.tensors[f"{first}_weight"].data)


def test_int8_ends_at_a_layer_without_it_and_does_not_begin_again() -> None:
    graph = trained_graph(FLOAT_NETS["recurrent_net"]())
    ops = forward(graph)
    assert ops[:3] == ["conv2d_s8", "dequantize", "gru"]
    assert not any(op == "quantize" or op.endswith("_s8") for op in ops[2:])


def test_what_a_rule_refuses_stays_float() -> None:
    """A softmax that has to share its scale has no int8 form; what stands in front of it and beside it has."""
    net = Net((6,))
    net.dense(5)
    soft = net.add("softmax")
    net.add("concat", soft, x="dense0", axis=0)
    net.dense(3)
    graph = trained_graph(net.graph())
    assert forward(graph) == ["dense_s8", "dequantize", "softmax", "concat", "dense"]


def test_softmax_on_its_own_scale() -> None:
    net = Net((6,))
    net.dense(5)
    net.add("softmax")
    net.dense(3)
    assert forward(trained_graph(net.graph())) == ["dense_s8", "softmax_s8", "dequantize", "dense"]


@pytest.mark.parametrize("place", range(1, 5))
def test_what_trains_and_what_is_behind_it_is_float(place: int) -> None:
    source = wide()
    layer = [n.name for n in source.nodes if n.op in ("conv2d", "depthwise_conv2d", "dense")][place]
    graph = trained_graph(source, train=layer)
    assert graph.meta["int8"]
    assert layer not in graph.meta["int8"]
    behind = {t.name for t in graph.of_role(Role.PARAM)}
    for node in graph.nodes:
        if node.phase is Phase.FORWARD and behind.intersection(node.inputs):
            behind.update(node.outputs)
            assert not node.op.endswith("_s8")
            assert graph.tensors[node.outputs[0]].format is F32


def test_plans_are_reproducible_and_depend_on_the_ranges() -> None:
    board = load("qemu-m4")
    plans = [make_plan(calibrated(wide(), m), CONFIG, board) for m in ("minmax", "minmax", "mse")]
    assert plans[0].hash == plans[1].hash != plans[2].hash


def test_a_quarter_of_flash_and_arena() -> None:
    source = calibrated(wide())
    ours, plain = (make_plan(source, config, load("qemu-m4")) for config in (CONFIG, FLOAT))
    held = {name for node in source.nodes for name in node.inputs}
    weights = [t.nbytes for t, _ in ours.consts.tensors if t.format is S8 and t.name in held]
    floats = [t.nbytes for t, _ in plain.consts.tensors if len(t.shape) > 1]
    assert 4 * sum(weights) == sum(floats)
    assert ours.arena_bytes < 0.3 * plain.arena_bytes
    assert ours.slot_bytes < 0.3 * plain.slot_bytes


def test_nothing_to_quantise_is_an_error() -> None:
    with pytest.raises(InputError, match="trains") as caught:
        trained_graph(wide(), train="all")
    assert caught.value.hint is not None
    net = Net((6,))
    net.add("log_softmax")
    net.dense(3)
    with pytest.raises(InputError, match="log_softmax"):
        trained_graph(net.graph())
    with pytest.raises(InputError, match="needs samples"):
        training_graph(wide(), CONFIG)


def test_an_int8_model_is_left_to_its_own_scales() -> None:
    with pytest.raises(InputError, match="int8 already"):
        quantize(marked(wide()), calibrated(wide()).meta["ranges"])


def test_float_values_are_what_integers_stand_for() -> None:
    """Layer by layer, each int8 activation is within three steps of the float one."""
    source = calibrated(dense())
    graph = marked(dense())
    lowered, x = Reference(lower(graph)), samples(source, 4)
    for sample in x:
        lowered.forward(sample)
        theirs = Reference(source, np.float64)
        theirs.forward(sample)
        for node in source.nodes[:4]:
            quant = graph.tensors[node.outputs[0]].quant
            assert quant is not None
            real = (lowered.values[node.outputs[0]].astype(int) - quant.zero_point[0]) * quant.scale[0]
            assert np.abs(real - theirs.values[node.outputs[0]]).max() < 3 * quant.scale[0]
