"""Training methods: what each of them trains, and what it leaves for the backward pass."""

from __future__ import annotations

import numpy as np
import pytest

from edgelearn import methods
from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.errors import InputError
from edgelearn.formats import BIT, F32
from edgelearn.graph import Graph, Role
from edgelearn.ops import OPS, Kind
from edgelearn.passes.differentiate import differentiate
from edgelearn.passes.fold import unfold
from edgelearn.passes.partition import partition
from edgelearn.plan import Plan, make_plan
from tests.support.nets import NETS
from tests.unit.test_gradients import single


def plan_of(graph: Graph, **settings: object) -> Plan:
    return make_plan(graph, TrainConfig(**settings), load("host"))


def test_the_names_in_the_settings_are_the_methods() -> None:
    assert list(methods.METHODS) == ["full", "last", "bias", "sparse", "mobiletl"]
    assert set(methods.OPTIONS) <= set(TrainConfig.__struct_fields__)


def test_full_and_last_are_all_and_last() -> None:
    graph = NETS["residual_net"]()
    for method, train in (("full", "all"), ("last", "last")):
        chosen = methods.choose(graph, TrainConfig(method=method)).trained
        assert chosen == methods.select(graph, train)
        assert plan_of(graph, method=method).ram == plan_of(graph, train=train).ram


@pytest.mark.parametrize("net", NETS)
def test_bias_trains_shifts_and_differentiates_no_weight(net: str) -> None:
    graph = NETS[net]()
    chosen = methods.choose(graph, TrainConfig(method="bias")).trained
    assert chosen == {n for n in graph.tensors if n.endswith(("_bias", "_beta", "_b"))}
    plan = plan_of(graph, method="bias")
    sums = {n.op for n in plan.graph.nodes if OPS[n.op].kind is Kind.ACCUMULATE}
    assert sums <= {"bias_bwd", "gru_bias_bwd"}
    assert all(len(t.shape) == 1 for t in plan.graph.of_role(Role.PARAM))


def test_a_relu_net_keeps_bits_for_its_biases() -> None:
    plan = plan_of(NETS["conv1d_net"](), method="bias")
    held = plan.kept()
    (logits,) = (t for t in held if t.name == plan.graph.outputs[0])
    assert {t.format for t in held if t is not logits and not t.name.endswith("_winner")} == {BIT}


def test_layers_narrow_a_method_down() -> None:
    graph = NETS["residual_net"]()
    chosen = methods.choose(graph, TrainConfig(method="bias", train="conv8,dense11"))
    assert chosen.trained == {"conv8_bias", "dense11_bias"}


def test_a_trained_shift_folds_and_comes_back() -> None:
    """A shift whose layer is frozen becomes the layer's bias; what it learns is what the shift would have learned."""
    graph = NETS["conv1d_net"]()
    plan = plan_of(graph, method="bias")
    assert not any(n.op == "batch_norm" for n in plan.graph.nodes)
    (record, _) = plan.graph.meta["folded"]
    before = plan.graph.tensors[record.folded_bias].data
    home = unfold(plan.graph, {record.folded_bias: np.asarray(before) + np.float32(0.5)})
    assert set(home) == {record.beta}
    np.testing.assert_allclose(home[record.beta], np.asarray(graph.tensors[record.beta].data) + 0.5, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "last", "train": "conv8"}, "--train means nothing to the method 'last'"),
        ({"method": "bias", "train": "nothing"}, "no layer 'nothing' with weights to train"),
    ],
)
def test_what_does_not_go_together_is_one_error(settings: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        plan_of(NETS["residual_net"](), **settings)
    assert caught.value.message == message
    assert caught.value.hint


@pytest.mark.parametrize("op", [name for name, op in OPS.items() if op.shifts and op.fmt is F32])
def test_the_gradient_of_a_shift_is_a_sum(op: str) -> None:
    """A recurrent layer's own backward pass needs its gates whatever trains; its bias sums what that gives."""
    source = single(op, next(e for e in OPS[op].examples if e.shapes[OPS[op].shifts[0]] is not None))
    node = source.nodes[-1]
    trained = {node.inputs[k] for k in OPS[op].shifts}
    graph = differentiate(partition(source, trained), "mse", 1)
    sums = [n.op for n in graph.nodes if set(n.outputs) & {f"{name}_grad" for name in trained}]
    assert sums == ["gru_bias_bwd" if op == "gru" else "bias_bwd"]
