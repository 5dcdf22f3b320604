"""What a training method is, and what all of them ask of a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgelearn.config import TrainConfig
from edgelearn.graph import Graph, Node
from edgelearn.ops import OPS, Shape


@dataclass(frozen=True)
class Choice:
    """What a method decided about one imported graph, by the graph's own names.

    trained: the tensors that train. channels: for a weight of which only some input channels train, their indices in
    ascending order. replaced: for a node whose derivative is approximated, the op with that derivative.
    """

    trained: set[str]
    channels: Mapping[str, np.ndarray] = field(default_factory=dict)
    replaced: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """One way to train.

    choose(graph, nodes, config) decides for the given nodes of an imported graph, in the graph's order, and changes
    nothing. options are the settings of TrainConfig that it obeys; with `train` or `blocks` among them the user can
    narrow down which nodes it is given.
    """

    summary: str
    choose: Callable[[Graph, Sequence[Node], TrainConfig], Choice]
    options: tuple[str, ...] = ("train", "blocks")


def trainable(graph: Graph, node: Node) -> list[str]:
    """The weights of one node that can be trained and written back into the user's file."""
    return _held(graph, node, OPS[node.op].weights)


def shifts(graph: Graph, node: Node) -> list[str]:
    """Those of them that are added to what the layer computes: a bias, the shift of a norm."""
    return _held(graph, node, OPS[node.op].shifts)


def _held(graph: Graph, node: Node, slots: Sequence[int]) -> list[str]:
    home = graph.meta.get("export")
    names = [node.inputs[k] for k in slots if k < len(node.inputs) and node.inputs[k]]
    held = [name for name in names if graph.tensors[name].data is not None]
    return [name for name in held if home is None or name in home]


def channel_view(graph: Graph, node: Node) -> tuple[tuple[int, ...], int] | None:
    """A shape in which the weights of a convolution or a dense layer have the input's channels as one axis, and that
    axis; of a grouped convolution, the channels of each group. None for other nodes.
    """
    rule = _VIEWS.get(node.op)
    return rule(graph.tensors[node.inputs[0]].shape, graph.tensors[node.inputs[1]].shape) if rule else None


_VIEWS: dict[str, Callable[[Shape, Shape], tuple[Shape, int]]] = {
    "conv2d": lambda x, w: (w, 3),
    "depthwise_conv2d": lambda x, w: ((*w[:2], x[2], w[2] // x[2]), 2),
    "dense": lambda x, w: ((w[0], w[1] // x[-1], x[-1]), 2),
}
