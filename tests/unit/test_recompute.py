"""Recomputation: the same bits with less memory, within the MACs that were allowed."""

from __future__ import annotations

import numpy as np
import pytest

from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.graph import Graph, Phase, Role
from edgelearn.plan import make_plan
from edgelearn.recompute import candidates, recompute
from edgelearn.reference import Reference
from edgelearn.schedule import check_order, make_schedule
from edgelearn.training import training_graph
from tests.support.nets import NETS, sample

BOARD = load("qemu-m4")


def weights(graph: Graph, source: Graph) -> dict[str, bytes]:
    """The trained weights after three updates, bit by bit."""
    model = Reference(graph, np.float32)
    for k in range(3):
        model.train(*sample(source, k, graph.meta["loss"]))
    return {name: w.tobytes() for name, w in model.weights().items()}


@pytest.mark.parametrize("config", [TrainConfig(), TrainConfig(momentum=0.9), TrainConfig(batch=2, clip_norm=0.5)])
@pytest.mark.parametrize("net", NETS)
def test_dropping_anything_changes_no_bit(net: str, config: TrainConfig) -> None:
    source = NETS[net]()
    graph = training_graph(source, config, thrifty=False)
    truth = weights(graph, source)
    choices = [t.name for t in candidates(graph)]
    assert choices
    for dropped in ({choices[0]}, {choices[-1]}, set(choices[::2]), set(choices)):
        lean = recompute(graph, dropped)
        assert check_order(make_schedule(lean)) == []
        assert weights(lean, source) == truth
        forward = {i for n in lean.nodes if n.phase is Phase.BACKWARD for i in n.inputs}
        assert not dropped & forward, "a dropped activation is still read"


@pytest.mark.parametrize("net", NETS)
def test_more_macs_never_need_more_memory_and_never_exceed_what_was_allowed(net: str) -> None:
    source, last = NETS[net](), None
    plain = make_plan(source, TrainConfig(), BOARD)
    for share in (0.0, 0.1, 0.3, 1.0):
        plan = make_plan(source, TrainConfig(recompute=share), BOARD)
        assert plan.training_macs <= (1 + share) * plain.training_macs
        assert last is None or plan.arena.lower_bound <= last
        last = plan.arena.lower_bound
        assert {t.name for t in plan.kept() if t.role is Role.ACT} <= {t.name for t in plain.kept()}


def test_a_weight_is_read_again_only_before_it_changes() -> None:
    plan = make_plan(NETS["residual_net"](), TrainConfig(recompute=1.0), BOARD)
    assert plan.graph.meta["dropped"]
    changed: set[str] = set()
    for step in plan.schedule.steps:
        if step.node.name.endswith("_again"):
            assert not changed & set(step.node.inputs)
        changed |= set(step.node.outputs) & {t.name for t in plan.graph.of_role(Role.PARAM)}
