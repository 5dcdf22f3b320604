"""Smooth gates: SiLU, GELU in both of its forms, and softplus. Backward keeps the input.

* silu: y = x * sigmoid(x)
* gelu: y = x * P(x), P the share of a standard normal distribution below x
* gelu_tanh: y = x * sigmoid(2 u), u = sqrt(2 / pi) * (x + 0.044715 x^3)
* softplus: y = log(1 + exp(x)) (Hendrycks and Gimpel, 2016, name the two forms of GELU)
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from edgelearn.graph import Node
from edgelearn.ops.base import Arrays, Attrs, Example, Op, Tape, count_sizes, same_shape
from edgelearn.ops.smooth import sigmoid

EXAMPLES = (Example({}, ((2, 3, 5),)), Example({}, ((17,),)))
ROOT, CUBE = math.sqrt(2 / math.pi), 0.044715
_tail = np.vectorize(lambda x: 0.5 * math.erfc(-x / math.sqrt(2)), otypes=[np.float64])


def normal(x: np.ndarray) -> np.ndarray:
    """The share of a standard normal distribution below each x, in x's precision."""
    return np.asarray(_tail(x), x.dtype)


def _silu(attrs: Attrs, x: np.ndarray) -> Arrays:
    return (x * sigmoid(x),)


def _silu_bwd(attrs: Attrs, x: np.ndarray, dy: np.ndarray) -> Arrays:
    s = sigmoid(x)
    return (dy * s * (1 + x * (1 - s)),)


def _gelu(attrs: Attrs, x: np.ndarray) -> Arrays:
    return (x * normal(x),)


def _gelu_bwd(attrs: Attrs, x: np.ndarray, dy: np.ndarray) -> Arrays:
    kind = x.dtype.type
    return (dy * (normal(x) + x * kind(1 / math.sqrt(2 * math.pi)) * np.exp(-x * x / 2)),)


def _gate(x: np.ndarray) -> np.ndarray:
    kind = x.dtype.type
    return sigmoid(kind(2 * ROOT) * (x + kind(CUBE) * x * x * x))


def _gelu_tanh(attrs: Attrs, x: np.ndarray) -> Arrays:
    return (x * _gate(x),)


def _gelu_tanh_bwd(attrs: Attrs, x: np.ndarray, dy: np.ndarray) -> Arrays:
    kind, s = x.dtype.type, _gate(x)
    return (dy * s * (1 + x * (1 - s) * kind(2 * ROOT) * (1 + kind(3 * CUBE) * x * x)),)


def _softplus(attrs: Attrs, x: np.ndarray) -> Arrays:
    return (np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),)


def _softplus_bwd(attrs: Attrs, x: np.ndarray, dy: np.ndarray) -> Arrays:
    return (dy * sigmoid(x),)


def _pair(name: str, forward: Callable[..., Arrays], backward: Callable[..., Arrays], summary: str) -> tuple[Op, Op]:
    """An op and its gradient, which reads the input."""

    def gradient(node: Node, tape: Tape) -> None:
        tape.input_grad(f"{name}_bwd", node.inputs[0], (node.inputs[0], tape.grad(node.outputs[0])), node)

    return (
        Op(
            name, forward, same_shape, count_sizes, gradient=gradient, inplace=((0, 0),), examples=EXAMPLES,
            summary=summary,
        ),
        Op(f"{name}_bwd", backward, None, count_sizes, inplace=((0, 0), (0, 1))),
    )  # fmt: skip


OPS = (
    *_pair("silu", _silu, _silu_bwd, "x sigmoid(x), also called swish"),
    *_pair("gelu", _gelu, _gelu_bwd, "GELU"),
    *_pair("gelu_tanh", _gelu_tanh, _gelu_tanh_bwd, "GELU, the form with tanh"),
    *_pair("softplus", _softplus, _softplus_bwd, "log(1 + exp(x))"),
)
