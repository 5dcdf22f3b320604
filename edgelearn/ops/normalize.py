"""Normalisations with true statistics of each sample: layer_norm and instance_norm.

Operands x, gamma, beta (may be left out); attribute `epsilon`. y = (x - mean) / sqrt(var + epsilon) * gamma + beta.

* layer_norm: statistics over the last axes, as many as gamma has elements; gamma and beta have one value for each.
* instance_norm: statistics over all positions of each channel; gamma and beta have one value a channel.

With h = (x - mean) / std and g = dL/dy * gamma: dL/dx = (g - mean(g) - h * mean(g * h)) / std, means over whatever the
statistics are taken over. The backward pass takes the statistics again from x, so only x is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgelearn.graph import Node
from edgelearn.ops.base import (
    Arrays,
    Attrs,
    Example,
    Kind,
    Op,
    Shape,
    Tape,
    as_rows,
    count,
    repeat_sums,
    repeated,
    repeats,
)  # fmt: skip

# Over which axis of (rows, channels) the statistics go.
AXES = {"layer_norm": 1, "instance_norm": 0}


def _infer(op: str) -> Callable[[Attrs, Sequence[Shape]], list[Shape]]:
    def rule(attrs: Attrs, shapes: Sequence[Shape]) -> list[Shape]:
        x, gamma, *rest = shapes
        short = gamma != x[-1:] if op == "instance_norm" else count(gamma) == 1 < x[-1]
        if short or any(shape is not None and count(shape) != count(gamma) for shape in rest):
            raise ValueError(f"parameters {(gamma, *rest)} do not fit {x}")
        return repeated(attrs, shapes)

    return rule


def _normal(x: np.ndarray, epsilon: float, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Normalised values and 1 / std."""
    mean = x.mean(axis=axis, keepdims=True)
    inv_std = 1 / np.sqrt(np.square(x - mean).mean(axis=axis, keepdims=True) + x.dtype.type(epsilon))
    return (x - mean) * inv_std, inv_std


def _forward(axis: int) -> Callable[..., Arrays]:
    def compute(attrs: Attrs, x: np.ndarray, gamma: np.ndarray, beta: np.ndarray | None = None) -> Arrays:
        h, _ = _normal(as_rows(x, gamma.shape), attrs["epsilon"], axis)
        y = h * gamma.reshape(-1) + (0 if beta is None else beta.reshape(-1))
        return (y.reshape(x.shape),)

    return compute


def _bwd_x(axis: int) -> Callable[..., Arrays]:
    def compute(attrs: Attrs, x: np.ndarray, dy: np.ndarray, gamma: np.ndarray) -> Arrays:
        h, inv_std = _normal(as_rows(x, gamma.shape), attrs["epsilon"], axis)
        g = as_rows(dy, gamma.shape) * gamma.reshape(-1)
        means = g.mean(axis=axis, keepdims=True), (g * h).mean(axis=axis, keepdims=True)
        return (((g - means[0] - h * means[1]) * inv_std).reshape(x.shape),)

    return compute


def _bwd_w(axis: int) -> Callable[..., Arrays]:
    def compute(attrs: Attrs, x: np.ndarray, dy: np.ndarray) -> Arrays:
        h, _ = _normal(x.reshape(-1, attrs["channels"]), attrs["epsilon"], axis)
        return ((h * dy.reshape(h.shape)).sum(axis=0),)

    return compute


def _gradient(node: Node, tape: Tape) -> None:
    x, gamma, beta = node.inputs
    dy, channels = tape.grad(node.outputs[0]), count(tape.shape(gamma))
    tape.input_grad(f"{node.op}_bwd_x", x, (x, dy, gamma), node)
    tape.weight_grad(f"{node.op}_bwd_w", gamma, (x, dy), node, channels=channels)
    tape.weight_grad("bias_bwd", beta, (dy,), node, channels=channels)


def _example(x: Shape, n: Shape, beta: bool = True) -> Example:
    return Example({"epsilon": 1e-2}, (x, n, n if beta else None))


EXAMPLES = {
    "layer_norm": (_example((3, 5, 7), (7,)), _example((2, 3, 5), (2, 3, 5)), _example((11,), (11,), beta=False)),
    "instance_norm": (_example((3, 5, 7), (7,)), _example((1, 9, 4), (4,), beta=False)),
}
SUMMARIES = {
    "layer_norm": "layer normalisation over the last axes, statistics of the sample",
    "instance_norm": "instance normalisation, statistics of each channel of the sample",
}


def _scalars(attrs: Attrs) -> dict[str, float]:
    return {"epsilon": attrs["epsilon"]}


OPS = tuple(
    op
    for name, axis in AXES.items()
    for op in (
        Op(
            name, _forward(axis), _infer(name), repeats, scalars=_scalars, gradient=_gradient,
            inplace=((0, 0),), weights=(1, 2), shifts=(2,), examples=EXAMPLES[name], summary=SUMMARIES[name],
        ),
        Op(
            f"{name}_bwd_x", _bwd_x(axis), None, lambda a, i, o: repeats(a, (i[0], i[2]), o), scalars=_scalars,
            inplace=((0, 0), (0, 1)),
        ),
        Op(f"{name}_bwd_w", _bwd_w(axis), None, repeat_sums, scalars=_scalars, kind=Kind.ACCUMULATE),
    )
)  # fmt: skip
