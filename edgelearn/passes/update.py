"""Attaches the optimizer: who holds a gradient, and which step turns it into a new weight.

* batch 1, plain SGD, no clipping: the gradient kernel adds -lr * gradient straight to the weight; no buffer at all.
  The weight must then have been read for the last time; where holding its gradient back lets a large map die earlier
  (`held`), it gets a buffer in the arena.
* momentum without clipping: gradients accumulate straight into the momentum buffer.
* weights that are signed powers of two and move by latents: a gradient buffer; the step turns it into the latents'.
* everything else: a gradient buffer. With batch 1 it lives in the arena for as long as it is needed, else it is state.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from edgelearn.graph import Graph, Node, Phase, Role, Tensor
from edgelearn.ops import OPS, Kind
from edgelearn.passes.shift_latents import Latents, latents_of

MINUS_LR = "-lr"


@dataclass(frozen=True)
class Rule:
    """An update rule: its step op, its state tensors' suffixes, and whether gradients may gather in the first one."""

    step: str
    state: tuple[str, ...] = ()
    gathers: bool = False


RULES = {
    "sgd": Rule("sgd_step"),
    "momentum": Rule("momentum_step", ("velocity",), gathers=True),
    "adam": Rule("adam_step", ("m", "v")),
    "adamw": Rule("adamw_step", ("m", "v")),
}


def attach_updates(
    graph: Graph, rule: str, *, clip: bool, weight_decay: bool, held: frozenset[str] = frozenset()
) -> Graph:
    """The graph with UPDATE nodes for every trained weight that gets a gradient; others become CONST.

    `held`: weights whose gradient goes into a buffer although it could go into the weight.
    """
    return _Updater(graph, rule, clip, weight_decay, held).run()


def may_hold(rule: str, batch: int, *, clip: bool) -> bool:
    """Whether gradients go straight into the weights, so that holding one back is a choice."""
    return RULES[rule].step == "sgd_step" and batch == 1 and not clip


class _Updater:
    def __init__(self, graph: Graph, rule: str, clip: bool, weight_decay: bool, held: frozenset[str]) -> None:
        self.graph, self.rule_name, self.rule = graph, rule, RULES[rule]
        self.clip, self.weight_decay, self.held = clip, weight_decay, held
        self.batch = int(graph.meta["batch"])
        self.latents = latents_of(graph)
        self.tensors = dict(graph.tensors)
        self.updates: list[Node] = []

    def run(self) -> Graph:
        backward = list(self.graph.nodes)
        weights = self.graph.of_role(Role.PARAM)
        for weight in weights:
            backward = self._attach(weight, backward)
        if self.clip:
            norm = self.graph.unique("grad_norm2")
            self.tensors[norm] = Tensor(norm, (1,), Role.STATE)
            sums = [self._sum(w.name, norm) for w in weights if f"{w.name}_grad" in self.tensors]
            self.updates = [*sums, Node("clip_step", "clip", (), (norm,), {}, Phase.UPDATE), *self.updates]
        return self.graph.replace(tensors=self.tensors, nodes=[*backward, *self.updates])

    def _attach(self, weight: Tensor, nodes: list[Node]) -> list[Node]:
        grad = f"{weight.name}_grad"
        sources = [n for n in nodes if grad in n.outputs]
        if not sources:
            self.tensors[weight.name] = replace(weight, role=Role.CONST)
            if weight.name in self.latents:
                del self.tensors[self.latents[weight.name].name]
            return nodes
        if self._in_place(weight, sources):
            del self.tensors[grad]
            return list(self._redirect(nodes, grad, weight))
        latents = self.latents.get(weight.name)
        state = [f"{weight.name}_{suffix}" for suffix in self.rule.state]
        for name in state:
            shape = self.tensors[latents.name].shape if latents else weight.shape
            self.tensors[name] = Tensor(name, shape, Role.STATE)
        step = f"{weight.name}_update"
        if self.rule.gathers and not self.clip and not latents:
            del self.tensors[grad]
            self._step(step, "", weight.name, state)
            return [replace(n, outputs=(state[0],)) if grad in n.outputs else n for n in nodes]
        self._step(step, grad, weight.name, state)
        zero = Node("zero", f"{grad}_zero", (), (grad,), {"shape": weight.shape}, Phase.UPDATE)
        if weight.name in self.held:
            nodes = _first(nodes, sources[0], weight.name)
        if self.batch == 1:
            first = next(k for k, n in enumerate(nodes) if grad in n.outputs)
            return [*nodes[:first], replace(zero, phase=Phase.BACKWARD), *nodes[first:]]
        self.tensors[grad] = replace(self.tensors[grad], role=Role.STATE)
        self.updates.append(zero)
        return nodes

    def _in_place(self, weight: Tensor, sources: list[Node]) -> bool:
        """Whether the gradient may go straight into the weight: nobody reads the weight after it changed."""
        plain = may_hold(self.rule_name, self.batch, clip=self.clip) and weight.name not in self.held
        plain = plain and weight.name not in self.latents
        # The source itself may read the weight: it reads an element before it writes it.
        readers = [n for n in self.graph.nodes if weight.name in n.inputs and n not in sources]
        return plain and len(sources) == 1 and len(readers) <= 2

    def _redirect(self, nodes: list[Node], grad: str, weight: Tensor) -> Iterator[Node]:
        for node in nodes:
            if grad not in node.outputs:
                yield node
                continue
            if self.weight_decay:
                decay = f"{weight.name}_decay"
                yield Node("weight_decay_step", decay, (), (weight.name,), {}, Phase.BACKWARD, node.origin)
            yield replace(node, outputs=(weight.name,), attrs={**node.attrs, "scale": MINUS_LR})

    def _step(self, name: str, grad: str, weight: str, state: list[str]) -> None:
        latents = self.latents.get(weight)
        if latents is None:
            self.updates.append(Node(self.rule.step, name, (grad,), (weight, *state), {}, Phase.UPDATE))
            return
        outputs, step = (weight, latents.name, *state), f"shift_{self.rule.step}"
        self.updates.append(Node(step, name, (grad,), outputs, _attrs(latents), Phase.UPDATE))

    def _sum(self, weight: str, norm: str) -> Node:
        """Squares of a gradient, or of the latents' that it stands for."""
        grad, latents = f"{weight}_grad", self.latents.get(weight)
        if latents is None:
            return Node("sumsq_step", f"{grad}_sumsq", (grad,), (norm,), {}, Phase.UPDATE)
        inputs = (grad, latents.name)
        return Node("shift_sumsq_step", f"{grad}_sumsq", inputs, (norm,), _attrs(latents), Phase.UPDATE)


def _attrs(latents: Latents) -> dict[str, int]:
    return {"k": latents.k}


def _first(nodes: list[Node], source: Node, weight: str) -> list[Node]:
    """The gradient of a weight before the input's gradient: its layer's input then is not needed any longer."""
    rest = [n for n in nodes if n is not source]
    place = next((k for k, n in enumerate(rest) if n.phase is Phase.BACKWARD and weight in n.inputs), None)
    return nodes if place is None else [*rest[:place], source, *rest[place:]]


def writes(node: Node) -> bool:
    """Whether a node rewrites what its outputs held before."""
    return OPS[node.op].kind is not Kind.PURE
