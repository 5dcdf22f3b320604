"""Method `last`: the weights of the last layer that has any."""

from __future__ import annotations

from collections.abc import Sequence

from edgelearn.config import TrainConfig
from edgelearn.graph import Graph, Node
from edgelearn.methods import full
from edgelearn.methods.base import Choice, Method
from edgelearn.methods.reach import last_layer


def choose(graph: Graph, nodes: Sequence[Node], config: TrainConfig) -> Choice:
    """All trainable weights of the last layer."""
    return full.choose(graph, last_layer(graph), config)


METHOD = Method("the last layer, `--train last`", choose, options=())
