"""The order of steps that needs the least memory: exact where the search ends, else the best found and a lower bound.

Which of two steps comes first decides what has to be alive at once. The search walks over sets of steps already taken
and minimises the largest live set on the way (a bottleneck shortest path). A step that only frees memory is always
taken at once: moving it forward makes no other moment fuller, so nothing is lost, and chains stay chains.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from edgelearn.graph import Graph, Node, Role
from edgelearn.ops import OPS, Kind

STATES = 4_000  # sets of taken steps that the search looks at before it settles for the best order so far
LOOKS = 100_000  # units that it looks at: in a large net many can run at any moment, and a set takes long
ARENA_ROLES = (Role.INPUT, Role.ACT, Role.GRAD, Role.MASK)


@dataclass(frozen=True)
class Ordered:
    """Steps in order; the largest live set on the way and the least that any order needs, in bytes.

    `exact`: no order of these steps has a smaller peak.
    """

    nodes: tuple[Node, ...]
    peak: int
    bound: int

    @property
    def exact(self) -> bool:
        return self.peak == self.bound


def before(nodes: Sequence[Node]) -> list[int]:
    """For each node the set (as bits) of nodes that must have run: it reads or rewrites what they wrote, or writes
    what they read. The factor of a clipped norm reaches every update through the optimizer's settings.
    """
    writers: dict[str, int] = {}
    readers: dict[str, int] = {}
    clip, needs = 0, []
    for k, node in enumerate(nodes):
        op = OPS[node.op]
        need = clip if op.kind is Kind.STEP and op.uses_optim else 0
        for name in filter(None, node.inputs):
            need |= writers.get(name, 0)
        for name in filter(None, node.outputs):
            need |= writers.get(name, 0) | readers.get(name, 0)
        for name in filter(None, node.inputs):
            readers[name] = readers.get(name, 0) | 1 << k
        for name in filter(None, node.outputs):
            writers[name] = writers.get(name, 0) | 1 << k
        if node.op == "clip_step":
            clip |= 1 << k
        needs.append(need)
    return needs


@dataclass(frozen=True)
class _Unit:
    """Nodes that run right after one another: a step, and before it what does nothing but make room for it."""

    nodes: tuple[int, ...]
    needs: int  # bits of the units that must have run


class _Problem:
    """The nodes of one function with what each of them makes and ends. Tensors are numbers, sets of units are bits."""

    def __init__(self, graph: Graph, nodes: Sequence[Node], kept: Iterable[str], scratch: Mapping[str, int]) -> None:
        self.nodes = nodes
        held = set(kept)
        self.units = _units(graph, nodes)
        home = {k: u for u, unit in enumerate(self.units) for k in unit.nodes}
        self.size: dict[str, int] = {}
        self.users: dict[str, int] = {}
        self.makers: dict[str, int] = {}
        for k, node in enumerate(nodes):
            for name in _arena(graph, node):
                self.size[name] = _aligned(graph.tensors[name].nbytes)
                self.users[name] = self.users.get(name, 0) | 1 << home[k]
            for name in node.outputs:
                self.makers.setdefault(name, k)
        self.kept = held & self.size.keys()
        self.all = (1 << len(self.units)) - 1
        self.first = sum(
            1 << u for u, unit in enumerate(self.units) if not unit.needs
        )  # what nothing waits in front of
        self.behind: list[list[int]] = [[] for _ in self.units]  # what waits for a unit
        for u, unit in enumerate(self.units):
            for j in _bits(unit.needs):
                self.behind[j].append(u)
        self.looks = 0
        self.scratch = [_aligned(scratch.get(node.name, 0)) for node in nodes]
        self.born = [
            sum(self.size[n] for n in set(_arena(graph, m)) if self.makers.get(n) == k) for k, m in enumerate(nodes)
        ]
        self.shares = [list(_shares(graph, node)) for node in nodes]
        self.last = [self._ends(graph, unit) for unit in self.units]
        # Alive before the first step: what an earlier function made and this one reads.
        self.given = sum(size for name, size in self.size.items() if name not in self.makers)

    def _ends(self, graph: Graph, unit: _Unit) -> list[tuple[str, int, int]]:
        """What may die with a unit: name, bytes, and who else uses it."""
        own = [n for k in unit.nodes for n in _arena(graph, self.nodes[k])]
        return [(n, self.size[n], self.users[n]) for n in dict.fromkeys(own) if n not in self.kept]

    def ready(self, ready: int, taken: int, u: int) -> int:
        """Units that can run once `u` is among those `taken`, where `ready` could before."""
        ready &= ~(1 << u)
        for k in self.behind[u]:
            if not self.units[k].needs & ~taken:
                ready |= 1 << k
        return ready

    def run(self, taken: int, live: int, u: int) -> tuple[int, int]:
        """Bytes alive during a unit and after it, where `live` are alive before."""
        self.looks += 1
        rest = ~(taken | 1 << u) & self.all
        dying = {name: size for name, size, users in self.last[u] if not users & rest}
        peak = live
        for k in self.units[u].nodes:
            live += self.born[k] - sum(self.size[out] for out, source in self.shares[k] if source in dying)
            peak = max(peak, live + self.scratch[k])
        shared = sum(self.size[o] for k in self.units[u].nodes for o, source in self.shares[k] if source in dying)
        return peak, live + shared - sum(dying.values())

    def bound(self) -> int:
        """No order needs less: what is made before a step by necessity and used behind it or by it."""
        ahead, behind = [0] * len(self.units), [0] * len(self.units)
        for u, unit in enumerate(self.units):
            for j in _bits(unit.needs):
                ahead[u] |= ahead[j] | 1 << j
        for u in range(len(self.units) - 1, -1, -1):
            for j in _bits(self.units[u].needs):
                behind[j] |= behind[u] | 1 << u
        home = {k: 1 << u for u, unit in enumerate(self.units) for k in unit.nodes}
        made = {name: home[self.makers[name]] if name in self.makers else -1 for name in self.size}
        kept = {name: -1 if name in self.kept else 0 for name in self.size}
        spans = [(name, size, made[name], self.users[name] | kept[name]) for name, size in self.size.items()]
        return max((self._least(u, ahead[u], behind[u], spans) for u in range(len(self.units))), default=0)

    def _least(self, u: int, ahead: int, behind: int, spans: Sequence[tuple[str, int, int, int]]) -> int:
        """Bytes alive at a unit in any order, of tensors by name, size, units that make and units that use them."""
        before, behind, nodes = ahead | 1 << u, behind | 1 << u, self.units[u].nodes
        there = sum(size for _, size, made, users in spans if made & before and users & behind)
        shared = {out for k in nodes for out, _ in self.shares[k]}
        both = sum(s for name, s, made, users in spans if name in shared and made & before and users & behind)
        return max(self.scratch[k] for k in nodes) + there - both


def _aligned(nbytes: int) -> int:
    return -(-nbytes // 4) * 4


def _arena(graph: Graph, node: Node) -> list[str]:
    """The tensors of the arena that a node touches."""
    return [n for n in dict.fromkeys((*node.inputs, *node.outputs)) if n and graph.tensors[n].role in ARENA_ROLES]


def _units(graph: Graph, nodes: Sequence[Node]) -> list[_Unit]:
    """What only makes an array (a gradient's zeros) runs right before the step that first uses it."""
    needs = before(nodes)
    joined: dict[int, int] = {}
    for k, node in enumerate(nodes):
        if node.outputs and not node.inputs and _arena(graph, node):
            user = next((j for j in range(k + 1, len(nodes)) if needs[j] >> k & 1), None)
            if user is not None:
                joined[k] = user
    groups = {k: [k] for k in range(len(nodes)) if k not in joined}
    for k, user in reversed(joined.items()):
        groups[user].insert(0, k)
    home = {k: u for u, group in enumerate(groups.values()) for k in group}
    units = []
    for u, group in enumerate(groups.values()):
        mask = 0
        for k in group:
            for j in _bits(needs[k]):
                mask |= 1 << home[j]
        units.append(_Unit(tuple(group), mask & ~(1 << u)))
    return units


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _shares(graph: Graph, node: Node) -> Iterator[tuple[str, str]]:
    """Output and input that may share their bytes."""
    if OPS[node.op].kind is not Kind.PURE:
        return
    tensors = graph.tensors
    for out_index, in_index in OPS[node.op].inplace:
        if out_index >= len(node.outputs):
            continue
        out, source = node.outputs[out_index], node.inputs[in_index]
        if not source or tensors[source].role not in ARENA_ROLES or tensors[source].role is Role.INPUT:
            continue
        if tensors[source].nbytes == tensors[out].nbytes and node.inputs.count(source) == 1:
            yield out, source


def peak_of(graph: Graph, nodes: Sequence[Node], kept: Iterable[str], scratch: Mapping[str, int]) -> int:
    """The largest live set of these nodes in this order, in bytes."""
    problem = _Problem(graph, nodes, kept, scratch)
    return _walk(problem, range(len(problem.units)))


def _walk(problem: _Problem, order: Iterable[int]) -> int:
    taken, live, peak = 0, problem.given, problem.given
    for k in order:
        during, live = problem.run(taken, live, k)
        taken, peak = taken | 1 << k, max(peak, during)
    return peak


def best_order(
    graph: Graph,
    nodes: Sequence[Node],
    kept: Iterable[str] = (),
    scratch: Mapping[str, int] | None = None,
    states: int = STATES,
) -> Ordered:
    """The nodes of one function in the order with the smallest peak that was found; never worse than as given.

    `kept`: tensors that are needed after the last node; `scratch`: bytes a node needs while it runs, by name;
    `states`: where the search gives up, or after LOOKS.
    """
    problem = _Problem(graph, nodes, kept, scratch or {})
    given, bound = _walk(problem, range(len(problem.units))), problem.bound()
    if given <= bound:
        return Ordered(tuple(nodes), given, given)
    found = _search(problem, states)
    order = _greedy(problem) if found is None else found
    peak = _walk(problem, order)
    if found is not None:
        bound = min(peak, given)
    if peak >= given:
        return Ordered(tuple(nodes), given, bound)
    return Ordered(tuple(nodes[k] for u in order for k in problem.units[u].nodes), peak, bound)


@dataclass
class _State:
    """Units taken and those that can run now, as bits; the bytes alive now and at the fullest moment so far."""

    taken: int
    ready: int
    live: int
    peak: int

    @classmethod
    def start(cls, problem: _Problem) -> _State:
        return cls(0, problem.first, problem.given, problem.given)

    def take(self, problem: _Problem, u: int) -> None:
        """Run a unit that can run."""
        during, self.live = problem.run(self.taken, self.live, u)
        self.taken |= 1 << u
        self.ready = problem.ready(self.ready, self.taken, u)
        self.peak = max(self.peak, during)

    def slide(self, problem: _Problem, path: list[int]) -> None:
        """Take every unit that makes nothing fuller, now or later, and write it down."""
        moved = True
        while moved:
            moved = False
            for u in _bits(self.ready):
                during, after = problem.run(self.taken, self.live, u)
                if after <= self.live and during <= self.peak:
                    self.take(problem, u)
                    path.append(u)
                    moved = True


def _search(problem: _Problem, states: int) -> list[int] | None:
    """The order with the smallest peak, or None if there is too much to look at."""
    tie, most = count(), problem.looks + LOOKS
    path: list[int] = []
    start = _State.start(problem)
    start.slide(problem, path)
    heap = [(start.peak, -start.taken.bit_count(), next(tie), start, 0, tuple(path))]
    came: dict[int, tuple[int, tuple[int, ...]]] = {}
    while heap:
        _, _, _, now, source, steps = heapq.heappop(heap)
        if now.taken in came:
            continue
        came[now.taken] = source, steps
        if now.taken == problem.all:
            return _settle(problem, _unroll(came, now.taken), now.peak)
        if len(came) > states or problem.looks > most:
            return None
        for u in _bits(now.ready):
            path = [u]
            then = replace(now)
            then.take(problem, u)
            then.slide(problem, path)
            if then.taken not in came:
                heapq.heappush(heap, (then.peak, -then.taken.bit_count(), next(tie), then, now.taken, tuple(path)))
    return None


def _unroll(came: Mapping[int, tuple[int, tuple[int, ...]]], state: int) -> list[int]:
    parts = []
    while state:
        state, steps = came[state]
        parts.append(steps)
    return [u for steps in reversed(parts) for u in steps]


def _settle(problem: _Problem, order: list[int], peak: int) -> list[int]:
    """The same peak with everything as early as it may be, so that what can die does."""
    settled: list[int] = []
    now = replace(_State.start(problem), peak=peak)
    for u in order:
        now.slide(problem, settled)
        if not now.taken >> u & 1:
            now.take(problem, u)
            settled.append(u)
    return settled


def _greedy(problem: _Problem) -> list[int]:
    """One pass: of what can run, the step that leaves the least alive, and of these the one needing the least."""
    order: list[int] = []
    now = _State.start(problem)
    while now.taken != problem.all:
        _, _, u = min((*reversed(problem.run(now.taken, now.live, u)), u) for u in _bits(now.ready))
        now.take(problem, u)
        order.append(u)
    return order
