"""Products y = x * b with an operand that repeats over positions, and the reciprocal, which makes a quotient of one.

Operands x and b. b has x's shape, or one value, one a channel, or fits any number of x's last axes: another map, a
(1, 1, C) map (squeeze-and-excite), a trained or constant scale. dL/dx = dy * b; dL/db is the sum over positions of
x * dy: `mul_bwd_w` accumulates it for a weight, `mul_bwd_x` computes it for a map.
"""

from __future__ import annotations

import numpy as np

from edgelearn.graph import Node
from edgelearn.ops.base import (
    Arrays,
    Attrs,
    Example,
    Kind,
    Op,
    Tape,
    as_rows,
    count,
    count_sizes,
    repeat_sums,
    repeated,
    repeats,
    same_shape,
)  # fmt: skip


def _forward(attrs: Attrs, x: np.ndarray, b: np.ndarray) -> Arrays:
    return ((as_rows(x, b.shape) * b.reshape(-1)).reshape(x.shape),)


def _bwd_x(attrs: Attrs, x: np.ndarray, dy: np.ndarray) -> Arrays:
    shape = attrs["x_shape"]
    return (as_rows(x * dy, shape).sum(axis=0).reshape(shape),)


def _bwd_w(attrs: Attrs, x: np.ndarray, dy: np.ndarray) -> Arrays:
    return ((x * dy).reshape(-1, attrs["channels"]).sum(axis=0),)


def _gradient(node: Node, tape: Tape) -> None:
    x, b = node.inputs
    dy = tape.grad(node.outputs[0])
    tape.input_grad("mul", x, (dy, b), node)
    if tape.shape(x) == tape.shape(b):
        tape.input_grad("mul", b, (dy, x), node)
    else:
        tape.input_grad("mul_bwd_x", b, (x, dy), node)
    tape.weight_grad("mul_bwd_w", b, (x, dy), node, channels=count(tape.shape(b)))


def _reciprocal_gradient(node: Node, tape: Tape) -> None:
    tape.input_grad("reciprocal_bwd", node.inputs[0], (node.outputs[0], tape.grad(node.outputs[0])), node)


OPS = (
    Op(
        "mul", _forward, repeated, repeats, gradient=_gradient, inplace=((0, 0), (0, 1)), weights=(1,),
        summary="product of two maps, or with one value a channel (squeeze-and-excite, scales)",
        examples=(
            Example({}, ((3, 5, 7), (7,))),
            Example({}, ((2, 3, 5), (1,))),
            Example({}, ((11,), (11,))),
            Example({}, ((3, 5, 7), (3, 5, 7)), maps=2),
            Example({}, ((3, 4, 5), (1, 1, 5)), maps=2),
            Example({}, ((4, 3, 2), (3, 2)), maps=2),
        ),
    ),
    Op("mul_bwd_x", _bwd_x, sizes=repeat_sums),
    Op("mul_bwd_w", _bwd_w, sizes=repeat_sums, kind=Kind.ACCUMULATE),
    Op(
        "reciprocal", lambda a, x: (1 / x,), same_shape, count_sizes, gradient=_reciprocal_gradient, inplace=((0, 0),),
        summary="1 / x, which makes a quotient of a product", examples=(Example({}, ((2, 3, 5),)),),
    ),
    Op("reciprocal_bwd", lambda a, y, dy: (-dy * y * y,), None, count_sizes, inplace=((0, 1),)),
)  # fmt: skip
