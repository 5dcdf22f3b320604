"""Piecewise activations: hard_sigmoid, hard_swish, ELU, and PReLU with its trained slope.

* hard_sigmoid (alpha, beta): y = clip(alpha * x + beta, 0, 1); backward from the output: alpha where 0 < y < 1.
* hard_swish: y = x * clip(x + 3, 0, 6) / 6; backward keeps the input: (2x + 3) / 6 between -3 and 3.
* hard_swish_signed: the same function with the derivative of MobileTL (Chiang et al., AAAI 2023), dx = x >= 0 ? dy : 0,
  an approximation that keeps one bit an element.
* elu (alpha > 0): y = x < 0 ? alpha * (exp(x) - 1) : x; backward from the output: y + alpha where y < 0.
* prelu, operands x and slope: y = x < 0 ? slope * x : x. The slope repeats over positions as the operand of `mul` does.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgelearn.formats import BIT, F32
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


def _hard_sigmoid(attrs: Attrs, x: np.ndarray) -> Arrays:
    kind = x.dtype.type
    return (np.clip(kind(attrs["alpha"]) * x + kind(attrs["beta"]), 0, 1),)


def _hard_sigmoid_bwd(attrs: Attrs, y: np.ndarray, dy: np.ndarray) -> Arrays:
    return (np.where((y > 0) & (y < 1), dy.dtype.type(attrs["alpha"]) * dy, 0),)


def _hard_swish(attrs: Attrs, x: np.ndarray) -> Arrays:
    return (np.where(x <= -3, 0, np.where(x >= 3, x, x * (x + 3) / 6)),)


def _hard_swish_bwd(attrs: Attrs, x: np.ndarray, dy: np.ndarray) -> Arrays:
    return (dy * np.where(x <= -3, 0, np.where(x >= 3, 1, (2 * x + 3) / 6)),)


def _hard_swish_signed(attrs: Attrs, x: np.ndarray) -> Arrays:
    return (*_hard_swish(attrs, x), x >= 0)


def _hard_swish_signed_gradient(node: Node, tape: Tape) -> None:
    if tape.wants(node.inputs[0]):
        mask = tape.saved(node, 1, "mask")
        tape.input_grad("hard_swish_signed_bwd", node.inputs[0], (tape.grad(node.outputs[0]), mask), node)


def _elu(attrs: Attrs, x: np.ndarray) -> Arrays:
    return (np.where(x < 0, x.dtype.type(attrs["alpha"]) * np.expm1(np.minimum(x, 0)), x),)


def _elu_bwd(attrs: Attrs, y: np.ndarray, dy: np.ndarray) -> Arrays:
    return (np.where(y < 0, dy * (y + y.dtype.type(attrs["alpha"])), dy),)


def _prelu(attrs: Attrs, x: np.ndarray, slope: np.ndarray) -> Arrays:
    return (np.where(x < 0, (as_rows(x, slope.shape) * slope.reshape(-1)).reshape(x.shape), x),)


def _prelu_bwd_x(attrs: Attrs, x: np.ndarray, dy: np.ndarray, slope: np.ndarray) -> Arrays:
    return (np.where(x < 0, (as_rows(dy, slope.shape) * slope.reshape(-1)).reshape(x.shape), dy),)


def _prelu_bwd_w(attrs: Attrs, x: np.ndarray, dy: np.ndarray) -> Arrays:
    return ((np.minimum(x, 0) * dy).reshape(-1, attrs["channels"]).sum(axis=0),)


def _from(source: str, op: str) -> Callable[[Node, Tape], None]:
    """A gradient rule that reads the node's input or output."""

    def rule(node: Node, tape: Tape) -> None:
        kept = node.inputs[0] if source == "input" else node.outputs[0]
        tape.input_grad(op, node.inputs[0], (kept, tape.grad(node.outputs[0])), node)

    return rule


def _prelu_gradient(node: Node, tape: Tape) -> None:
    x, slope = node.inputs
    dy = tape.grad(node.outputs[0])
    tape.input_grad("prelu_bwd_x", x, (x, dy, slope), node)
    tape.weight_grad("prelu_bwd_w", slope, (x, dy), node, channels=count(tape.shape(slope)))


def _alpha(attrs: Attrs) -> dict[str, float]:
    return {"alpha": attrs["alpha"]}


OPS = (
    Op(
        "hard_sigmoid", _hard_sigmoid, same_shape, count_sizes, gradient=_from("output", "hard_sigmoid_bwd"),
        scalars=lambda a: {"alpha": a["alpha"], "beta": a["beta"]}, inplace=((0, 0),),
        summary="clip(alpha x + beta, 0, 1)",
        examples=(
            Example({"alpha": 0.2, "beta": 0.5}, ((2, 3, 5),)),
            Example({"alpha": 1 / 6, "beta": 0.5}, ((17,),)),
        ),
    ),
    Op("hard_sigmoid_bwd", _hard_sigmoid_bwd, None, count_sizes, scalars=_alpha, inplace=((0, 1),)),
    Op(
        "hard_swish", _hard_swish, same_shape, count_sizes, gradient=_from("input", "hard_swish_bwd"),
        inplace=((0, 0),), summary="x clip(x + 3, 0, 6) / 6",
        examples=(Example({}, ((2, 3, 5),)), Example({}, ((17,),))),
    ),
    Op("hard_swish_bwd", _hard_swish_bwd, None, count_sizes, inplace=((0, 0), (0, 1))),
    Op(
        "hard_swish_signed", _hard_swish_signed, same_shape, count_sizes, gradient=_hard_swish_signed_gradient,
        inplace=((0, 0),), formats=(F32, BIT), approximates="hard_swish",
        examples=(Example({}, ((2, 3, 5),)), Example({}, ((17,),))),
    ),
    Op(
        "hard_swish_signed_bwd", lambda a, dy, mask: (np.where(mask, dy, 0 * dy),), None, count_sizes,
        scalars=lambda a: {"slope": 0.0}, inplace=((0, 0),), calls="relu_bwd",
    ),
    Op(
        "elu", _elu, same_shape, count_sizes, gradient=_from("output", "elu_bwd"), scalars=_alpha, inplace=((0, 0),),
        examples=(Example({"alpha": 1.0}, ((2, 3, 5),)), Example({"alpha": 0.5}, ((17,),))), summary="ELU",
    ),
    Op("elu_bwd", _elu_bwd, None, count_sizes, scalars=_alpha, inplace=((0, 1),)),
    Op(
        "prelu", _prelu, repeated, repeats, gradient=_prelu_gradient, inplace=((0, 0),), weights=(1,),
        examples=(
            Example({}, ((3, 5, 7), (7,))), Example({}, ((2, 3, 4), (1,))), Example({}, ((3, 4, 5), (4, 5))),
        ),
        summary="leaky ReLU with a trained slope, one or one a channel",
    ),
    Op("prelu_bwd_x", _prelu_bwd_x, None, lambda a, i, o: repeats(a, (i[0], i[2]), o), inplace=((0, 0), (0, 1))),
    Op("prelu_bwd_w", _prelu_bwd_w, None, repeat_sums, kind=Kind.ACCUMULATE),
)  # fmt: skip
