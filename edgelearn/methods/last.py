"""Method `last`: the weights of the last layer that has any."""

from __future__ import annotations

from edgelearn.graph import Graph
from edgelearn.methods.everything import trainable


def select(graph: Graph, choice: str = "last") -> set[str]:
    """The trainable weights of the last node that has some."""
    for node in reversed(graph.nodes):
        if weights := trainable(graph, node):
            return set(weights)
    return set()
