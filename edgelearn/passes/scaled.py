"""Attaches the optimizer where gradients are halves: no gradient that is not finite ever reaches a weight.

Each gradient is a tensor of its own, never added straight to a weight or a momentum: it is looked at as a whole, and
once one is not finite, nothing is updated until the loss scale has been halved. With batch 1 and no clipping a weight
is updated as soon as its gradient is there, so that gradients die early: those nearer the output have then taken their
whole step, with a finite gradient, and no weight ever takes part of one. Otherwise all gradients are looked at before
the first update, and it is all or nothing.
"""

from __future__ import annotations

from dataclasses import replace

from edgelearn.formats import F16, F32
from edgelearn.graph import Graph, Node, Phase, Role, Tensor
from edgelearn.ops.half import SUFFIX
from edgelearn.passes.update import RULES

MOMENTS = ("adam", "adamw")  # rules whose state stays float32: the mean of squares of small gradients is no half


def attach_scaled(graph: Graph, rule: str, *, clip: bool, at_random: bool, every: int) -> Graph:
    """The graph with UPDATE nodes for every trained weight that gets a gradient; others become CONST.

    `at_random`: weights in halves are rounded stochastically. The loss scale doubles after `every` clean updates.
    """
    return _Updater(graph, rule, clip, at_random).run(every)


class _Updater:
    def __init__(self, graph: Graph, rule: str, clip: bool, at_random: bool) -> None:
        self.graph, self.rule, self.clip, self.at_random = graph, RULES[rule], clip, at_random
        self.moments = rule in MOMENTS
        self.batch = int(graph.meta["batch"])
        self.scaling = str(graph.meta["scaling"])
        self.tensors = dict(graph.tensors)
        self.nodes = list(graph.nodes)

    def run(self, every: int) -> Graph:
        found = [w for w in self.graph.of_role(Role.PARAM) if self._last(w) >= 0]
        for weight in self.graph.of_role(Role.PARAM):
            if self._last(weight) < 0:
                self.tensors[weight.name] = replace(weight, role=Role.CONST)
        # In the order in which gradients are ready, so that each update can come right behind its own.
        found.sort(key=self._last)
        grads = [(weight, *self._gradient(weight)) for weight in found]
        checks = [[*casts, self._check(name)] for _, name, casts in grads]
        steps = [[self._step(weight, name, k)] for k, (weight, name, _) in enumerate(grads, 1)]
        if self.batch == 1 and not self.clip:
            updates = [node for pair in zip(checks, steps, strict=True) for part in pair for node in part]
        else:
            clips = self._clips([name for _, name, _ in grads]) if self.clip else []
            updates = [n for part in (*checks, clips, *steps, self._zeros(found)) for n in part]
        last = Node("loss_scale_step", "next_scale", (), (self.scaling,), {"every": every}, Phase.UPDATE)
        return self.graph.replace(tensors=self.tensors, nodes=[*self.nodes, *updates, last])

    def _last(self, weight: Tensor) -> int:
        """The last node that adds to a weight's gradient; -1 if there is none."""
        grad = f"{weight.name}_grad"
        return max((k for k, n in enumerate(self.graph.nodes) if grad in n.outputs), default=-1)

    def _gradient(self, weight: Tensor) -> tuple[str, list[Node]]:
        """The name of a weight's gradient in halves, and the cast that one in float32 needs."""
        grad = self.tensors[f"{weight.name}_grad"]
        if self.batch == 1:
            first = next(k for k, n in enumerate(self.nodes) if grad.name in n.outputs)
            self.nodes.insert(first, self._zero(grad, Phase.BACKWARD))
        else:
            self.tensors[grad.name] = replace(grad, role=Role.STATE)
        if grad.format is F16:
            return grad.name, []
        name = f"{grad.name}{SUFFIX}"
        self.tensors[name] = Tensor(name, grad.shape, Role.GRAD, F16)
        return name, [Node("narrow", f"{name}_narrow", (grad.name,), (name,), {}, Phase.UPDATE)]

    def _zero(self, grad: Tensor, phase: Phase) -> Node:
        op = "zero" + SUFFIX if grad.format is F16 else "zero"
        return Node(op, f"{grad.name}_zero", (), (grad.name,), {"shape": grad.shape}, phase)

    def _zeros(self, weights: list[Tensor]) -> list[Node]:
        if self.batch == 1:
            return []
        return [self._zero(self.tensors[f"{w.name}_grad"], Phase.UPDATE) for w in weights]

    def _check(self, grad: str) -> Node:
        return Node("finite_step" + SUFFIX, f"{grad}_finite", (grad,), (self.scaling,), {}, Phase.UPDATE)

    def _clips(self, grads: list[str]) -> list[Node]:
        norm = self.graph.unique("grad_norm2")
        self.tensors[norm] = Tensor(norm, (1,), Role.STATE)
        sums = [Node("sumsq_step" + SUFFIX, f"{g}_sumsq", (g,), (norm,), {}, Phase.UPDATE) for g in grads]
        return [*sums, Node("clip_step", "clip", (), (norm,), {}, Phase.UPDATE)]

    def _step(self, weight: Tensor, grad: str, salt: int) -> Node:
        half = weight.format is F16
        state = [f"{weight.name}_{suffix}" for suffix in self.rule.state]
        fmt = F32 if self.moments else weight.format
        for name in state:
            self.tensors[name] = Tensor(name, weight.shape, Role.STATE, fmt)
        rule = self.rule.step if half else self.rule.step.replace("_step", "_mixed_step")
        attrs = {"salt": salt if half and self.at_random else 0}
        outputs = (weight.name, *state)
        return Node(rule + SUFFIX, f"{weight.name}_update", (grad, self.scaling), outputs, attrs, Phase.UPDATE)
