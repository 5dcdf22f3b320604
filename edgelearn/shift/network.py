"""A training graph run on many samples at once, in numpy: what a host trains with.

The graph is the device's own, so that a host trains any model that a device could; only BatchNorm differs, which
normalises by the statistics of the batch, as in Ioffe & Szegedy, ICML 2015, algorithm 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from edgelearn.graph import Graph, Node, Phase, Role
from edgelearn.ops import OPS, Kind
from edgelearn.ops.base import count_sizes, repeat_sums, repeats, row_sizes

MOMENTUM = 0.1  # of running statistics, as torch has it
ROWS = (row_sizes, repeats, repeat_sums)  # ops that treat all leading axes alike
SHARED = (Role.PARAM, Role.CONST, Role.STATE)
Values = dict[str, np.ndarray]
Layer = Callable[["Network", Node], None]


@dataclass
class Norm:
    """What the gradient of a norm needs to know of the batch."""

    scaled: np.ndarray  # (x - mean) / std
    inv_std: np.ndarray


class Network:
    """A graph with loss and backward pass, differentiated for a batch of one; its activations have a batch axis here.

    `live` has the norms whose statistics are those of the batch, and run on: the name of their means, and epsilon.
    `values` holds weights and statistics in device layout by name; `grads` the sums of their gradients over a batch.
    """

    def __init__(self, graph: Graph, live: Mapping[str, float] | None = None) -> None:
        self.graph = graph
        self.live = dict(live or {})
        self.values: Values = {}
        self.norms: dict[str, Norm] = {}
        self.training = False
        self._sums = {o for n in graph.nodes if OPS[n.op].kind is Kind.ACCUMULATE for o in n.outputs}
        self._alone = self._sums | {t.name for t in graph.tensors.values() if t.role in SHARED}
        for tensor in graph.tensors.values():
            if tensor.data is not None:
                self.values[tensor.name] = tensor.data.astype(np.float32)

    def forward(self, samples: np.ndarray) -> np.ndarray:
        """Predictions (N, *shape) for samples (N, *shape) in device layout."""
        self.values[self.graph.inputs[0]] = samples
        self._run(Phase.FORWARD)
        return self.values[self.graph.outputs[0]]

    def learn(self, samples: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Predictions and losses (N,) of a batch; the gradients of their mean are in `grads` then."""
        self.training = True
        try:
            predicted = self.forward(samples)
            for name in self.graph.inputs[1:]:
                self.values[name] = targets.reshape(len(targets), *self.graph.tensors[name].shape)
            for name in self._sums:
                self.values[name] = np.zeros(self.graph.tensors[name].shape, np.float32)
            self._run(Phase.LOSS)
            self._run(Phase.BACKWARD)
        finally:
            self.training = False
        return predicted, self.values[str(self.graph.meta["loss_tensor"])][:, 0]

    @property
    def grads(self) -> Values:
        """Gradients of the mean loss of the last batch by the weight's name."""
        size = np.float32(len(self.values[self.graph.inputs[0]]))
        return {name.removesuffix("_grad"): self.values[name] / size for name in sorted(self._sums)}

    def _run(self, phase: Phase) -> None:
        for node in self.graph.nodes:
            if node.phase is phase:
                LAYERS.get(node.op, _any)(self, node)

    def whole(self, node: Node) -> bool:
        """Whether the op computes a batch as it computes one sample: leading axes are all the same to it."""
        op, tensors = OPS[node.op], self.graph.tensors
        first = tensors[node.inputs[0]].shape if node.inputs else ()
        if op.sizes is count_sizes:
            return bool(node.inputs)
        if op.sizes not in ROWS or (op.kind is Kind.PURE and tensors[node.outputs[0]].shape != first):
            return False
        return all((name in self._alone) == (tensors[name].shape != first) for name in node.inputs if name)

    def store(self, node: Node, results: tuple[np.ndarray, ...]) -> None:
        """Keep what a node computed, summed where it accumulates."""
        for name, value in zip(node.outputs, results, strict=False):
            if not name:
                continue
            held = self.values[name] if name in self._sums else None
            self.values[name] = value if held is None else held + value.reshape(held.shape)


def _any(net: Network, node: Node) -> None:
    op, values = OPS[node.op], net.values
    if net.whole(node):
        inputs = [values[name] if name else None for name in node.inputs]
        net.store(node, op.compute(node.attrs, *inputs))
        return
    size = len(values[net.graph.inputs[0]])
    rows = []
    for k in range(size):
        one = [None if not n else values[n] if n in net._alone else values[n][k] for n in node.inputs]
        rows.append(op.compute(node.attrs, *one))
    together = np.sum if op.kind is Kind.ACCUMULATE else np.stack
    net.store(node, tuple(np.asarray(together(column, axis=0)) for column in zip(*rows, strict=True)))


def _dense(net: Network, node: Node) -> None:
    x, w, b = (net.values.get(name) for name in (*node.inputs, "", "")[:3])
    assert x is not None
    assert w is not None
    y = x.reshape(len(x), -1) @ w.T
    net.store(node, (y if b is None else y + b,))


def _dense_bwd_x(net: Network, node: Node) -> None:
    dy, w = (net.values[name] for name in node.inputs)
    dx = dy.reshape(len(dy), -1) @ w
    net.store(node, (dx.reshape(len(dy), *net.graph.tensors[node.outputs[0]].shape),))


def _dense_bwd_w(net: Network, node: Node) -> None:
    x, dy = (net.values[name] for name in node.inputs)
    net.store(node, (dy.reshape(len(dy), -1).T @ x.reshape(len(x), -1),))


def _norm(net: Network, node: Node) -> None:
    epsilon = net.live.get(node.inputs[3])
    if not net.training or epsilon is None:
        return _any(net, node)
    x, gamma, beta, mean, inv_std = (net.values[name] for name in node.inputs)
    rows = x.reshape(-1, x.shape[-1])
    own_mean, own_var = rows.mean(axis=0), rows.var(axis=0)
    own_inv = 1 / np.sqrt(own_var + np.float32(epsilon))
    unbiased = own_var * (len(rows) / max(len(rows) - 1, 1))
    variance = 1 / np.square(inv_std) * (1 - MOMENTUM) + (unbiased + epsilon) * MOMENTUM
    net.values[node.inputs[3]] = (mean * (1 - MOMENTUM) + own_mean * MOMENTUM).astype(np.float32)
    net.values[node.inputs[4]] = (1 / np.sqrt(variance)).astype(np.float32)
    scaled = (x - own_mean) * own_inv
    net.norms[node.inputs[4]] = Norm(scaled, own_inv)
    net.store(node, (scaled * gamma + beta,))
    return None


def _norm_bwd_x(net: Network, node: Node) -> None:
    if node.inputs[2] not in net.norms:
        return _any(net, node)
    dy, gamma, _ = (net.values[name] for name in node.inputs)
    norm = net.norms[node.inputs[2]]
    axes = tuple(range(dy.ndim - 1))
    along = norm.scaled * (dy * norm.scaled).mean(axis=axes)
    net.store(node, (gamma * norm.inv_std * (dy - dy.mean(axis=axes) - along),))
    return None


def _norm_bwd_w(net: Network, node: Node) -> None:
    if node.inputs[3] not in net.norms:
        return _any(net, node)
    dy, scaled = net.values[node.inputs[1]], net.norms[node.inputs[3]].scaled
    net.store(node, ((dy * scaled).reshape(-1, dy.shape[-1]).sum(axis=0),))
    return None


LAYERS: dict[str, Layer] = {
    "dense": _dense,
    "dense_bwd_x": _dense_bwd_x,
    "dense_bwd_w": _dense_bwd_w,
    "batch_norm": _norm,
    "batch_norm_bwd_x": _norm_bwd_x,
    "batch_norm_bwd_w": _norm_bwd_w,
}
