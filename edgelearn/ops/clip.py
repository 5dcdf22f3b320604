"""Both ends cut off: y = x < low ? low : (x > high ? high : x); backward from the output, dy where low < y < high."""

from __future__ import annotations

import numpy as np

from edgelearn.graph import Node
from edgelearn.ops.base import Arrays, Attrs, Example, Op, Tape, count_sizes, same_shape


def _forward(attrs: Attrs, x: np.ndarray) -> Arrays:
    kind = x.dtype.type
    return (np.clip(x, kind(attrs["low"]), kind(attrs["high"])),)


def _bwd(attrs: Attrs, y: np.ndarray, dy: np.ndarray) -> Arrays:
    kind = y.dtype.type
    return (np.where((y > kind(attrs["low"])) & (y < kind(attrs["high"])), dy, dy.dtype.type(0)),)


def _gradient(node: Node, tape: Tape) -> None:
    y = node.outputs[0]
    tape.input_grad("clip_bwd", node.inputs[0], (y, tape.grad(y)), node)


def _scalars(attrs: Attrs) -> dict[str, float]:
    return {"low": float(attrs["low"]), "high": float(attrs["high"])}


OPS = (
    Op(
        "clip", _forward, same_shape, count_sizes, gradient=_gradient, scalars=_scalars, inplace=((0, 0),),
        summary="both ends cut off",
        examples=(
            Example({"low": -1.0, "high": 1.0}, ((2, 3, 5),)),
            Example({"low": -0.25, "high": 0.75}, ((17,),)),
        ),
    ),
    Op("clip_bwd", _bwd, None, count_sizes, scalars=_scalars, inplace=((0, 1),)),
)  # fmt: skip
