"""What a setting needs at least, told without planning it: bounds that leave out most of what can't be the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgelearn import methods
from edgelearn.boards import Board
from edgelearn.config import TrainConfig
from edgelearn.costs import node_macs
from edgelearn.graph import Graph, Node, Phase, Role
from edgelearn.memory import aligned
from edgelearn.methods.base import channel_view
from edgelearn.ops import OPS, Kind
from edgelearn.ordering import ARENA_ROLES
from edgelearn.plan import BLOCK, slot_size
from edgelearn.recompute import candidates
from edgelearn.training import training_graph

Weigh = Callable[[Graph, Node], float]  # what a node costs for one sample


@dataclass(frozen=True)
class Sketch:
    """Settings with their exact cost, flash and gain, and the least RAM that any plan of them has, in bytes.

    `ram` holds where nothing is computed twice, `lean` always. `cost` is of one training sample without recomputation.
    `droppable` are bytes of activations and the multiply-accumulates to compute them again, `macs` those of a sample.
    """

    config: TrainConfig
    gain: float
    cost: float
    ram: int
    lean: int
    flash: int
    macs: int
    droppable: tuple[tuple[int, int], ...]
    nodes: int

    @property
    def effort(self) -> int:
        """What a search for recomputation takes, about ms: every choice is scheduled again and again, node by node."""
        return self.nodes**3 * len(self.droppable) // 1_000_000

    def with_recompute(self, share: float) -> int:
        """About the RAM that recomputation for `share` more MACs leads to, rather too little than too much."""
        budget, freed = share * self.macs, 0.0
        for nbytes, macs in self.droppable:
            part = min(1.0, budget / macs) if macs else 1.0
            freed, budget = freed + part * nbytes, budget - part * macs
        return max(self.lean, self.ram - int(freed))


def gain_of(graph: Graph, config: TrainConfig, values: Mapping[str, float]) -> float:
    """The importance of what trains: of a weight of which some channels train, as large a part."""
    choice = methods.choose(graph, config)
    total = 0.0
    for name in choice.trained:
        share = 1.0
        if name in choice.channels:
            view = next(filter(None, (channel_view(graph, node) for node in graph.consumers(name))))
            share = len(choice.channels[name]) / view[0][view[1]]
        total += share * max(values.get(name, 0.0), 0.0)
    return total


def sketch(
    graph: Graph,
    config: TrainConfig,
    board: Board,
    values: Mapping[str, float],
    weigh: Weigh,
    ram: int | None = None,
) -> Sketch:
    """Bounds for one setting; InputError where the model can't be trained like that.

    What no recomputation brings down to `ram` bytes, by default all that the board has, gets no `droppable`.
    """
    derived = training_graph(graph, config, thrifty=False)
    fixed = board.runtime_ram + board.stack + aligned(config.store * slot_size(derived, config), BLOCK)
    params, state = (_block(derived, role) for role in (Role.PARAM, Role.STATE))
    used = {name for node in derived.nodes for name in node.inputs}
    frozen = sum(t.nbytes for t in derived.of_role(Role.CONST) if t.name in used)
    working = _largest_step(derived)
    kept = max(working, _kept(derived))
    lean = fixed + params + state + aligned(working, BLOCK)
    macs = int(_cost(derived, node_macs))
    return Sketch(
        config=config,
        gain=gain_of(graph, config, values),
        cost=macs if weigh is node_macs else _cost(derived, weigh),
        ram=fixed + params + state + aligned(kept, BLOCK),
        lean=lean,
        flash=params + aligned(frozen, BLOCK),
        macs=macs,
        droppable=_droppable(derived) if lean <= (board.ram_bytes if ram is None else ram) else (),
        nodes=len(derived.nodes),
    )


def _cost(graph: Graph, weigh: Weigh) -> float:
    return sum(weigh(graph, n) for n in graph.nodes)


def _droppable(graph: Graph) -> tuple[tuple[int, int], ...]:
    """What can be dropped and what it costs to make it again from what else is kept, most bytes a MAC first."""
    makers = {out: n for n in graph.nodes if n.phase is Phase.FORWARD for out in n.outputs}
    choices = candidates(graph)
    kept = {t.name for t in choices} | set(graph.inputs)
    found = []
    for tensor in choices:
        macs, todo, seen = 0, [tensor.name], {tensor.name}
        while todo:
            maker = makers[todo.pop()]
            macs += node_macs(graph, maker)
            more = {n for n in maker.inputs if n in makers} - kept - seen
            todo, seen = [*todo, *sorted(more)], seen | more
        found.append((tensor.nbytes, macs))
    return tuple(sorted(found, key=lambda item: item[1] / item[0]))


def _block(graph: Graph, role: Role) -> int:
    return aligned(sum(aligned(t.nbytes) for t in graph.of_role(role)), BLOCK)


def _kept(graph: Graph) -> int:
    """What is alive together between the forward and the backward pass."""
    made = {n for node in graph.nodes if node.phase is Phase.FORWARD for n in node.outputs} | set(graph.inputs)
    read = {n for node in graph.nodes if node.phase is Phase.BACKWARD for n in node.inputs}
    return sum(aligned(graph.tensors[n].nbytes) for n in made & read)


def _largest_step(graph: Graph) -> int:
    """What the step with the largest operands touches; an output that may take its input's place counts once."""
    most = 0
    for node in graph.nodes:
        names = {n for n in (*node.inputs, *node.outputs) if n and graph.tensors[n].role in ARENA_ROLES}
        shared = {node.outputs[k] for k, _ in OPS[node.op].inplace if k < len(node.outputs)}
        names -= shared if OPS[node.op].kind is Kind.PURE else set()
        most = max(most, sum(aligned(graph.tensors[n].nbytes) for n in names))
    return most
