"""Method `sparse`: some input channels of each convolution and dense layer, and the shifts.

Lin et al., On-Device Training Under 256KB Memory, NeurIPS 2022. Of a layer's input only the channels that train
are kept, and only their weights lie in RAM. They are the channels with the largest weights, by the sum of absolute
values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from edgelearn.config import TrainConfig
from edgelearn.graph import Graph, Node, Tensor
from edgelearn.methods.base import Choice, Method, channel_view, shifts, trainable


def choose(graph: Graph, nodes: Sequence[Node], config: TrainConfig) -> Choice:
    """The shifts of the nodes, and ceil(fraction * C) of the C input channels of each layer's weights."""
    trained = {name for node in nodes for name in shifts(graph, node)}
    channels: dict[str, np.ndarray] = {}
    for node in nodes:
        view = channel_view(graph, node)
        if view is None or node.inputs[1] not in trainable(graph, node) or len(graph.consumers(node.inputs[1])) > 1:
            continue
        weight, (shape, axis) = graph.tensors[node.inputs[1]], view
        trained.add(weight.name)
        count = math.ceil(config.fraction * shape[axis])
        if count < shape[axis]:
            sizes = _sizes(weight).reshape(shape).sum(axis=tuple(k for k in range(len(shape)) if k != axis))
            channels[weight.name] = np.sort(np.argsort(-sizes, kind="stable")[:count]).astype(np.int32)
    return Choice(trained, channels)


def _sizes(weight: Tensor) -> np.ndarray:
    """Absolute values of what the weight stands for."""
    value = np.asarray(weight.data, np.float64)
    if weight.quant is None:
        return np.abs(value)
    shape = [-1 if k == weight.quant.axis else 1 for k in range(value.ndim)]
    scale, zero = (np.reshape(part, shape) for part in (weight.quant.scale, weight.quant.zero_point))
    return np.asarray(np.abs(scale * (value - zero)))


METHOD = Method(
    "a fraction of each layer's input channels, and the shifts", choose, options=("train", "blocks", "fraction")
)
