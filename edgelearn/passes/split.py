"""Carries out what a method decided beyond the choice of tensors: parts of weights, and other derivatives.

A layer of which some input channels train becomes a sum, f(x; W) = f(x; W0) + f(x_a; W_a): W0, frozen, is W with zeros
where it trains, x_a are the channels that W_a reads. Only W_a lies in RAM, and only x_a is kept for its gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgelearn.formats import S32
from edgelearn.graph import Graph, Node, Role, Tensor, unique_name
from edgelearn.methods.base import Choice, channel_view
from edgelearn.ops import OPS
from edgelearn.passes.fold import unfold


@dataclass(frozen=True)
class Part:
    """Which elements of `weight` the tensor `name` holds: channels `index` along `axis` of the shape `view` of it."""

    weight: str
    name: str
    view: tuple[int, ...]
    axis: int
    index: np.ndarray

    def of(self, whole: np.ndarray) -> np.ndarray:
        """These elements, with the axes of `view`."""
        return np.take(whole.reshape(self.view), self.index, self.axis)

    def into(self, whole: np.ndarray, values: np.ndarray | float) -> np.ndarray:
        """A copy of `whole` with other values in their place."""
        view = whole.reshape(self.view).copy()
        spot = (slice(None),) * self.axis + (self.index,)
        view[spot] = np.reshape(values, view[spot].shape) if np.ndim(values) else values
        return view.reshape(whole.shape)


def apply_choice(graph: Graph, choice: Choice) -> Graph:
    """A partitioned and lowered graph as the method wants it; meta["parts"] has a Part for each weight split."""
    nodes = [_replaced(node, choice.replaced) for node in graph.nodes]
    graph = graph.replace(nodes=nodes)
    for node in graph.nodes:
        weight = graph.tensors[node.inputs[1]] if len(node.inputs) > 1 and node.inputs[1] else None
        if weight is not None and weight.role is Role.PARAM and weight.name in choice.channels:
            graph = _Split(graph, node, choice.channels[weight.name]).run()
    return graph


def merged(graph: Graph, weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Trained weights with parts put back into the tensors that they are parts of."""
    parts = {part.name: part for part in graph.meta.get("parts", ())}
    whole = {name: value for name, value in weights.items() if name not in parts}
    for name in weights.keys() & parts.keys():
        frozen = graph.tensors[parts[name].weight]
        exact = graph.meta.get("exact", {}).get(frozen.name, frozen.data)
        whole[frozen.name] = parts[name].into(np.asarray(exact), weights[name])
    return whole


def home(graph: Graph, weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Trained weights of a training graph as weights of the imported one."""
    return unfold(graph, merged(graph, weights))


def _replaced(node: Node, ops: Mapping[str, str]) -> Node:
    wanted = ops.get(node.name, "")
    return replace(node, op=wanted) if wanted and OPS[wanted].approximates == node.op else node


class _Split:
    """The steps that take one layer's place."""

    def __init__(self, graph: Graph, node: Node, index: np.ndarray) -> None:
        found = channel_view(graph, node)
        assert found is not None
        self.graph, self.node, self.tensors = graph, node, dict(graph.tensors)
        self.taken = graph.tensors.keys() | {n.name for n in graph.nodes}
        self.part = Part(node.inputs[1], self._claim(f"{node.inputs[1]}_part"), *found, index)
        self.factors: list[str] = []

    def run(self) -> Graph:
        node, part = self.node, self.part
        weight, y = self.tensors[part.weight], self.tensors[node.outputs[0]]
        assert weight.data is not None
        own = part.of(weight.data)
        own = own.reshape(_SHAPES[node.op](weight.shape, own))
        self.tensors[part.name] = Tensor(part.name, own.shape, Role.PARAM, data=own)
        self.tensors[weight.name] = replace(weight, role=Role.CONST, data=part.into(weight.data, 0.0))
        groups = self._channels(node.inputs[0]) // part.view[part.axis] if node.op == "conv2d" else 1
        read = np.arange(groups)[:, None] * part.view[part.axis] + part.index
        take = self._step("take", "take", (node.inputs[0], self._constant("channels", read)), {})
        frozen = replace(node, outputs=(self._claim(f"{y.name}_frozen"),))
        self.tensors[frozen.outputs[0]] = replace(y, name=frozen.outputs[0])
        trained = self._step(node.op, "part", (take.outputs[0], part.name, ""), node.attrs)
        steps = [take, frozen, trained]
        if node.op == "depthwise_conv2d":
            times = node.attrs["multiplier"]
            spread = self._constant("outputs", part.index[:, None] * times + np.arange(times))
            steps.append(self._step("put", "put", (trained.outputs[0], spread), {"channels": y.shape[-1]}))
        ends = (frozen.outputs[0], steps[-1].outputs[0])
        steps.append(Node("add", self._claim(f"{node.name}_sum"), ends, (y.name,), {}, origin=node.origin))
        meta = {**self.graph.meta, "parts": (*self.graph.meta.get("parts", ()), part)}
        meta["factors"] = (*self.graph.meta.get("factors", ()), *self.factors)
        nodes = [n for old in self.graph.nodes for n in (steps if old is node else (old,))]
        return self.graph.replace(tensors=self.tensors, nodes=nodes, meta=meta)

    def _claim(self, name: str) -> str:
        free = unique_name(name, self.taken)
        self.taken = self.taken | {free}
        return free

    def _channels(self, name: str) -> int:
        return self.tensors[name].shape[-1]

    def _constant(self, suffix: str, values: np.ndarray) -> str:
        name = self._claim(f"{self.node.name}_{suffix}")
        self.tensors[name] = Tensor(name, (values.size,), Role.CONST, S32, values.reshape(-1).astype(np.int32))
        self.factors.append(name)
        return name

    def _step(self, op: str, suffix: str, inputs: tuple[str, ...], attrs: Mapping[str, Any]) -> Node:
        infer, shapes = OPS[op].infer, [self.tensors[n].shape if n else None for n in inputs]
        assert infer is not None
        name, out = self._claim(f"{self.node.name}_{suffix}"), self._claim(f"{self.node.name}_{suffix}_out")
        self.tensors[out] = Tensor(out, infer(attrs, shapes)[0], Role.ACT)  # type: ignore[arg-type]  # a bias left out
        return Node(op, name, inputs, (out,), attrs, origin=self.node.origin)


# The shape of a part's tensor: of the whole one's shape and the part with the axes of its view.
_SHAPES: dict[str, Callable[[tuple[int, ...], np.ndarray], tuple[int, ...]]] = {
    "conv2d": lambda w, part: part.shape,
    "depthwise_conv2d": lambda w, part: (*w[:2], part[0, 0].size),
    "dense": lambda w, part: (w[0], part[0].size),
}
