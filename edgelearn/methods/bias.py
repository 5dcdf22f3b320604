"""Method `bias`: biases and the shifts of norms.

The gradient of a shift is a sum of the gradient behind it: no layer keeps its input, and what an activation keeps is
what its own derivative needs, one bit an element for a ReLU.
"""

from __future__ import annotations

from collections.abc import Sequence

from edgelearn.config import TrainConfig
from edgelearn.graph import Graph, Node
from edgelearn.methods.base import Choice, Method, shifts


def choose(graph: Graph, nodes: Sequence[Node], config: TrainConfig) -> Choice:
    """All trainable shifts of the nodes."""
    return Choice({shift for node in nodes for shift in shifts(graph, node)})


METHOD = Method("biases and shifts of norms; weights stay", choose)
