"""Random small graphs: generated C against torch for three updates, and what the planner promises of every plan."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.graph import Graph, Role
from edgelearn.memory import aligned, overlaps
from edgelearn.plan import make_plan
from edgelearn.schedule import Program, check_order
from tests.host.test_training import run_three, torch_batches
from tests.support.compare import apart
from tests.support.nets import Net
from tests.support.torch_graph import TorchGraph

LAYERS = (
    "conv", "depthwise", "norm", "relu", "leaky", "relu6", "sigmoid", "tanh", "max", "avg", "pad", "residual", "scale",
    "shift", "product", "excite", "inverse", "hard_sigmoid", "hard_swish", "elu", "prelu", "concat", "split",
    "layer_norm", "instance_norm", "up", "depthwise_up", "reshape", "rnn", "gru", "lstm",
)  # fmt: skip
# Gates, and the flag that a layer has beside its direction.
RECURRENT = {"rnn": (1, "relu"), "gru": (3, "linear_before_reset"), "lstm": (4, "unused")}


def examples(count: int) -> settings:
    """Reproducible, without time limits: a shared machine is slow at times."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=count, deadline=None, derandomize=True, print_blob=True, suppress_health_check=slow)


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
    elif layer in ("product", "concat", "excite"):
        skip = net.last
        if layer == "excite":
            net.mean()
        net.conv(c if layer != "concat" else draw(st.integers(1, 4)), (1, 1))
        if layer != "concat":
            net.add("sigmoid")
        op, attrs = ("concat", {"axis": 2}) if layer == "concat" else ("mul", {})
        net.add(op, net.last, x=skip, **attrs)
    elif layer in ("scale", "shift", "prelu"):
        op = {"scale": "mul", "shift": "bias"}.get(layer, layer)
        shape = draw(st.sampled_from(((1,), (c,), (w, c), (h, w, c))))
        net.add(op, net.weight(f"{layer}{len(net.nodes)}_weight", shape, 0.5, 0.5))
    elif layer == "split":
        axis = draw(st.integers(0, 2))
        start = draw(st.integers(0, (h, w, c)[axis] - 1))
        net.add("slice", axis=axis, start=start, stop=draw(st.integers(start + 1, (h, w, c)[axis])))
    elif layer == "inverse":
        net.add("sigmoid")
        net.add("reciprocal")
    elif layer.endswith("_norm"):
        shape = (c,) if layer == "instance_norm" else draw(st.sampled_from(((c,), (w, c), (h, w, c))))
        # Where there is (nearly) one value to a set, its variance is nothing but rounding: there is no truth to hold.
        assume(h * w > 3 if layer == "instance_norm" else np.prod(shape) > 3)
        k = len(net.nodes)
        net.add(layer, net.weight(f"gamma{k}", shape, 0.2, 1.0), net.weight(f"beta{k}", shape), epsilon=0.1)
    elif layer in RECURRENT:
        (gates, flag), n = RECURRENT[layer], draw(st.integers(1, 5))
        net.conv(gates * n, (1, 1))
        name, attrs = f"{layer}{len(net.nodes)}", {flag: draw(st.booleans()), "reverse": draw(st.booleans())}
        b = net.weight(f"{name}_b", (gates * n,)) if draw(st.booleans()) else ""
        first = [net.weight(f"{name}_start", (n,)) if draw(st.booleans()) else "" for _ in ("state", "cell")]
        net.add(layer, net.weight(f"{name}_r", (gates * n, n)), b, *first[: 2 if layer == "lstm" else 1], **attrs)
    elif layer in ("up", "depthwise_up"):
        k, stride = (draw(size), draw(size)), (draw(size), draw(size))
        more = tuple(draw(st.integers(0, s - 1)) for s in stride)
        room = {"kernel": k, "stride": stride, "pads": (0, 0, 0, 0), "output_padding": more}
        assume(h * w < 40)
        if layer == "up":
            weight = net.weight(f"up{len(net.nodes)}_weight", (c, *k, draw(st.integers(1, 4))))
            net.add("conv_transpose2d", weight, **room, groups=1)
        else:
            weight = net.weight(f"up{len(net.nodes)}_weight", (*k, c), 0.5)
            net.add("depthwise_conv_transpose2d", weight, **room, multiplier=1)
    else:
        kinds = {
            "hard_sigmoid": lambda: net.add("hard_sigmoid", alpha=0.2, beta=0.5),
            "hard_swish": lambda: net.add("hard_swish"),
            "elu": lambda: net.add("elu", alpha=draw(st.sampled_from((1.0, 0.5)))),
            "reshape": lambda: net.add("reshape", shape=(w, h, c)),
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
        loss=draw(st.sampled_from(("cross-entropy", "stablemax", "mse"))),
    )


def is_steady(graph: Graph, config: TrainConfig) -> bool:
    """Whether torch in float32 stays near torch in float64, at half of what `run_three` allows: there are nets, above
    all long recurrences, that make so much of rounding that no float32 can be held to more.
    """
    names, batches, loss = torch_batches(graph, config)
    exact, rounded = (TorchGraph(graph, names, kind) for kind in (torch.float64, torch.float32))
    for net in (exact, rounded):
        net.fit(batches, loss, config)
    truth, found = exact.weights(names), rounded.weights(names)
    return all(np.isfinite(v).all() for v in found.values()) and apart(found, truth, floor=0.02)[0] <= 5e-6


@examples(120)
@given(graphs(), configs())
def test_c_and_torch_take_the_same_steps(graph: Graph, config: TrainConfig) -> None:
    assume(any(t.data is not None for t in graph.tensors.values()))
    assume(is_steady(graph, config))
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
