"""MobileTL: which blocks are recognised, what trains in them, and the bytes that the published formula states."""

from __future__ import annotations

import pytest

from edgelearn import methods
from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.errors import InputError
from edgelearn.graph import Graph, Phase, Role
from edgelearn.methods.blocks import find_blocks
from edgelearn.plan import Plan, make_plan
from edgelearn.report import plan_figures
from tests.support.mobilenets import MOBILENETS, inverted
from tests.support.nets import NETS, Net

WIDTHS = {"v1": (1, 1), "v2": (1, 3, 2), "v3": (2, 3, 4)}


def plan_of(graph: Graph, **settings: object) -> Plan:
    return make_plan(graph, TrainConfig(**settings), load("host"))


def one_block(kind: str, gate: bool) -> Graph:
    """A frozen layer, one block of 8 channels widened 6 times on a 7x7 map, and a classifier."""
    net = Net((7, 7, 3), kind)
    net.conv(8, (1, 1))
    inverted(net, 8, 6, kind, gate=gate)
    net.mean()
    net.dense(5)
    return net.graph()


def kept_in_block(graph: Graph, **settings: object) -> tuple[int, int]:
    """Bytes kept for the backward pass of the one block, and how many of these are the gate's."""
    plan = plan_of(graph, blocks=1, **settings)
    nodes = find_blocks(graph)[0].nodes
    made = {n for node in nodes for n in (*node.outputs, node.inputs[0])}
    kept = {t.name: t for t in plan.kept()}
    own = {n: t for n, t in kept.items() if n in made or n.removesuffix("_mask") in {node.name for node in nodes}}
    assert {t.count for n, t in kept.items() if n not in own} == {5, 8}  # the classifier's input and output
    product = next((node for node in nodes if node.op == "mul"), None)
    start = nodes.index(next(n for n in nodes if product and n.outputs[0] == product.inputs[0])) if product else 0
    gate = nodes[start + 1 : nodes.index(product)] if product else ()
    side = {n for node in gate for n in (*node.outputs, f"{node.name}_mask")} | (
        {product.inputs[0]} if product else set()
    )
    return sum(t.nbytes for t in own.values()), sum(t.nbytes for n, t in own.items() if n in side)


def test_one_block_of_v2_keeps_what_the_formula_says() -> None:
    """2u + 4U + 2 masks and 2u + 2U + 2 masks; the paper counts two bits an element for a trained ReLU6, here one is
    enough, in either case.
    """
    graph = one_block("relu6", gate=False)
    u, wide = 4 * 8 * 7 * 7, 4 * 48 * 7 * 7
    bit = wide // 32
    everything, _ = kept_in_block(graph, method="full")
    mobile, _ = kept_in_block(graph, method="mobiletl")
    assert everything == 2 * u + 4 * wide + 2 * bit
    assert mobile == 2 * u + 2 * wide + 2 * bit
    published = everything + 2 * bit
    assert published == 2 * u + 4 * wide + 2 * 2 * bit
    assert round(100 * (mobile / published - 1), 1) == -46.3
    assert round(100 * (mobile / everything - 1), 1) == -45.5


def test_one_block_of_v3_keeps_what_the_formula_says() -> None:
    """2u + 6U + SE and 2u + 2U + 2 masks + SE, where SE is the map in front of the gate and the gate's vectors."""
    graph = one_block("hard_swish", gate=True)
    u, wide, vector = 4 * 8 * 7 * 7, 4 * 48 * 7 * 7, 4 * 48
    gate = wide + 2 * vector + 4 * 12 + 2  # pooled, squeezed with its mask of 12 bits, gate
    everything, own = kept_in_block(graph, method="full")
    assert own == gate
    assert everything == 2 * u + 6 * wide + gate
    mobile, own = kept_in_block(graph, method="mobiletl")
    assert own == gate
    assert mobile == 2 * u + 2 * wide + 2 * (wide // 32) + gate
    assert gate / wide == pytest.approx(1.05, abs=0.005)
    published = 1.05 * wide - gate  # the formula rounds what the gate keeps to 1.05 U
    assert round(100 * ((mobile + published) / (everything + published) - 1), 1) == -53.3
    assert round(100 * (mobile / everything - 1), 1) == -53.4
    exact, _ = kept_in_block(graph, method="mobiletl", exact_derivative=True)
    assert exact == 2 * u + 4 * wide + gate


@pytest.mark.parametrize("norms", [True, False])
@pytest.mark.parametrize("net", MOBILENETS)
def test_blocks_are_recognised(net: str, norms: bool) -> None:
    graph = MOBILENETS[net](norms=norms)
    found = find_blocks(graph)
    widths = [graph.tensors[b.depthwise.outputs[0]].shape[2] for b in found]
    before = [graph.tensors[b.nodes[0].inputs[0]].shape[2] for b in found]
    assert [wide // c for wide, c in zip(widths, before, strict=True)] == list(WIDTHS[net])
    assert [b.expand is not None for b in found] == [factor > 1 for factor in WIDTHS[net]]
    assert all((b.last_norm is not None) is norms for b in found)
    # Between the stem and the head there is nothing but blocks.
    names = [n.name for b in found for n in b.nodes]
    first, last = (next(k for k, n in enumerate(graph.nodes) if n.name == name) for name in (names[0], names[-1]))
    assert names == [n.name for n in graph.nodes[first : last + 1]]


def test_what_trains_in_a_block() -> None:
    """Convolutions, the gate, shifts, and the scale of the last norm; below nothing, and no statistics."""
    graph = MOBILENETS["v3"]()
    block = find_blocks(graph)[-1]
    trained = methods.choose(graph, TrainConfig(method="mobiletl", blocks=1)).trained
    inside = {n for node in block.nodes for n in node.inputs if n in trained}
    scales = {n for n in trained if n.endswith("_gamma")}
    assert scales == {f"{block.last_norm.name}_gamma"}
    assert {f"{n.name}_weight" for n in block.nodes if n.op in ("conv2d", "depthwise_conv2d")} <= inside
    assert {f"{n.name}_beta" for n in block.nodes if n.op == "batch_norm"} <= inside
    assert trained - inside == {"conv41_weight", "norm42_beta", "dense45_weight", "dense45_bias"}


def test_without_norms_the_biases_are_the_shifts() -> None:
    graph = MOBILENETS["v2"](norms=False)
    assert methods.choose(graph, TrainConfig(method="mobiletl", blocks=2)).trained == (
        methods.choose(graph, TrainConfig(method="full", blocks=2)).trained
    )


def test_the_approximation_has_a_name_and_can_be_declined() -> None:
    graph = MOBILENETS["v3"]()
    plan = plan_of(graph, method="mobiletl", blocks=2)
    signed = plan.graph
    assert plan.approximated() == plan_figures(plan)["approximate_derivatives"]
    assert plan.approximated() == [n.name for n in signed.nodes if n.op == "hard_swish_signed"]
    exact = plan_of(graph, method="mobiletl", blocks=2, exact_derivative=True).graph
    swishes = [n for n in graph.nodes if n.op == "hard_swish"]
    trained = [n.op for n in signed.nodes if n.phase is Phase.FORWARD and n.op.startswith("hard_swish")]
    assert trained == ["hard_swish"] + ["hard_swish_signed"] * (len(swishes) - 1)  # the stem's is frozen
    assert not any("signed" in n.op for n in exact.nodes)
    assert sum(n.op == "hard_swish_bwd" for n in exact.nodes) == len(swishes) - 1


def test_nothing_below_the_blocks_trains_or_is_kept() -> None:
    graph = MOBILENETS["v2"]()
    plan = plan_of(graph, method="mobiletl", blocks=1)
    start = find_blocks(graph)[-1].nodes[0]
    below = graph.nodes[: graph.nodes.index(start)]
    trained = {t.name for t in plan.graph.of_role(Role.PARAM)}
    assert not trained & {n for node in below for n in node.inputs}
    kept = {t.name for t in plan.kept()}
    assert kept & {n for node in below for n in node.outputs} == {start.inputs[0]}


@pytest.mark.parametrize(
    ("net", "settings", "message"),
    [
        ("mlp", {"method": "mobiletl"}, "the model has no inverted residual block for MobileTL to train"),
        ("mlp", {"blocks": 1}, "the model has no inverted residual block"),
        ("v2", {"blocks": 4}, "the model has 3 inverted residual blocks, not 4"),
        ("v2", {"blocks": 1, "train": "last"}, "layers can be named or counted in blocks, not both"),
        ("v2", {"method": "last", "blocks": 1}, "--blocks means nothing to the method 'last'"),
        ("v2", {"method": "bias", "exact_derivative": True}, "--exact-derivative means nothing to the method 'bias'"),
    ],
)
def test_what_can_not_be_is_one_error(net: str, settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        plan_of({**NETS, **MOBILENETS}[net](), **settings)
    assert caught.value.message == message
    assert caught.value.hint
