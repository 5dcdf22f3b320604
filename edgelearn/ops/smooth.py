"""Sigmoid and tanh; backward uses the output, so the input need not be kept."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgelearn.graph import Node
from edgelearn.ops.base import Arrays, Attrs, Example, Op, Tape, count_sizes, same_shape

EXAMPLES = (Example({}, ((2, 3, 5),)), Example({}, ((17,),)))


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)) without overflow."""
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1 / (1 + e), e / (1 + e)))


def _gradient(op: str) -> Callable[[Node, Tape], None]:
    def rule(node: Node, tape: Tape) -> None:
        tape.input_grad(op, node.inputs[0], (node.outputs[0], tape.grad(node.outputs[0])), node)

    return rule


def _sigmoid_bwd(attrs: Attrs, y: np.ndarray, dy: np.ndarray) -> Arrays:
    return (dy * y * (1 - y),)


def _tanh_bwd(attrs: Attrs, y: np.ndarray, dy: np.ndarray) -> Arrays:
    return (dy * (1 - y * y),)


OPS = (
    Op(
        "sigmoid", lambda a, x: (sigmoid(x),), same_shape, count_sizes, gradient=_gradient("sigmoid_bwd"),
        inplace=((0, 0),), examples=EXAMPLES, summary="logistic function",
    ),
    Op("sigmoid_bwd", _sigmoid_bwd, None, count_sizes, inplace=((0, 1),)),
    Op(
        "tanh", lambda a, x: (np.tanh(x),), same_shape, count_sizes, gradient=_gradient("tanh_bwd"),
        inplace=((0, 0),), examples=EXAMPLES, summary="hyperbolic tangent",
    ),
    Op("tanh_bwd", _tanh_bwd, None, count_sizes, inplace=((0, 1),)),
)  # fmt: skip
