"""Recomputation: activations that the forward pass drops and the backward pass makes again, memory for MACs.

A dropped activation's layer runs a second time, right before its first reader in the backward pass, from what is still
there (T. Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016, with segments chosen one by one: what is
dropped is what frees most bytes where the arena is fullest for the fewest MACs). The result is bit for bit the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from edgelearn.costs import node_macs
from edgelearn.graph import Graph, Node, Phase, Role, Tensor, unique_name
from edgelearn.memory import aligned
from edgelearn.ops import OPS, Kind
from edgelearn.schedule import Schedule

BISECTIONS = 6  # halvings of the peak that is aimed at
POWERS = (0.5, 1.0, 0.0)  # of the MACs, in what a dropped byte is worth; none is best for all nets
MANY = 64  # choices: with more only the first power is tried
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
        self.taken = {*graph.tensors, *(n.name for n in graph.nodes)}
        self.nodes: list[Node] = []

    def run(self) -> Graph:
        for node in self.graph.nodes:
            if node.phase is Phase.BACKWARD:
                for name in node.inputs:
                    if name in self.dropped:
                        self._make(name)
                if not self.again.keys().isdisjoint(node.inputs):
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
            copy = unique_name(f"{name}{AGAIN}", self.taken)
            self.taken.add(copy)
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


def is_again(node: Node) -> bool:
    """Whether a node runs a forward layer a second time."""
    return node.phase is Phase.BACKWARD and node.name.endswith(AGAIN)


def candidates(graph: Graph) -> list[Tensor]:
    """Activations that the forward pass keeps for the backward pass and that are the one output of one layer.

    In front of a cut nothing can be computed again: training may have started at the cut.
    """
    prefix = graph.meta.get("prefix", ())
    read = {i for n in graph.nodes if n.phase is Phase.BACKWARD for i in n.inputs}
    lost = {i for n in graph.nodes if n.phase is Phase.LOSS for i in n.inputs} | set(graph.outputs)
    return [
        graph.tensors[n.outputs[0]]
        for n in graph.nodes
        if n.phase is Phase.FORWARD
        and n.name not in prefix
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


@dataclass(frozen=True)
class _Judged:
    """Bytes alive at each step, the steps at which a choice only waits (from, to), and what recomputation adds."""

    loads: np.ndarray
    spans: Mapping[str, tuple[int, int]]
    cost: int

    @property
    def peak(self) -> int:
        return int(self.loads.max(initial=0))

    def excess(self, target: int) -> int:
        """Bytes above `target`, over all steps."""
        return int(np.maximum(self.loads - target, 0).sum())


class _Search:
    def __init__(self, graph: Graph, budget: int, schedules: Schedules) -> None:
        self.graph, self.budget, self.schedules = graph, budget, schedules
        self.choices = candidates(graph)
        self.stride = 1 + len(self.choices) // 24  # what large nets drop at once
        self.own = {node.name for node in graph.nodes}
        # What a tensor costs alone: its layer, and those before it whose output is gone anyway.
        self.macs = {t.name: self.cost(recompute(graph, {t.name})) for t in self.choices}
        self.judged: dict[frozenset[str], _Judged] = {}

    def judge(self, dropped: Iterable[str]) -> _Judged:
        """What dropping these comes to; looked at once, though several searches come by."""
        key = frozenset(dropped)
        if key not in self.judged:
            graph = recompute(self.graph, set(key))
            schedule = self.schedules(graph)
            last, first = _uses(schedule)
            names = [t.name for t in self.choices if t.name in last and t.name in first]
            spans = {name: (last[name] + 1, first[name]) for name in names}
            self.judged[key] = _Judged(np.array(loads(schedule)), spans, self.cost(graph))
        return self.judged[key]

    def cost(self, graph: Graph) -> int:
        """What recomputation adds."""
        return sum(node_macs(graph, node) for node in graph.nodes if node.name not in self.own)

    def best(self) -> Recomputed:
        """The smallest peak within the budget, by the best of the ways of weighing bytes against MACs."""
        found = [self._lowest(power) for power in (POWERS if len(self.choices) <= MANY else POWERS[:1])]
        _, _, dropped = min(found, key=lambda item: item[:2])
        graph = recompute(self.graph, dropped)
        return Recomputed(graph, tuple(sorted(dropped)), self.cost(graph))

    def _lowest(self, power: float) -> tuple[int, int, set[str]]:
        """Peak, cost and what is dropped."""
        dropped: set[str] = set()
        low, high = 0, self.judge(()).peak
        for _ in range(BISECTIONS):
            aim = (low + high) // 2
            attempt, reached = self.aim(aim, power)
            if reached <= aim:
                dropped, high = attempt, reached
            else:
                low = aim
        dropped = self._spare(dropped, high)
        return high, self.judge(dropped).cost, dropped

    def aim(self, target: int, power: float) -> tuple[set[str], int]:
        """What to drop so that no step needs more than `target`, and the peak that is reached within the budget."""
        dropped: set[str] = set()
        barred: set[str] = set()
        now = self.judge(dropped)
        while now.peak > target:
            ranked = self._rank(now, target, dropped | barred, power)
            if not ranked:
                break
            for more in sorted({min(self.stride, len(ranked)), 1}, reverse=True):
                then = self.judge(dropped.union(ranked[:more]))
                if then.cost <= self.budget and then.excess(target) < now.excess(target):
                    dropped, now = dropped.union(ranked[:more]), then
                    break
            else:
                barred.add(ranked[0])
        return dropped, now.peak

    def _rank(self, now: _Judged, target: int, out: set[str], power: float) -> list[str]:
        """By how much of what is above `target` at each step they free for their cost, best first."""
        scores: dict[str, float] = {}
        over = now.loads - target
        for tensor in self.choices:
            name = tensor.name
            if name in out or name not in now.spans:
                continue
            first, last = now.spans[name]
            gain = float(np.clip(over[first:last], 0, tensor.nbytes).sum())
            if gain > 0:
                scores[name] = gain / (1 + self.macs[name]) ** power
        return sorted(scores, key=lambda n: -scores[n])

    def _spare(self, dropped: set[str], peak: int) -> set[str]:
        """Take back what turned out not to be needed, the dearest first."""
        for name in sorted(dropped, key=lambda n: (-self.macs[n], n)):
            if self.judge(dropped - {name}).peak <= peak:
                dropped = dropped - {name}
        return dropped


def _uses(schedule: Schedule) -> tuple[dict[str, int], dict[str, int]]:
    """Step numbers by tensor: the last use in the forward pass, the first behind it."""
    last: dict[str, int] = {}
    first: dict[str, int] = {}
    for step in schedule.steps:
        for name in (*step.node.inputs, *step.node.outputs):
            if step.node.phase is Phase.FORWARD:
                last[name] = step.index
            else:
                first.setdefault(name, step.index)
    return last, first


def recompute_within(graph: Graph, budget: int, schedules: Schedules) -> Recomputed:
    """The graph with the smallest peak whose recomputation costs at most `budget` MACs a sample.

    `schedules` gives the schedule by which a graph is judged.
    """
    return _Search(graph, budget, schedules).best()
