"""Constant padding of a map; pads are (top, left, bottom, right)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgelearn.graph import Node
from edgelearn.ops.base import Arrays, Attrs, Example, Op, Shape, Tape

STRUCT = "el_pad"


def infer(attrs: Attrs, shapes: Sequence[Shape]) -> list[Shape]:
    """The output's shape."""
    (h, w, c), (top, left, bottom, right) = shapes[0], attrs["pads"]
    return [(h + top + bottom, w + left + right, c)]


def _fields(attrs: Attrs, x: Shape) -> dict[str, int]:
    top, left, bottom, right = attrs["pads"]
    return {"in_h": x[0], "in_w": x[1], "channels": x[2], "top": top, "left": left, "bottom": bottom, "right": right}


def sizes(attrs: Attrs, ins: Sequence[Shape], outs: Sequence[Shape]) -> dict[str, int]:
    """The fields of `el_pad` of a forward node."""
    return _fields(attrs, ins[0])


def forward(attrs: Attrs, x: np.ndarray) -> Arrays:
    """The numpy truth."""
    top, left, bottom, right = attrs["pads"]
    return (np.pad(x, ((top, bottom), (left, right), (0, 0)), constant_values=attrs["value"]),)


def _bwd(attrs: Attrs, dy: np.ndarray) -> Arrays:
    top, left = attrs["pads"][:2]
    h, w = attrs["x_shape"][:2]
    return (dy[top : top + h, left : left + w],)


def _gradient(node: Node, tape: Tape) -> None:
    tape.input_grad("pad_bwd", node.inputs[0], (tape.grad(node.outputs[0]),), node)


OPS = (
    Op(
        "pad", forward, infer, sizes, STRUCT, lambda a: {"value": float(a["value"])},
        gradient=_gradient, summary="constant padding of a map",
        examples=(
            Example({"pads": (1, 2, 3, 0), "value": 0.0}, ((3, 4, 5),)),
            Example({"pads": (0, 1, 0, 1), "value": -1.5}, ((1, 7, 3),)),
        ),
    ),
    Op("pad_bwd", _bwd, None, lambda a, i, o: _fields(a, o[0]), STRUCT),
)  # fmt: skip
