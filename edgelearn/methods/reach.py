"""Which layers a method may touch: `--train all|last|LAYERS` or `--blocks N`."""

from __future__ import annotations

import difflib

from edgelearn.config import TrainConfig
from edgelearn.errors import InputError
from edgelearn.graph import Graph, Node
from edgelearn.methods.base import trainable


def reach(graph: Graph, config: TrainConfig) -> list[Node]:
    """The nodes that the user named, in the graph's order; InputError for a layer that does not exist."""
    if config.train == "all":
        return list(graph.nodes)
    return last_layer(graph) if config.train == "last" else _named(graph, config.train)


def last_layer(graph: Graph) -> list[Node]:
    """The last layer of the user's file that has trainable weights; it may have become several nodes."""
    held = [node for node in graph.nodes if trainable(graph, node)]
    return [node for node in held if node is held[-1] or (node.origin.file and node.origin == held[-1].origin)]


def _named(graph: Graph, choice: str) -> list[Node]:
    """The layers of a comma-separated list; a name is a node of the graph or of the user's file.

    Where a node of the file became several, `gru` and `gru_input`, the first name stands for both.
    """
    layers: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if trainable(graph, node):
            names = [node.name, *(other.name for other in graph.nodes if _part(node, other)), node.origin.node]
            for name in dict.fromkeys(filter(None, names)):
                layers.setdefault(name, []).append(node)
    chosen: list[Node] = []
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
        chosen += layers[name]
    return [node for node in graph.nodes if node in chosen]


def _part(node: Node, whole: Node) -> bool:
    """Whether a node stands beside another one that came from the same node of the file and gave it its name."""
    return bool(node.origin.file) and node.origin == whole.origin and node.name.startswith(f"{whole.name}_")
