"""Method `last`: the weights of the last layer that has any."""

from __future__ import annotations

from edgelearn.graph import Graph
from edgelearn.methods.everything import trainable


def select(graph: Graph, choice: str = "last") -> set[str]:
    """The trainable weights of the last layer of the user's file that has some; it may have become several nodes."""
    held = [node for node in graph.nodes if trainable(graph, node)]
    own = [node for node in held if node is held[-1] or (node.origin.file and node.origin == held[-1].origin)]
    return {weight for node in own for weight in trainable(graph, node)}
