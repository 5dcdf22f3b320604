"""Elementwise sum of two maps: the residual connection, and the sum of two gradients."""

from __future__ import annotations

from collections.abc import Sequence

from edgelearn.graph import Node
from edgelearn.ops.base import Attrs, Example, Op, Shape, Tape, count_sizes
from edgelearn.ops.parts import elements


def _infer(attrs: Attrs, shapes: Sequence[Shape]) -> list[Shape]:
    if shapes[0] != shapes[1]:
        raise ValueError(f"shapes {shapes[0]} and {shapes[1]} differ")
    return [shapes[0]]


def _gradient(node: Node, tape: Tape) -> None:
    dy = tape.grad(node.outputs[0])
    for operand in node.inputs:
        tape.pass_grad(operand, dy)


OPS = (
    Op(
        "add", lambda a, x, y: (x + y,), _infer, count_sizes, gradient=_gradient, inplace=((0, 0), (0, 1)),
        examples=(Example({}, ((3, 5, 7), (3, 5, 7)), maps=2), Example({}, ((11,), (11,)), maps=2)),
        summary="sum of two maps of one shape (residual)", split=elements(2),
    ),
)  # fmt: skip
