"""Method `all`: every weight that an op can train."""

from __future__ import annotations

from edgelearn.graph import Graph, Node
from edgelearn.ops import OPS


def trainable(graph: Graph, node: Node) -> list[str]:
    """The weights of one node that can be trained and written back into the user's file."""
    home = graph.meta.get("export")
    slots = [node.inputs[k] for k in OPS[node.op].weights if k < len(node.inputs) and node.inputs[k]]
    held = [name for name in slots if graph.tensors[name].data is not None]
    return [name for name in held if home is None or name in home]


def select(graph: Graph, choice: str = "all") -> set[str]:
    """All trainable weights of the graph."""
    return {weight for node in graph.nodes for weight in trainable(graph, node)}
