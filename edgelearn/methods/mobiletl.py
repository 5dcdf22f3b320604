"""Method `mobiletl`: transfer learning of inverted residual blocks (Chiang et al., MobileTL, AAAI 2023).

Convolutions and dense layers train. Of a BatchNorm only the shift does: its input need not be kept, since with constant
statistics and scale its derivative is one factor a channel. The last norm of each block trains its scale too. What an
activation keeps is one bit an element: exactly for ReLU and ReLU6; hard-swish gets MobileTL's signed derivative, 1
where x >= 0 and else 0, under a name of its own (`hard_swish_signed`), unless `--exact-derivative` keeps its input.
"""

from __future__ import annotations

from collections.abc import Sequence

from edgelearn.config import TrainConfig
from edgelearn.errors import InputError
from edgelearn.graph import Graph, Node
from edgelearn.methods.base import Choice, Method, shifts, trainable
from edgelearn.methods.blocks import find_blocks

SIGNED = {"hard_swish": "hard_swish_signed"}


def choose(graph: Graph, nodes: Sequence[Node], config: TrainConfig) -> Choice:
    """Which tensors of the nodes train, and which activations get the signed derivative; InputError without a block."""
    blocks = find_blocks(graph)
    if not blocks:
        raise InputError(
            "the model has no inverted residual block for MobileTL to train",
            where="--method mobiletl",
            hint="a block is a depthwise convolution with a 1x1 convolution behind it; use another --method",
        )
    last = {block.last_norm.name for block in blocks if block.last_norm}
    trained: set[str] = set()
    for node in nodes:
        held = set(trainable(graph, node))
        if node.op == "batch_norm" and node.name not in last:
            held &= set(shifts(graph, node))
        elif _normed(graph, node):
            held -= set(shifts(graph, node))  # the norm's own shift does the same
        trained |= held
    approximate = {} if config.exact_derivative else SIGNED
    replaced = {node.name: approximate[node.op] for node in _behind(graph, trained) if node.op in approximate}
    return Choice(trained, replaced=replaced)


def _normed(graph: Graph, node: Node) -> bool:
    readers = graph.consumers(node.outputs[0])
    return len(readers) == 1 and readers[0].op == "batch_norm"


def _behind(graph: Graph, trained: set[str]) -> list[Node]:
    """The nodes through which a gradient passes."""
    reached, nodes = set(trained), []
    for node in graph.nodes:
        if reached.intersection(node.inputs):
            nodes.append(node)
            reached.update(node.outputs)
    return nodes


METHOD = Method(
    "convolutions and shifts of inverted residual blocks, one bit an activation",
    choose,
    options=("train", "blocks", "exact_derivative"),
)
