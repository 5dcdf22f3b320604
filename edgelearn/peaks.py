"""What the arena would need without what the planner does: each saving shown as the plan that goes without it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgelearn.formats import F32
from edgelearn.graph import Graph, Phase, Role
from edgelearn.memory import aligned
from edgelearn.plan import Plan
from edgelearn.recompute import loads
from edgelearn.schedule import Program, Schedule, make_schedule
from edgelearn.training import training_graph


@dataclass(frozen=True)
class Peak:
    """One way to run the same training step, and the bytes of activations and gradients alive at its fullest moment."""

    way: str
    nbytes: int


def peaks(plan: Plan) -> list[Peak]:
    """The plan's own peak and, each without one thing more, those of its peers; scratch of kernels counts in all."""
    rows = [Peak("this plan", plan.arena.nbytes)]
    plain = training_graph(plan.imported, plan.config.with_changes(recompute=0.0))
    if plan.graph.meta["dropped"]:
        rows.append(Peak("nothing recomputed", _peak(make_schedule(plain, _scratch(plan)))))
    written = training_graph(plan.imported, plan.config, thrifty=False)
    as_written = make_schedule(written, _scratch(plan), search=False)
    rows.append(Peak("steps in the order they are derived", _peak(as_written)))
    whole = make_schedule(_whole_maps(written), _scratch(plan), search=False)
    rows.append(Peak("whole maps kept instead of masks", _peak(whole)))
    rows.append(Peak("every output and gradient kept", _keep_all(as_written)))
    return rows


def _scratch(plan: Plan) -> dict[str, int]:
    return {s.node.name: k.scratch for s, k in zip(plan.schedule.steps, plan.chosen, strict=True)}


def _peak(schedule: Schedule) -> int:
    return max(loads(schedule), default=0)


def _whole_maps(graph: Graph) -> Graph:
    """What backward needs of an activation kept as the float32 map that it is derived from."""
    tensors = {n: replace(t, format=F32) if t.role is Role.MASK else t for n, t in graph.tensors.items()}
    return graph.replace(tensors=tensors)


def _keep_all(schedule: Schedule) -> int:
    """As a desktop framework does: what layers give lives until the backward pass begins, every weight's gradient until
    the last update; there are no masks, a ReLU's backward reads its output.
    """
    graph = schedule.graph
    start = next((s.index for s in schedule.steps if s.program is Program.BACKWARD), len(schedule.steps))
    made = {n for s in schedule.steps if s.node.phase is Phase.FORWARD for n in s.node.outputs}
    masks = {t.name for t in graph.of_role(Role.MASK)}
    grads = {f"{t.name}_grad" for t in graph.of_role(Role.PARAM)}
    kept = [
        replace(b, last=max(b.last, start)) if made.intersection(b.tensors) else b
        for b in schedule.buffers
        if not (masks | grads).intersection(b.tensors)
    ]
    return max(loads(replace(schedule, buffers=tuple(kept)))) + sum(
        aligned(t.nbytes) for t in graph.of_role(Role.PARAM)
    )
