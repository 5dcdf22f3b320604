"""Layers that shift, in int8: weights keep their bits, norms behind them become factors of channels."""

from __future__ import annotations

import numpy as np
import pytest

from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.formats import S8, SHIFTS
from edgelearn.graph import Graph, Phase
from edgelearn.ops.shift import decode, encode_channels
from edgelearn.plan import make_plan
from edgelearn.reference import Reference
from edgelearn.training import training_graph
from tests.support.mobilenets import v2
from tests.support.nets import NETS, sample
from tests.support.prefix_nets import calibrated
from tests.support.shifts import all_but_ends

CONFIG = TrainConfig(method="last", int8_prefix=True)


def without_marks(graph: Graph) -> Graph:
    return graph.replace(meta={k: v for k, v in graph.meta.items() if k != "shift"})


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("bits", [2, 3, 4])
def test_codes_of_channels_with_a_factor_each(bits: int, axis: int) -> None:
    rng = np.random.default_rng(bits)
    powers = decode(rng.integers(0, 1 << bits, (4, 3, 5), dtype=np.uint8), bits, 2)
    shape = [-1 if k == axis else 1 for k in range(3)]
    factors = np.float32(rng.normal(size=powers.shape[axis]).reshape(shape))
    weights = powers * factors
    found = encode_channels(weights, bits, axis)
    assert found is not None
    codes, scale = found
    assert codes.max() < 1 << bits
    np.testing.assert_array_equal(decode(codes, bits, 0, np.float64) * scale.reshape(shape), weights)


def test_what_is_no_power_of_its_channel_has_no_code() -> None:
    for odd in (0.0, 1.5, 2.0**4, -3.0):
        assert encode_channels(np.float32([[1, 2], [1, odd]]), 3, 0) is None
    assert encode_channels(np.float32([[1e-40, 2e-40]]), 3, 0) is None  # no factor of a sum reaches so far
    assert encode_channels(np.float32([[3, 6], [-0.1, 0.1]]), 2, 0) is not None


@pytest.mark.parametrize("norms", [True, False])
def test_weights_keep_their_bits(norms: bool) -> None:
    source = calibrated(all_but_ends(v2(norms=norms)))
    graph = training_graph(source, CONFIG)
    ops = [n.op for n in graph.nodes if n.phase is Phase.FORWARD]
    marked = [n.op for n in source.nodes if len(n.inputs) > 1 and n.inputs[1] in source.meta["shift"]]
    assert {"conv2d_shift_s8", "depthwise_conv2d_shift_s8"} <= set(ops)
    assert [op for op in ops if "shift" in op] == [f"{op}_shift_s8" for op in marked]
    assert ops.count("depthwise_conv2d_s8") == 0  # which norms would be that nothing takes in
    assert len(graph.meta["shifted"]) == len(marked)
    board = load("qemu-m3")
    small, plain = make_plan(source, CONFIG, board), make_plan(without_marks(source), CONFIG, board)
    coded = [t for t, _ in small.consts.tensors if t.format in SHIFTS.values()]
    saved = sum(t.count - t.nbytes for t in coded)
    assert saved > 0.4 * sum(t.count for t in coded)
    assert plain.consts.used - small.consts.used >= saved - 16 * len(coded)


def test_a_factor_below_zero_turns_signs() -> None:
    source = calibrated(all_but_ends(v2()))
    norm = next(n for n in source.nodes if n.op == "batch_norm" and _is_behind_shifts(source, n.inputs[0]))
    gamma = source.tensors[norm.inputs[1]]
    assert gamma.data is not None
    gamma.data[::2] *= -1
    source = calibrated(source)
    graph, plain = training_graph(source, CONFIG), training_graph(source, TrainConfig(method="last"))
    x, _ = sample(source, 1, "cross-entropy")
    np.testing.assert_allclose(Reference(graph).forward(x), Reference(plain).forward(x), atol=0.25)


def _is_behind_shifts(graph: Graph, name: str) -> bool:
    maker = graph.producer(name)
    return maker is not None and len(maker.inputs) > 1 and maker.inputs[1] in graph.meta["shift"]


def test_a_bias_that_needs_larger_steps_takes_eight_bits() -> None:
    source = all_but_ends(NETS["conv1d_net"]())
    layer = next(n for n in source.nodes if len(n.inputs) > 2 and n.inputs[1] in source.meta["shift"] and n.inputs[2])
    bias = source.tensors[layer.inputs[2]]
    assert bias.data is not None
    bias.data[:] = 1e9
    graph = training_graph(calibrated(source), CONFIG)
    node = next(n for n in graph.nodes if n.name == layer.name)
    assert node.op == f"{layer.op}_s8"
    assert graph.tensors[node.inputs[1]].format is S8
