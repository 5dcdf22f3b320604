"""Order, in-place decisions and lifetimes: which bytes are live at which step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from edgelearn.graph import Graph, Node, Phase, Role
from edgelearn.ops import OPS, Kind
from edgelearn.ordering import ARENA_ROLES, best_order
from edgelearn.passes.update import writes

SUMS = (
    "sumsq_step",
    "sumsq_step_f16",
    "shift_sumsq_step",
    "clip_step",
)  # what every update waits for where gradients are clipped
NOTHING: Mapping[str, int] = MappingProxyType({})


class Program(Enum):
    """The functions of the generated model, in the order in which they run."""

    PREFIX = "prefix"  # of the forward pass, up to the cut; empty where no cut is needed
    FORWARD = "forward"
    LOSS = "loss"
    BACKWARD = "backward"
    UPDATE = "update"


PROGRAMS = {phase: Program(phase.value) for phase in Phase}


@dataclass(frozen=True)
class Step:
    """One kernel call."""

    index: int
    node: Node
    program: Program


@dataclass(frozen=True)
class Buffer:
    """Bytes of the arena that live from step `first` to step `last`, both included; first -1: before the first step.

    `tensors` share it one after another (in-place ops); `name` is the first of them. A kernel's scratch has none.
    """

    name: str
    tensors: tuple[str, ...]
    nbytes: int
    first: int
    last: int


@dataclass(frozen=True)
class Schedule:
    """All steps in order and the arena buffers that they need; `exact` if no other order needs less at its fullest."""

    graph: Graph
    steps: tuple[Step, ...]
    buffers: tuple[Buffer, ...]
    exact: bool = True

    def live(self, index: int) -> list[Buffer]:
        """The buffers alive during a step."""
        return [b for b in self.buffers if b.first <= index <= b.last]


def _program(graph: Graph, node: Node, batch: int) -> Program:
    if node.name in graph.meta.get("prefix", ()):
        return Program.PREFIX
    return Program.BACKWARD if node.phase is Phase.UPDATE and batch == 1 else PROGRAMS[node.phase]


def _hoist(nodes: list[Node]) -> list[Node]:
    """Move each UPDATE node to right behind the last node that it depends on, so that gradients die early."""
    ordered = [n for n in nodes if n.phase is not Phase.UPDATE]
    clips = any(n.op == "clip_step" for n in nodes)
    for node in (n for n in nodes if n.phase is Phase.UPDATE):
        touched, rewritten = {*node.inputs, *node.outputs} - {""}, set(node.outputs)
        # The clip's factor reaches every step through the optimizer's settings, not through a tensor.
        waits = SUMS if clips and node.op not in SUMS else ()
        for place in range(len(ordered), 0, -1):
            other = ordered[place - 1]
            if other.op in waits or not touched.isdisjoint(other.outputs) or not rewritten.isdisjoint(other.inputs):
                break
        else:
            place = len(ordered)
        ordered.insert(place, node)
    return ordered


def order(graph: Graph, scratch: Mapping[str, int] = NOTHING, *, search: bool = True) -> tuple[tuple[Step, ...], bool]:
    """All nodes in the order in which they run, and whether no other order has a smaller peak.

    Without `search` they run as differentiation wrote them, with updates as early as they can be.
    """
    batch = int(graph.meta.get("batch", 1))
    nodes = _hoist(list(graph.nodes)) if batch == 1 else list(graph.nodes)
    programs: dict[Program, list[Node]] = {p: [] for p in Program}
    for node in nodes:
        programs[_program(graph, node, batch)].append(node)
    exact = search
    later = {*graph.outputs, str(graph.meta.get("loss_tensor", ""))}
    for program in (*reversed(Program),) if search else ():
        if program in (Program.BACKWARD, Program.UPDATE):
            found = best_order(graph, programs[program], later - set(graph.outputs), scratch)
        else:
            found = best_order(graph, programs[program], later, scratch)
        programs[program], exact = list(found.nodes), exact and found.exact
        later |= {name for n in found.nodes for name in (*n.inputs, *n.outputs)}
    flat = [(n, p) for p in Program for n in programs[p]]
    return tuple(Step(k, node, program) for k, (node, program) in enumerate(flat)), exact


def _lifetimes(graph: Graph, steps: tuple[Step, ...]) -> dict[str, tuple[int, int]]:
    life: dict[str, tuple[int, int]] = {}
    for name in graph.inputs:
        life[name] = (-1, 0)
    for step in steps:
        for name in (*step.node.inputs, *step.node.outputs):
            if name and graph.tensors[name].role in ARENA_ROLES:
                first, _ = life.get(name, (step.index, 0))
                life[name] = (first, step.index)
    # The runtime reads the prediction after the loss, and the loss before the backward pass.
    before_backward = max((s.index for s in steps if s.node.phase in (Phase.FORWARD, Phase.LOSS)), default=0)
    kept = [*graph.outputs, str(graph.meta.get("loss_tensor", ""))]
    for name in kept:
        if name in life:
            life[name] = (life[name][0], max(life[name][1], before_backward))
    return life


def _aliases(graph: Graph, steps: tuple[Step, ...], life: dict[str, tuple[int, int]]) -> dict[str, str]:
    """Output -> input whose bytes it takes over: an op that allows it, an input that dies there."""
    taken: dict[str, str] = {}
    for step in steps:
        node = step.node
        if OPS[node.op].kind is not Kind.PURE:
            continue
        for out_index, in_index in OPS[node.op].inplace:
            if out_index >= len(node.outputs):
                continue  # an output that only training needs
            out, source = node.outputs[out_index], node.inputs[in_index]
            dies = source in life and life[source][1] == step.index and node.inputs.count(source) == 1
            born = out in life and life[out][0] == step.index
            fits = graph.tensors[source].nbytes == graph.tensors[out].nbytes
            if dies and born and fits and out not in taken and graph.tensors[source].role is not Role.INPUT:
                taken[out] = source
    return taken


def make_schedule(graph: Graph, scratch: Mapping[str, int] = NOTHING, *, search: bool = True) -> Schedule:
    """Order the graph and find every arena tensor's lifetime; `scratch` is what each node's kernel needs, in bytes.

    `search=False` keeps the order in which the nodes were written.
    """
    steps, exact = order(graph, scratch, search=search)
    life = _lifetimes(graph, steps)
    aliases = _aliases(graph, steps, life)
    groups: dict[str, list[str]] = {}
    for name in life:
        root = name
        while root in aliases:
            root = aliases[root]
        groups.setdefault(root, []).append(name)
    buffers = []
    for root, names in groups.items():
        names.sort(key=lambda n: life[n][0])
        first, last = min(life[n][0] for n in names), max(life[n][1] for n in names)
        buffers.append(Buffer(root, tuple(names), graph.tensors[root].nbytes, first, last))
    for step in steps:
        if nbytes := scratch.get(step.node.name, 0):
            buffers.append(Buffer(f"{step.node.name}_scratch", (), nbytes, step.index, step.index))
    return Schedule(graph, steps, tuple(buffers), exact)


def check_order(schedule: Schedule) -> list[str]:
    """Every read that happens before its write, as sentences; empty when all is well."""
    graph, written, wrong = schedule.graph, set(schedule.graph.inputs), []
    for step in schedule.steps:
        held = [n for n in step.node.outputs if writes(step.node) and graph.tensors[n].role is Role.GRAD]
        for name in (*step.node.inputs, *held):
            if name and graph.tensors[name].role in ARENA_ROLES and name not in written:
                wrong.append(f"{step.node.name} reads {name} before it is written")
        written.update(step.node.outputs)
    return wrong
