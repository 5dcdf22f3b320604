"""A comma-separated list of layers: train these."""

from __future__ import annotations

import difflib

from edgelearn.errors import InputError
from edgelearn.graph import Graph, Node
from edgelearn.methods.everything import trainable


def select(graph: Graph, choice: str) -> set[str]:
    """The weights of the layers named in `choice`; a name is a node of the graph or of the user's file.

    Where a node of the file became several, `gru` and `gru_input`, the first name stands for both.
    """
    layers: dict[str, list[str]] = {}
    for node in graph.nodes:
        if weights := trainable(graph, node):
            names = [node.name, *(other.name for other in graph.nodes if _part(node, other)), node.origin.node]
            for name in dict.fromkeys(filter(None, names)):
                layers.setdefault(name, []).extend(weights)
    chosen: set[str] = set()
    for name in (part.strip() for part in choice.split(",")):
        if name not in layers:
            own = [node.name for node in graph.nodes if trainable(graph, node)]
            near = difflib.get_close_matches(name, layers, n=1)
            hint = f"did you mean '{near[0]}'? " if near else ""
            raise InputError(
                f"no layer '{name}' with weights to train",
                where="--train",
                hint=f"{hint}use all, last, or some of: {', '.join(own)}",
            )
        chosen.update(layers[name])
    return chosen


def _part(node: Node, whole: Node) -> bool:
    """Whether a node stands beside another one that came from the same node of the file and gave it its name."""
    return bool(node.origin.file) and node.origin == whole.origin and node.name.startswith(f"{whole.name}_")
