"""ReLU, ReLU6 and LeakyReLU: y = x < 0 ? slope * x : min(x, max); backward needs one bit, 0 < x < max."""

from __future__ import annotations

import numpy as np

from edgelearn.formats import BIT, F32
from edgelearn.graph import Node
from edgelearn.ops.base import Arrays, Attrs, Example, Op, Tape, count_sizes, same_shape
from edgelearn.ops.parts import elements


def _forward(attrs: Attrs, x: np.ndarray) -> Arrays:
    y = np.where(x < 0, x.dtype.type(attrs["slope"]) * x, np.minimum(x, x.dtype.type(attrs["max"])))
    return y, (x > 0) & (x < attrs["max"])


def _bwd(attrs: Attrs, dy: np.ndarray, mask: np.ndarray) -> Arrays:
    return (np.where(mask, dy, dy.dtype.type(attrs["slope"]) * dy),)


def _gradient(node: Node, tape: Tape) -> None:
    if tape.wants(node.inputs[0]):
        mask = tape.saved(node, 1, "mask")
        tape.input_grad("relu_bwd", node.inputs[0], (tape.grad(node.outputs[0]), mask), node)


OPS = (
    Op(
        "relu", _forward, same_shape, count_sizes, gradient=_gradient, inplace=((0, 0),), formats=(F32, BIT),
        scalars=lambda a: {"slope": float(a["slope"]), "max": float(a["max"])}, summary="ReLU, ReLU6, LeakyReLU",
        examples=(
            Example({"slope": 0.0, "max": np.inf}, ((3, 3, 5),)),
            Example({"slope": 0.0, "max": 6.0}, ((67,),)),
            Example({"slope": 0.125, "max": np.inf}, ((1, 11, 3),)),
        ),
        split=elements(1, 2),
    ),
    Op(
        "relu_bwd", _bwd, None, count_sizes, inplace=((0, 0),), scalars=lambda a: {"slope": float(a["slope"])},
        split=elements(2),
    ),
)  # fmt: skip
