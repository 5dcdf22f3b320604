"""Float nets whose frozen part has what int8 has rules for, and a calibrated copy of any net."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgelearn.calibrate import calibrate
from edgelearn.config import TrainConfig
from edgelearn.graph import Graph
from tests.support.nets import Net

CONFIG = TrainConfig(train="last", int8_prefix=True)
SAMPLES = 24


def samples(graph: Graph, count: int = SAMPLES, seed: int = 5) -> np.ndarray:
    """Normal samples (count, *device shape) float32."""
    shape = graph.tensors[graph.inputs[0]].shape
    return np.random.default_rng(seed).normal(size=(count, *shape)).astype(np.float32)


def calibrated(graph: Graph, method: str = "minmax", seen: np.ndarray | None = None) -> Graph:
    """A graph that knows the ranges of its activations."""
    chosen = samples(graph) if seen is None else seen
    return graph.replace(meta={**graph.meta, "ranges": calibrate(graph, chosen, method)})


def wide(seed: int = 0) -> Graph:
    """Convolutions plain, grouped and depthwise, pools, a residual sum, a join, a mean."""
    net = Net((9, 10, 3), "wide", seed)
    net.conv(8, (3, 3), (2, 2), (1, 1, 1, 1))
    net.norm()
    stem = net.relu(limit=6.0)
    net.depthwise((3, 3), (1, 1), (1, 1, 1, 1))
    net.relu()
    net.conv(8, (1, 1))
    total = net.add("add", stem)
    left = net.conv(6, (3, 3), (1, 1), (1, 1, 1, 1), groups=2, x=total)
    right = net.add("hard_swish", x=total)
    net.add("concat", right, x=left, axis=2)
    net.pool("max_pool2d", (2, 2), (2, 2))
    net.relu()
    net.pool("avg_pool2d", (2, 1), (1, 1))
    net.mean()
    net.dense(5)
    return net.graph()


def dense(seed: int = 0) -> Graph:
    """Fully connected layers with functions of one value between them."""
    net = Net((14,), "dense", seed)
    for op, attrs in (
        ("tanh", {}),
        ("sigmoid", {}),
        ("elu", {"alpha": 1.0}),
        ("relu", {"slope": 0.125, "max": np.inf}),
    ):
        net.dense(11)
        net.add(op, **attrs)
    net.dense(3)
    return net.graph()


def norms_first(seed: int = 0) -> Graph:
    """Norms that stand before their convolutions, where nothing can be folded: the sample's own, and one of a sum."""
    net = Net((6, 5, 4), "norms_first", seed)
    net.norm()
    first = net.conv(4, (3, 3), (1, 1), (1, 1, 1, 1))
    net.norm()
    net.relu()
    net.conv(4, (3, 3), (1, 1), (1, 1, 1, 1))
    net.add("add", first)
    net.norm()
    net.relu()
    net.mean()
    net.dense(3)
    return net.graph()


def gated(seed: int = 0) -> Graph:
    """Squeeze and excitation: channels times a gate that comes from their mean; then what is taken out of the whole."""
    net = Net((5, 6, 4), "gated", seed)
    whole = net.conv(6, (3, 3), (1, 1), (1, 1, 1, 1))
    net.mean()
    net.conv(3, (1, 1))
    net.relu()
    net.conv(6, (1, 1))
    gate = net.add("hard_sigmoid", alpha=1 / 6, beta=0.5)
    net.add("mul", gate, x=whole)
    net.add("sub", net.weight("offset", (6,)))
    net.add("pad", pads=(1, 0, 0, 1), value=0.0)
    net.add("slice", axis=2, start=1, stop=5)
    net.add("transpose", perm=(1, 0, 2))
    net.relu()
    net.mean()
    net.dense(3)
    return net.graph()


NETS = {build.__name__: build for build in (wide, dense, norms_first, gated)}


def with_bias(graph: Graph, name: str, bias: np.ndarray) -> Graph:
    """A graph with another value of one constant."""
    return graph.replace(tensors={**graph.tensors, name: replace(graph.tensors[name], data=bias.astype(np.float32))})
