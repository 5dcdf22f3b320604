"""Softmax and log-softmax over the last axis.

dL/dx = y * (dy - sum dy * y) for softmax, dy - exp(y) * sum dy for log-softmax.
"""

from __future__ import annotations

import numpy as np

from edgelearn.graph import Node
from edgelearn.ops.base import Arrays, Attrs, Example, Op, Tape, row_sizes, same_shape

EXAMPLES = (Example({}, ((7,),)), Example({}, ((1, 3, 5),)))


def log_softmax(x: np.ndarray) -> np.ndarray:
    """x - log(sum(exp(x))) over the last axis, shifted by the maximum."""
    shifted = x - x.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def softmax(x: np.ndarray) -> np.ndarray:
    """exp(x) / sum(exp(x)) over the last axis, shifted by the maximum."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def _softmax_bwd(attrs: Attrs, y: np.ndarray, dy: np.ndarray) -> Arrays:
    return (y * (dy - (dy * y).sum(axis=-1, keepdims=True)),)


def _log_softmax_bwd(attrs: Attrs, y: np.ndarray, dy: np.ndarray) -> Arrays:
    return (dy - np.exp(y) * dy.sum(axis=-1, keepdims=True),)


def _softmax_gradient(node: Node, tape: Tape) -> None:
    tape.input_grad("softmax_bwd", node.inputs[0], (node.outputs[0], tape.grad(node.outputs[0])), node)


def _log_softmax_gradient(node: Node, tape: Tape) -> None:
    tape.input_grad("log_softmax_bwd", node.inputs[0], (node.outputs[0], tape.grad(node.outputs[0])), node)


OPS = (
    Op(
        "softmax", lambda a, x: (softmax(x),), same_shape, row_sizes, gradient=_softmax_gradient,
        inplace=((0, 0),), examples=EXAMPLES, summary="softmax over the channels",
    ),
    Op("softmax_bwd", _softmax_bwd, None, row_sizes, inplace=((0, 1),)),
    Op(
        "log_softmax", lambda a, x: (log_softmax(x),), same_shape, row_sizes, gradient=_log_softmax_gradient,
        inplace=((0, 0),), examples=EXAMPLES, summary="log-softmax over the channels",
    ),
    Op("log_softmax_bwd", _log_softmax_bwd, None, row_sizes, inplace=((0, 1),)),
)  # fmt: skip
