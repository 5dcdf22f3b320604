"""The same elements in the same order under another shape, `shape`: costs nothing where it may stay in place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgelearn.graph import Node
from edgelearn.ops.base import Arrays, Attrs, Example, Op, Shape, Tape, count, count_sizes


def infer(attrs: Attrs, shapes: Sequence[Shape]) -> list[Shape]:
    """The output's shape."""
    if count(attrs["shape"]) != count(shapes[0]):
        raise ValueError(f"{shapes[0]} can't take the shape {attrs['shape']}")
    return [tuple(attrs["shape"])]


def forward(attrs: Attrs, x: np.ndarray) -> Arrays:
    """The numpy truth."""
    return (x.reshape(attrs["shape"]),)


def _gradient(node: Node, tape: Tape) -> None:
    x = node.inputs[0]
    tape.input_grad("reshape", x, (tape.grad(node.outputs[0]),), node, shape=tape.shape(x))


OPS = (
    Op(
        "reshape", forward, infer, count_sizes, gradient=_gradient, inplace=((0, 0),),
        examples=(Example({"shape": (2, 3, 4)}, ((24,),)), Example({"shape": (15,)}, ((1, 3, 5),))),
        summary="another shape of the same memory",
    ),
)  # fmt: skip
