"""What a node costs: the shape arguments of its kernel, and its multiply-accumulates."""

from __future__ import annotations

from edgelearn.graph import Graph, Node
from edgelearn.ops import OPS


def step_sizes(graph: Graph, node: Node) -> dict[str, int]:
    """The shape arguments of a node's kernel."""
    ins = [graph.tensors[n].shape if n else () for n in node.inputs]
    outs = [graph.tensors[n].shape for n in node.outputs]
    return OPS[node.op].sizes(node.attrs, ins, outs)


def node_macs(graph: Graph, node: Node) -> int:
    """Multiply-accumulates of one call."""
    return OPS[node.op].macs(step_sizes(graph, node))
