"""Small graphs built by hand, in device layout, with seeded random weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgelearn.graph import Graph, Layout, Node, Origin, Role, Tensor
from edgelearn.ops import OPS
from edgelearn.verdict import class_count


class Net:
    """Appends nodes one after another; every method returns the name of the tensor it made."""

    def __init__(self, shape: Sequence[int], name: str = "net", seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.name = name
        self.tensors = {"x": Tensor("x", tuple(shape), Role.INPUT)}
        self.nodes: list[Node] = []
        self.last = "x"

    def weight(self, name: str, shape: Sequence[int], scale: float | None = None, shift: float = 0.0) -> str:
        fan_in = np.prod(shape) / max(shape[0], 1) if len(shape) > 1 else 16
        values = self.rng.normal(shift, scale or 1 / np.sqrt(fan_in), shape).astype(np.float32)
        self.tensors[name] = Tensor(name, tuple(shape), Role.CONST, data=values)
        return name

    def add(self, op: str, *weights: str, name: str = "", x: str | None = None, **attrs: Any) -> str:
        name = name or f"{op}{len(self.nodes)}"
        inputs = (x or self.last, *weights)
        shapes = [self.tensors[n].shape if n else None for n in inputs]
        (shape,) = OPS[op].infer(attrs, shapes)
        self.tensors[name] = Tensor(name, shape, Role.ACT)
        self.nodes.append(Node(op, name, inputs, (name,), attrs, origin=Origin(self.name, name, op, len(self.nodes))))
        self.last = name
        return name

    def conv(
        self, co: int, k: Sequence[int], stride: Sequence[int] = (1, 1), pads: Sequence[int] = (0, 0, 0, 0),
        groups: int = 1, bias: bool = True, name: str = "", x: str | None = None,
    ) -> str:  # fmt: skip
        name = name or f"conv{len(self.nodes)}"
        ci = self.tensors[x or self.last].shape[2]
        w = self.weight(f"{name}_weight", (co, *k, ci // groups))
        b = self.weight(f"{name}_bias", (co,)) if bias else ""
        attrs = {"kernel": tuple(k), "stride": tuple(stride), "pads": tuple(pads), "groups": groups}
        return self.add("conv2d", w, b, name=name, x=x, **attrs)

    def depthwise(
        self, k: Sequence[int], stride: Sequence[int] = (1, 1), pads: Sequence[int] = (0, 0, 0, 0), multiplier: int = 1
    ) -> str:
        name = f"depthwise{len(self.nodes)}"
        co = self.tensors[self.last].shape[2] * multiplier
        w = self.weight(f"{name}_weight", (*k, co), scale=0.4)
        b = self.weight(f"{name}_bias", (co,))
        attrs = {"kernel": tuple(k), "stride": tuple(stride), "pads": tuple(pads), "multiplier": multiplier}
        return self.add("depthwise_conv2d", w, b, name=name, **attrs)

    def norm(self) -> str:
        name = f"norm{len(self.nodes)}"
        c = self.tensors[self.last].shape[-1]
        gamma = self.weight(f"{name}_gamma", (c,), 0.2, 1.0)
        beta = self.weight(f"{name}_beta", (c,))
        mean = self.weight(f"{name}_mean", (c,))
        inv_std = self.weight(f"{name}_inv_std", (c,), 0.1, 1.0)
        return self.add("batch_norm", gamma, beta, mean, inv_std, name=name)

    def relu(self, slope: float = 0.0, limit: float = np.inf) -> str:
        return self.add("relu", slope=slope, max=limit)

    def pool(self, op: str, k: Sequence[int], stride: Sequence[int], count_pad: bool = False) -> str:
        return self.add(op, kernel=tuple(k), stride=tuple(stride), pads=(0, 0, 0, 0), count_pad=count_pad)

    def mean(self) -> str:
        return self.pool("avg_pool2d", self.tensors[self.last].shape[:2], (1, 1))

    def dense(self, out: int) -> str:
        name = f"dense{len(self.nodes)}"
        w = self.weight(f"{name}_weight", (out, self.tensors[self.last].count))
        return self.add("dense", w, self.weight(f"{name}_bias", (out,)), name=name)

    def graph(self) -> Graph:
        x, y = self.tensors["x"].shape, self.tensors[self.last].shape
        meta = {
            "input": Layout("x", x, tuple(range(len(x))), x),
            "output": Layout(self.last, y, tuple(range(len(y))), y),
        }
        return Graph(self.name, self.tensors, self.nodes, ("x",), (self.last,), meta)


def mlp(seed: int = 0) -> Graph:
    net = Net((13,), "mlp", seed)
    net.dense(17)
    net.relu()
    net.dense(9)
    net.add("tanh")
    net.dense(5)
    net.add("softmax")
    return net.graph()


def binary_net(seed: int = 0) -> Graph:
    """Two classes behind one sigmoid."""
    net = Net((7,), "binary_net", seed)
    net.dense(6)
    net.relu()
    net.dense(1)
    net.add("sigmoid")
    return net.graph()


def conv1d_net(seed: int = 0) -> Graph:
    net = Net((1, 33, 6), "conv1d_net", seed)
    for channels in (9, 12):
        net.conv(channels, (1, 5), (1, 2), (0, 2, 0, 2), bias=False)
        net.norm()
        net.relu()
    net.pool("max_pool2d", (1, 2), (1, 2))
    net.conv(11, (1, 3), (1, 1), (0, 1, 0, 1))
    net.relu(slope=0.125)
    net.mean()
    net.dense(7)
    return net.graph()


def residual_net(seed: int = 0) -> Graph:
    net = Net((9, 7, 3), "residual_net", seed)
    net.conv(8, (3, 3), (2, 2), (1, 1, 1, 1))
    skip = net.relu()
    net.depthwise((3, 3), (1, 1), (1, 1, 1, 1))
    net.norm()
    net.relu(limit=6.0)
    net.conv(8, (1, 1))
    net.add("add", skip)
    net.relu()
    net.conv(6, (3, 3), (1, 1), (0, 0, 0, 0), groups=2)
    net.add("sigmoid")
    net.mean()
    net.dense(4)
    return net.graph()


def autoencoder(seed: int = 0) -> Graph:
    net = Net((24,), "autoencoder", seed)
    net.dense(8)
    net.relu()
    net.dense(24)
    return net.graph()


def recurrent_net(seed: int = 0) -> Graph:
    """A GRU over a signal, an LSTM backwards over its states, a plain layer, and the last state's class."""
    net = Net((1, 9, 5), "recurrent_net", seed)
    for op, size, gates, attrs in (
        ("gru", 7, 3, {"reverse": False, "linear_before_reset": True}),
        ("lstm", 6, 4, {"reverse": True}),
        ("rnn", 5, 1, {"reverse": False, "relu": False}),
    ):
        net.conv(gates * size, (1, 1), name=f"{op}_input")
        r, b = net.weight(f"{op}_r", (gates * size, size)), net.weight(f"{op}_b", (gates * size,), 0.3)
        net.add(op, r, b, "", *([""] if op == "lstm" else []), name=op, **attrs)
    net.add("slice", axis=1, start=8, stop=9)
    net.dense(4)
    return net.graph()


NETS = {
    "mlp": mlp,
    "binary_net": binary_net,
    "conv1d_net": conv1d_net,
    "residual_net": residual_net,
    "autoencoder": autoencoder,
    "recurrent_net": recurrent_net,
}


def sample(graph: Graph, seed: int, loss: str = "cross-entropy") -> tuple[np.ndarray, np.ndarray | int]:
    """A random input and target for a graph."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=graph.tensors[graph.inputs[0]].shape).astype(np.float32)
    out = graph.tensors[graph.outputs[0]]
    if loss == "mse" and out.shape == x.shape:
        return x, x  # an autoencoder's sample is its own target
    if loss == "mse":
        return x, rng.normal(size=out.shape).astype(np.float32)
    return x, int(rng.integers(class_count(graph)))
