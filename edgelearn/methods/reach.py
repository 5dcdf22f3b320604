"""Which layers a method may touch: `--train all|last|LAYERS|LAYER..` or `--blocks N`."""

from __future__ import annotations

from edgelearn.config import TrainConfig
from edgelearn.errors import InputError, nearest
from edgelearn.graph import Graph, Node, Origin
from edgelearn.methods.base import trainable
from edgelearn.methods.blocks import find_blocks

BEHIND = ".."  # `NAME..` in a list of layers: that one and all behind it


def reach(graph: Graph, config: TrainConfig) -> list[Node]:
    """The nodes that the user named, in the graph's order; InputError for a layer or block that does not exist."""
    if config.blocks:
        return _top(graph, config)
    if config.train == "all":
        return list(graph.nodes)
    return last_layer(graph) if config.train == "last" else _named(graph, config.train)


def _top(graph: Graph, config: TrainConfig) -> list[Node]:
    """All nodes from the beginning of the last N inverted residual blocks on."""
    if config.train != "all":
        raise InputError("layers can be named or counted in blocks, not both", where="--blocks", hint="--train all")
    found = find_blocks(graph)
    if config.blocks > len(found):
        have = f"{len(found)} inverted residual blocks, not {config.blocks}" if found else "no inverted residual block"
        raise InputError(
            f"the model has {have}",
            where="--blocks",
            hint="a block is a depthwise convolution with a 1x1 convolution behind it; --train names single layers",
        )
    return list(graph.nodes[graph.nodes.index(found[-config.blocks].nodes[0]) :])


def last_layer(graph: Graph) -> list[Node]:
    """The last layer of the user's file that has trainable weights; it may have become several nodes."""
    held = [node for node in graph.nodes if trainable(graph, node)]
    return [node for node in held if node is held[-1] or (node.origin.file and node.origin == held[-1].origin)]


def _named(graph: Graph, choice: str) -> list[Node]:
    """The layers of a comma-separated list; a name is a node of the graph or of the user's file, `NAME..` is it and all
    layers behind it.

    Where a node of the file became several, `gru` and `gru_input`, the first name stands for both.
    """
    layers: dict[str, list[Node]] = {}
    origins: dict[Origin, list[Node]] = {}
    for node in graph.nodes:
        origins.setdefault(node.origin, []).append(node)
    for node in graph.nodes:
        if trainable(graph, node):
            names = [node.name, *(o.name for o in origins[node.origin] if _part(node, o)), node.origin.node]
            for name in dict.fromkeys(filter(None, names)):
                layers.setdefault(name, []).append(node)
    chosen: list[Node] = []
    for part in (part.strip() for part in choice.split(",")):
        name = part if part in layers else part.removesuffix(BEHIND)
        if name not in layers:
            own = [node.name for node in graph.nodes if trainable(graph, node)]
            near = nearest(name, layers)
            hint = f"did you mean '{near}'? " if near else ""
            raise InputError(
                f"no layer '{name}' with weights to train",
                where="--train",
                hint=f"{hint}use all, last, or some of: {', '.join(own)}",
            )
        chosen += layers[name] if part == name else graph.nodes[graph.nodes.index(layers[name][0]) :]
    return [node for node in graph.nodes if node in chosen]


def _part(node: Node, whole: Node) -> bool:
    """Whether a node stands beside another one that came from the same node of the file and gave it its name."""
    return bool(node.origin.file) and node.origin == whole.origin and node.name.startswith(f"{whole.name}_")
