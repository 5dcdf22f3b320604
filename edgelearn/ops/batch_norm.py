"""BatchNorm with frozen statistics: y = (x - mean) * inv_std * gamma + beta, per channel.

With constant statistics dL/dx = gamma * inv_std * dL/dy, dL/dbeta = sum dL/dy and
dL/dgamma = sum dL/dy * (x - mean) * inv_std: training the shift alone needs no stored map.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgelearn.graph import Node
from edgelearn.ops.base import Arrays, Attrs, Example, Kind, Op, Shape, Tape, row_sizes
from edgelearn.ops.parts import along


def _infer(attrs: Attrs, shapes: Sequence[Shape]) -> list[Shape]:
    if any(s != (shapes[0][-1],) for s in shapes[1:]):
        raise ValueError(f"per-channel parameters {shapes[1:]} do not fit {shapes[0][-1]} channels")
    return [shapes[0]]


def _forward(
    attrs: Attrs, x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, mean: np.ndarray, inv_std: np.ndarray
) -> Arrays:
    return ((x - mean) * (inv_std * gamma) + beta,)


def _bwd_x(attrs: Attrs, dy: np.ndarray, gamma: np.ndarray, inv_std: np.ndarray) -> Arrays:
    return (dy * (gamma * inv_std),)


def _bwd_w(attrs: Attrs, x: np.ndarray, dy: np.ndarray, mean: np.ndarray, inv_std: np.ndarray) -> Arrays:
    terms = dy * (x - mean)
    return (terms.reshape(-1, x.shape[-1]).sum(axis=0) * inv_std,)


def _gradient(node: Node, tape: Tape) -> None:
    x, gamma, beta, mean, inv_std = node.inputs
    dy = tape.grad(node.outputs[0])
    tape.input_grad("batch_norm_bwd_x", x, (dy, gamma, inv_std), node)
    tape.weight_grad("batch_norm_bwd_w", gamma, (x, dy, mean, inv_std), node)
    tape.weight_grad("bias_bwd", beta, (dy,), node)


OPS = (
    Op(
        "batch_norm", _forward, _infer, row_sizes, gradient=_gradient, inplace=((0, 0),), weights=(1, 2), shifts=(2,),
        constants=(3, 4), summary="batch normalisation with frozen statistics",
        examples=(
            Example({}, ((3, 5, 7), (7,), (7,), (7,), (7,))),
            Example({}, ((1, 9, 4), (4,), (4,), (4,), (4,))),
            Example({}, ((6,), (6,), (6,), (6,), (6,))),
        ),
        split=along("rows", ("channels", 0, 0, 0, 0), ("channels",)),
    ),
    Op(
        "batch_norm_bwd_x", _bwd_x, None, row_sizes, inplace=((0, 0),),
        split=along("rows", ("channels", 0, 0), ("channels",)),
    ),
    Op("batch_norm_bwd_w", _bwd_w, None, row_sizes, kind=Kind.ACCUMULATE),
)  # fmt: skip
