"""Random small graphs: generated C against torch for three updates, and what the planner promises of every plan."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.graph import Graph, Role
from edgelearn.memory import aligned, overlaps
from edgelearn.plan import make_plan
from edgelearn.schedule import Program, check_order
from tests.host.test_training import run_three
from tests.support.nets import Net

LAYERS = ("conv", "depthwise", "norm", "relu", "leaky", "relu6", "sigmoid", "tanh", "max", "avg", "pad", "residual")


def examples(count: int) -> settings:
    """Reproducible, without time limits: a shared machine is slow at times."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(
        max_examples=count, deadline=None, derandomize=True, print_blob=True, suppress_health_check=slow
    )


def grow(net: Net, draw: st.DrawFn, layer: str) -> None:
    """Append one random layer that fits the map at hand."""
    h, w, c = net.tensors[net.last].shape
    size = st.integers(1, 3)
    k = (draw(st.integers(1, min(3, h))), draw(st.integers(1, min(3, w))))
    stride = (draw(size), draw(size))
    pads = tuple(draw(st.integers(0, k[i % 2] - 1)) for i in range(4))
    if layer == "conv":
        groups = draw(st.sampled_from([g for g in (1, 2, 3) if c % g == 0]))
        net.conv(groups * draw(st.integers(1, 4)), k, stride, pads, groups, bias=draw(st.booleans()))
    elif layer == "depthwise":
        net.depthwise(k, stride, pads, multiplier=draw(st.integers(1, 2)))
    elif layer == "residual":
        skip = net.last
        net.conv(c, (1, 1))
        net.add("add", skip)
    else:
        kinds = {
            "norm": net.norm,
            "relu": net.relu,
            "leaky": lambda: net.relu(slope=0.25),
            "relu6": lambda: net.relu(limit=6.0),
            "sigmoid": lambda: net.add("sigmoid"),
            "tanh": lambda: net.add("tanh"),
            "max": lambda: net.pool("max_pool2d", k, stride),
            "avg": lambda: net.pool("avg_pool2d", k, stride, draw(st.booleans())),
            "pad": lambda: net.add("pad", pads=pads, value=draw(st.sampled_from((0.0, 0.5)))),
        }
        kinds[layer]()


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    shape = (draw(st.integers(1, 7)), draw(st.integers(1, 9)), draw(st.integers(1, 6)))
    net = Net(shape, "random", draw(st.integers(0, 1000)))
    for layer in draw(st.lists(st.sampled_from(LAYERS), min_size=1, max_size=6)):
        grow(net, draw, layer)
    if draw(st.booleans()):
        net.mean()
    net.dense(draw(st.integers(2, 6)))
    return net.graph()


@st.composite
def configs(draw: st.DrawFn) -> TrainConfig:
    kind = draw(st.sampled_from(("sgd", "momentum", "adam", "adamw")))
    return TrainConfig(
        optimizer="sgd" if kind == "momentum" else kind,
        lr=0.01,
        momentum=0.0 if kind == "sgd" else 0.9,
        # Adam divides by the gradient's own size: with its usual epsilon the rounding noise of a gradient that is zero
        # in exact arithmetic would become a full step of arbitrary sign, in torch as well as here.
        epsilon=1e-3,
        batch=draw(st.integers(1, 3)),
        weight_decay=draw(st.sampled_from((0.0, 0.01))),
        clip_norm=draw(st.sampled_from((0.0, 0.5))),
        loss=draw(st.sampled_from(("cross-entropy", "mse"))),
    )


@examples(120)
@given(graphs(), configs())
def test_c_and_torch_take_the_same_steps(graph: Graph, config: TrainConfig) -> None:
    assume(any(t.data is not None for t in graph.tensors.values()))
    with tempfile.TemporaryDirectory() as folder:
        run_three(graph, config, Path(folder))


@examples(300)
@given(graphs(), configs(), st.sampled_from(("all", "last")))
def test_no_two_live_buffers_share_a_byte(graph: Graph, config: TrainConfig, train: str) -> None:
    plan = make_plan(graph, config.with_changes(train=train), load("qemu-m4"))
    assert overlaps(plan.arena) == []
    assert check_order(plan.schedule) == []
    loads = [sum(aligned(b.nbytes) for b in plan.schedule.live(k)) for k in range(-1, len(plan.schedule.steps))]
    assert plan.arena.lower_bound == max(loads)
    assert plan.arena.lower_bound <= plan.arena.nbytes <= 1.1 * plan.arena.lower_bound + 64
    held = {name for slot in plan.arena.slots for name in slot.buffer.tensors}
    wanted = {t.name for t in plan.graph.of_role(Role.INPUT, Role.ACT, Role.GRAD, Role.MASK)}
    used = {n for s in plan.schedule.steps for n in (*s.node.inputs, *s.node.outputs)}
    assert wanted & used <= held


@examples(100)
@given(graphs(), configs())
def test_nothing_is_computed_that_no_trained_weight_needs(graph: Graph, config: TrainConfig) -> None:
    plan = make_plan(graph, config, load("qemu-m4"))
    backward = [s.node for s in plan.schedule.steps if s.program is not Program.FORWARD]
    useful = {t.name for t in plan.graph.of_role(Role.PARAM, Role.STATE)} | {plan.graph.meta["loss_tensor"]}
    for node in reversed(backward):
        assert useful & set(node.outputs), f"{node.name} computes what nobody reads"
        useful |= set(node.inputs)


def test_a_plan_is_the_same_twice() -> None:
    from tests.support.nets import NETS

    plans = [make_plan(NETS["residual_net"](), TrainConfig(momentum=0.5, batch=2), load("qemu-m4")) for _ in range(2)]
    assert plans[0].hash == plans[1].hash
    assert np.array_equal([s.offset for s in plans[0].arena.slots], [s.offset for s in plans[1].arena.slots])
