"""Permutation of a map's three axes, where memory really moves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgelearn.graph import Node
from edgelearn.ops.base import Arrays, Attrs, Example, Op, Shape, Tape


def infer(attrs: Attrs, shapes: Sequence[Shape]) -> list[Shape]:
    """The output's shape."""
    return [tuple(shapes[0][axis] for axis in attrs["perm"])]


def sizes(attrs: Attrs, ins: Sequence[Shape], outs: Sequence[Shape]) -> dict[str, int]:
    """The fields of `el_transpose`."""
    x = ins[0]
    strides = (x[1] * x[2], x[2], 1)
    dims = dict(zip(("d0", "d1", "d2"), outs[0], strict=True))
    return dims | {f"s{k}": strides[axis] for k, axis in enumerate(attrs["perm"])}


def forward(attrs: Attrs, x: np.ndarray) -> Arrays:
    """The numpy truth."""
    return (np.ascontiguousarray(x.transpose(attrs["perm"])),)


def _gradient(node: Node, tape: Tape) -> None:
    inverse = tuple(int(axis) for axis in np.argsort(node.attrs["perm"]))
    tape.input_grad("transpose", node.inputs[0], (tape.grad(node.outputs[0]),), node, perm=inverse)


OPS = (
    Op(
        "transpose", forward, infer, sizes, "el_transpose", gradient=_gradient,
        examples=(Example({"perm": (2, 0, 1)}, ((3, 4, 5),)), Example({"perm": (1, 0, 2)}, ((3, 7, 2),))),
        summary="permutation of a map's axes",
    ),
)  # fmt: skip
