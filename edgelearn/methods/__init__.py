"""Which weights train. A method is one file with a function `select(graph, argument) -> set of tensor names`."""

from __future__ import annotations

from edgelearn.graph import Graph
from edgelearn.methods import everything, last, named

METHODS = {"all": everything.select, "last": last.select}


def select(graph: Graph, choice: str) -> set[str]:
    """The weight tensors that `--train CHOICE` trains; InputError for a layer that does not exist."""
    return METHODS.get(choice, named.select)(graph, choice)
