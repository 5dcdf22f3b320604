"""Fully connected layer y = W x + b on the flattened input, W [out, in]."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgelearn.graph import Node
from edgelearn.ops.base import Arrays, Attrs, Example, Kind, Op, Shape, Tape, count
from edgelearn.ops.parts import along, some_inputs


def infer(attrs: Attrs, shapes: Sequence[Shape]) -> list[Shape]:
    """The output's shape; ValueError if operands do not fit each other."""
    x, w = shapes[:2]
    if count(x) != w[1]:
        raise ValueError(f"weights {w} do not fit {count(x)} inputs")
    return [(w[0],)]


def forward(attrs: Attrs, x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None) -> Arrays:
    """The numpy truth."""
    y = w @ x.reshape(-1)
    return (y if b is None else y + b,)


def sizes(attrs: Attrs, ins: Sequence[Shape], outs: Sequence[Shape]) -> dict[str, int]:
    """Inputs and outputs of a forward node."""
    return {"in": count(ins[0]), "out": count(outs[0])}


def _gradient(node: Node, tape: Tape) -> None:
    x, w, b = node.inputs
    dy = tape.grad(node.outputs[0])
    tape.input_grad("dense_bwd_x", x, (dy, w), node)
    tape.weight_grad("dense_bwd_w", w, (x, dy), node)
    tape.weight_grad("bias_bwd", b, (dy,), node)


def macs(s: dict[str, int]) -> int:
    """Multiply-accumulates."""
    return s["in"] * s["out"]


OPS = (
    Op(
        "dense", forward, infer, sizes, gradient=_gradient,
        macs=macs, weights=(1, 2), shifts=(2,), summary="fully connected (Gemm, MatMul + Add)",
        examples=(
            Example({}, ((7,), (5, 7), (5,))),
            Example({}, ((1, 3, 4), (1, 12), None)),
            Example({}, ((33,), (10, 33), (10,))),
        ),
        split=along("out", (0, "in", 1), (1,), 4),
    ),
    Op(
        "dense_bwd_x", lambda a, dy, w: ((dy @ w).reshape(a["x_shape"]),), None,
        lambda a, i, o: {"in": count(o[0]), "out": count(i[0]), "pitch": count(o[0])}, macs=macs, split=some_inputs,
    ),
    Op(
        "dense_bwd_w", lambda a, x, dy: (np.outer(dy, x),), None,
        lambda a, i, o: {"in": count(i[0]), "out": count(i[1])}, kind=Kind.ACCUMULATE, macs=macs,
        split=along("out", (0, 1), ("in",), 4),
    ),
)  # fmt: skip
