"""Method `full`: every weight that an op can train."""

from __future__ import annotations

from collections.abc import Sequence

from edgelearn.config import TrainConfig
from edgelearn.graph import Graph, Node
from edgelearn.methods.base import Choice, Method, trainable


def choose(graph: Graph, nodes: Sequence[Node], config: TrainConfig) -> Choice:
    """All trainable weights of the nodes."""
    return Choice({weight for node in nodes for weight in trainable(graph, node)})


METHOD = Method("all weights", choose)
