"""Method `all`: every weight that an op can train."""

from __future__ import annotations

from edgelearn.graph import Graph, Node
from edgelearn.ops import OPS


def trainable(node: Node) -> list[str]:
    """The weights of one node that can be trained."""
    return [node.inputs[k] for k in OPS[node.op].weights if k < len(node.inputs) and node.inputs[k]]


def select(graph: Graph, choice: str = "all") -> set[str]:
    """All trainable weights of the graph."""
    return {weight for node in graph.nodes for weight in trainable(node)}
