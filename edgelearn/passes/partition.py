"""Marks what trains: PARAM for trained weights, CONST for the rest."""

from __future__ import annotations

from dataclasses import replace

from edgelearn.errors import InputError
from edgelearn.graph import Graph, Role


def partition(graph: Graph, trained: set[str]) -> Graph:
    """The graph with the tensors of `trained` as PARAM; InputError if nothing is left to train."""
    if not trained:
        raise InputError("the model has no weights that can be trained", where=graph.name)
    tensors = {
        name: replace(t, role=Role.PARAM if name in trained else Role.CONST) if t.data is not None else t
        for name, t in graph.tensors.items()
    }
    return graph.replace(tensors=tensors)
