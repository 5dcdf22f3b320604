"""A sum with an operand that repeats over positions, y = x + b, and the gradient of any such bias, a sum over them.

Operands x and b. b has one value, one a channel, or fits any number of x's last axes: a trained or constant bias, or a
map such as (1, 1, C). `bias_bwd` accumulates the gradient of a weight, `bias_bwd_x` computes that of a map.
"""

from __future__ import annotations

from collections.abc import Sequence

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
)
from edgelearn.ops.parts import along, some_columns


def _forward(attrs: Attrs, x: np.ndarray, b: np.ndarray) -> Arrays:
    return ((as_rows(x, b.shape) + b.reshape(-1)).reshape(x.shape),)


def _bias_bwd(attrs: Attrs, dy: np.ndarray) -> Arrays:
    return (dy.reshape(-1, attrs.get("channels", dy.shape[-1])).sum(axis=0),)


def _sums(attrs: Attrs, ins: Sequence[Shape], outs: Sequence[Shape]) -> dict[str, int]:
    """rows and channels of dy, and how far it is from one row to the next: a part of the call takes some channels."""
    sizes = repeat_sums(attrs, ins, outs)
    return {**sizes, "pitch": sizes["channels"]}


def _bwd_x(attrs: Attrs, dy: np.ndarray) -> Arrays:
    shape = attrs["x_shape"]
    return (as_rows(dy, shape).sum(axis=0).reshape(shape),)


def _gradient(node: Node, tape: Tape) -> None:
    x, b = node.inputs
    dy = tape.grad(node.outputs[0])
    tape.pass_grad(x, dy)
    tape.input_grad("bias_bwd_x", b, (dy,), node)
    tape.weight_grad("bias_bwd", b, (dy,), node, channels=count(tape.shape(b)))


OPS = (
    Op(
        "bias", _forward, repeated, repeats, gradient=_gradient, inplace=((0, 0),), weights=(1,), shifts=(1,),
        summary="sum with one value a channel, or with what repeats over positions",
        examples=(
            Example({}, ((3, 5, 7), (7,))),
            Example({}, ((2, 3, 5), (1,))),
            Example({}, ((3, 4, 5), (1, 4, 5))),
            Example({}, ((3, 4, 5), (1, 1, 5)), maps=2),
            Example({}, ((7,), (1, 1, 7)), maps=2),
        ),
        split=along("rows", ("channels", 0), ("channels",)),
    ),
    Op("bias_bwd", _bias_bwd, sizes=_sums, kind=Kind.ACCUMULATE, split=some_columns),
    Op("bias_bwd_x", _bwd_x, sizes=repeat_sums),
)  # fmt: skip
