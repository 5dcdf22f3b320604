"""A difference, y = x - b, of two maps of one shape or of a map and what repeats over its leading axes."""

from __future__ import annotations

import numpy as np

from edgelearn.graph import Node
from edgelearn.ops.base import Arrays, Attrs, Example, Op, Tape, as_rows, repeat_sums, repeated, repeats


def _forward(attrs: Attrs, x: np.ndarray, b: np.ndarray) -> Arrays:
    return ((as_rows(x, b.shape) - b.reshape(-1)).reshape(x.shape),)


def _bwd_x(attrs: Attrs, dy: np.ndarray) -> Arrays:
    shape = attrs["x_shape"]
    return (-as_rows(dy, shape).sum(axis=0).reshape(shape),)


def _gradient(node: Node, tape: Tape) -> None:
    x, b = node.inputs
    dy = tape.grad(node.outputs[0])
    tape.pass_grad(x, dy)
    tape.input_grad("sub_bwd_x", b, (dy,), node)


OPS = (
    Op(
        "sub", _forward, repeated, repeats, gradient=_gradient, inplace=((0, 0),),
        summary="difference of two maps, the second may repeat over positions",
        examples=(
            Example({}, ((3, 5, 7), (3, 5, 7)), maps=2),
            Example({}, ((3, 4, 5), (1, 1, 5)), maps=2),
            Example({}, ((11,), (1,)), maps=2),
        ),
    ),
    Op("sub_bwd_x", _bwd_x, sizes=repeat_sums),
)  # fmt: skip
