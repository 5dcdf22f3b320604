"""Some channels of a map, and a map that is zero but for some channels: each is the other's gradient.

The second operand is their indices, int32, in ascending order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgelearn.graph import Node
from edgelearn.ops.base import Arrays, Attrs, Op, Shape, Tape, count


def _take_infer(attrs: Attrs, shapes: Sequence[Shape]) -> list[Shape]:
    x, index = shapes
    return [(*x[:-1], index[0])]


def _take(attrs: Attrs, x: np.ndarray, index: np.ndarray) -> Arrays:
    return (x[..., index],)


def _take_gradient(node: Node, tape: Tape) -> None:
    x, index = node.inputs
    tape.input_grad("put", x, (tape.grad(node.outputs[0]), index), node, channels=tape.shape(x)[-1])


def _take_sizes(attrs: Attrs, ins: Sequence[Shape], outs: Sequence[Shape]) -> dict[str, int]:
    return {"rows": count(ins[0][:-1]), "channels": ins[0][-1], "part": outs[0][-1]}


def _put_infer(attrs: Attrs, shapes: Sequence[Shape]) -> list[Shape]:
    return [(*shapes[0][:-1], attrs["channels"])]


def _put(attrs: Attrs, x: np.ndarray, index: np.ndarray) -> Arrays:
    y = np.zeros((*x.shape[:-1], attrs["channels"]), x.dtype)
    y[..., index] = x
    return (y,)


def _put_gradient(node: Node, tape: Tape) -> None:
    x, index = node.inputs
    tape.input_grad("take", x, (tape.grad(node.outputs[0]), index), node)


def _put_sizes(attrs: Attrs, ins: Sequence[Shape], outs: Sequence[Shape]) -> dict[str, int]:
    return {"rows": count(ins[0][:-1]), "channels": outs[0][-1], "part": ins[0][-1]}


OPS = (
    Op("take", _take, _take_infer, _take_sizes, gradient=_take_gradient, constants=(1,)),
    Op("put", _put, _put_infer, _put_sizes, gradient=_put_gradient, constants=(1,)),
)
