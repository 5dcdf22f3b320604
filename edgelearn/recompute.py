"""Recomputation: activations that the forward pass drops and the backward pass makes again, memory for MACs.

A dropped activation's layer runs a second time, right before its first reader in the backward pass, from what is still
there (T. Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016, with segments chosen one by one: what is
dropped is what frees most bytes where the arena is fullest for the fewest MACs). The result is bit for bit the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from edgelearn.costs import node_macs
from edgelearn.graph import Graph, Node, Phase, Role, Tensor
from edgelearn.memory import aligned
from edgelearn.ops import OPS, Kind
from edgelearn.schedule import Schedule

BISECTIONS = 7  # halvings of the peak that is aimed at
AGAIN = "_again"

Schedules = Callable[[Graph], Schedule]


@dataclass(frozen=True)
class Recomputed:
    """A graph with recomputation, what it drops, and the MACs a sample that it costs."""

    graph: Graph
    dropped: tuple[str, ...]
    cost: int


def recompute(graph: Graph, dropped: set[str]) -> Graph:
    """The graph whose backward pass computes the activations `dropped` again before their first use there."""
    return _Rewriter(graph, dropped).run() if dropped else graph


class _Rewriter:
    def __init__(self, graph: Graph, dropped: set[str]) -> None:
        self.graph, self.dropped = graph, dropped
        self.tensors = dict(graph.tensors)
        forward = [n for n in graph.nodes if n.phase is Phase.FORWARD]
        self.makers = {out: n for n in forward for out in n.outputs}
        read = {i for n in graph.nodes if n.phase is Phase.BACKWARD for i in n.inputs}
        self.there = (read & self.makers.keys()) - dropped
        self.again: dict[str, str] = {}
        self.nodes: list[Node] = []

    def run(self) -> Graph:
        for node in self.graph.nodes:
            if node.phase is Phase.BACKWARD:
                for name in node.inputs:
                    if name in self.dropped:
                        self._make(name)
                node = replace(node, inputs=tuple(self.again.get(i, i) for i in node.inputs))
            self.nodes.append(node)
        return self.graph.replace(tensors=self.tensors, nodes=self.nodes)

    def _make(self, wanted: str) -> None:
        """Run again what makes a tensor, and before it whatever is needed and no longer there."""
        stack = [wanted]
        while stack:
            name = stack[-1]
            if name in self.again:
                stack.pop()
                continue
            maker = self.makers[name]
            missing = [i for i in maker.inputs if i and self._missing(i, name)]
            if missing:
                stack += missing
                continue
            stack.pop()
            copy = self.graph.unique(f"{name}{AGAIN}")
            self.tensors[copy] = replace(self.tensors[name], name=copy)
            self.again[name] = copy
            inputs = tuple(self.again.get(i, i) for i in maker.inputs)
            self.nodes.append(
                replace(maker, name=f"{maker.name}{AGAIN}", inputs=inputs, outputs=(copy,), phase=Phase.BACKWARD)
            )

    def _missing(self, name: str, target: str) -> bool:
        """Whether an input has to be made again; one that is smaller than what it makes is kept instead."""
        if name in self.again or name in self.there or name not in self.makers:
            return False
        return name in self.dropped or self.tensors[name].nbytes >= self.tensors[target].nbytes


def candidates(graph: Graph) -> list[Tensor]:
    """Activations that the forward pass keeps for the backward pass and that one output of one layer."""
    read = {i for n in graph.nodes if n.phase is Phase.BACKWARD for i in n.inputs}
    lost = {i for n in graph.nodes if n.phase is Phase.LOSS for i in n.inputs} | set(graph.outputs)
    return [
        graph.tensors[n.outputs[0]]
        for n in graph.nodes
        if n.phase is Phase.FORWARD
        and OPS[n.op].kind is Kind.PURE
        and n.outputs[0] in read - lost
        and graph.tensors[n.outputs[0]].role is Role.ACT
    ]


def loads(schedule: Schedule) -> list[int]:
    """Bytes alive at each step."""
    total = [0] * (len(schedule.steps) + 1)
    for b in schedule.buffers:
        total[max(b.first, 0)] += aligned(b.nbytes)
        total[b.last + 1] -= aligned(b.nbytes)
    for k in range(1, len(total)):
        total[k] += total[k - 1]
    return total[:-1]


class _Search:
    def __init__(self, graph: Graph, budget: int, schedules: Schedules) -> None:
        self.graph, self.budget, self.schedules = graph, budget, schedules
        self.choices = candidates(graph)
        self.makers = {t.name: _maker(graph, t.name) for t in self.choices}
        self.macs = {name: node_macs(graph, node) for name, node in self.makers.items()}
        self.own = {node.name for node in graph.nodes}

    def cost(self, graph: Graph) -> int:
        """What recomputation adds."""
        return sum(node_macs(graph, node) for node in graph.nodes if node.name not in self.own)

    def best(self) -> Recomputed:
        """The smallest peak within the budget."""
        found = Recomputed(self.graph, (), 0)
        high = max(loads(self.schedules(self.graph)), default=0)
        low = 0
        for _ in range(BISECTIONS):
            aim = (low + high) // 2
            attempt, reached = self.aim(aim)
            if reached <= aim:
                found, high = attempt, reached
            else:
                low = aim
        return found

    def aim(self, target: int) -> tuple[Recomputed, int]:
        """Drop activations until no step needs more than `target`, or nothing helps within the budget."""
        dropped: set[str] = set()
        barred: set[str] = set()
        graph = self.graph
        now = loads(schedule := self.schedules(graph))
        while max(now, default=0) > target:
            name = self._pick(schedule, now, target, dropped | barred)
            if name is None:
                break
            attempt = recompute(self.graph, dropped | {name})
            then = loads(trial := self.schedules(attempt))
            if self.cost(attempt) <= self.budget and _excess(then, target) < _excess(now, target):
                dropped, graph, now, schedule = dropped | {name}, attempt, then, trial
            else:
                barred.add(name)
        graph, dropped = self._spare(graph, dropped, max(target, max(now, default=0)))
        return Recomputed(graph, tuple(sorted(dropped)), self.cost(graph)), max(loads(self.schedules(graph)), default=0)

    def _pick(self, schedule: Schedule, now: list[int], target: int, out: set[str]) -> str | None:
        """What frees most above the target for its cost."""
        best, name = 0.0, None
        for tensor in self.choices:
            if tensor.name in out:
                continue
            first, last = _gap(schedule, tensor.name)
            gain = sum(min(tensor.nbytes, now[k] - target) for k in range(first + 1, last) if now[k] > target)
            score = gain / (1 + self.macs[tensor.name])
            if score > best:
                best, name = score, tensor.name
        return name

    def _spare(self, graph: Graph, dropped: set[str], peak: int) -> tuple[Graph, set[str]]:
        """Take back what turned out not to be needed, the dearest first."""
        for name in sorted(dropped, key=lambda n: (-self.macs[n], n)):
            attempt = recompute(self.graph, dropped - {name})
            if max(loads(self.schedules(attempt)), default=0) <= peak:
                graph, dropped = attempt, dropped - {name}
        return graph, dropped


def _maker(graph: Graph, name: str) -> Node:
    found = graph.producer(name)
    assert found is not None
    return found


def _excess(now: list[int], target: int) -> int:
    return sum(load - target for load in now if load > target)


def _uses(schedule: Schedule, name: str) -> Iterator[tuple[int, Phase]]:
    for step in schedule.steps:
        if name in step.node.inputs or name in step.node.outputs:
            yield step.index, step.node.phase


def _gap(schedule: Schedule, name: str) -> tuple[int, int]:
    """The last use in the forward pass and the first in the backward pass, as step numbers."""
    uses = list(_uses(schedule, name))
    forward = [k for k, phase in uses if phase is Phase.FORWARD]
    backward = [k for k, phase in uses if phase is not Phase.FORWARD]
    return max(forward, default=0), min(backward, default=0)


def recompute_within(graph: Graph, budget: int, schedules: Schedules) -> Recomputed:
    """The graph with the smallest peak whose recomputation costs at most `budget` MACs a sample.

    `schedules` gives the schedule by which a graph is judged.
    """
    return _Search(graph, budget, schedules).best()
