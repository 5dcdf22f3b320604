"""Depthwise convolution with a channel multiplier m: output channel o reads input channel o // m.

y[p, q, o] = b[o] + sum over i, j of x[p*sh + i - top, q*sw + j - left, o // m] * w[i, j, o]
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgelearn.graph import Node
from edgelearn.ops import parts, windows
from edgelearn.ops.base import Arrays, Attrs, Example, Kind, Op, Shape, Tape


def infer(attrs: Attrs, shapes: Sequence[Shape]) -> list[Shape]:
    """The output's shape; ValueError if operands do not fit each other."""
    x, w = shapes[:2]
    if w[2] != x[2] * attrs["multiplier"]:
        raise ValueError(f"weights {w} with multiplier {attrs['multiplier']} do not fit {x[2]} input channels")
    return [windows.out_map(attrs, x, w[2])]


def forward(attrs: Attrs, x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None) -> Arrays:
    """The numpy truth."""
    win = np.repeat(windows.patches(attrs, x), attrs["multiplier"], axis=4)
    y = np.einsum("pqijo,ijo->pqo", win, w)
    return (y if b is None else y + b,)


def _bwd_x(attrs: Attrs, dy: np.ndarray, w: np.ndarray) -> Arrays:
    win = np.einsum("pqo,ijo->pqijo", dy, w)
    win = win.reshape(*win.shape[:4], -1, attrs["multiplier"]).sum(axis=5)
    return (windows.scatter(attrs, win, attrs["x_shape"]),)


def _bwd_w(attrs: Attrs, x: np.ndarray, dy: np.ndarray) -> Arrays:
    win = np.repeat(windows.patches(attrs, x), attrs["multiplier"], axis=4)
    return (np.einsum("pqijo,pqo->ijo", win, dy),)


def _gradient(node: Node, tape: Tape) -> None:
    x, w, b = node.inputs
    dy = tape.grad(node.outputs[0])
    tape.input_grad("depthwise_conv2d_bwd_x", x, (dy, w), node)
    tape.weight_grad("depthwise_conv2d_bwd_w", w, (x, dy), node)
    tape.weight_grad("bias_bwd", b, (dy,), node)


def macs(s: dict[str, int]) -> int:
    """Multiply-accumulates."""
    return s["out_h"] * s["out_w"] * s["out_c"] * s["k_h"] * s["k_w"]


def _example(x: Shape, k: Shape, stride: Shape, pads: Shape, multiplier: int = 1, bias: bool = True) -> Example:
    attrs = {"kernel": k, "stride": stride, "pads": pads, "multiplier": multiplier}
    channels = x[2] * multiplier
    return Example(attrs, (x, (*k, channels), (channels,) if bias else None))


EXAMPLES = (
    _example((5, 7, 3), (3, 3), (1, 1), (1, 1, 1, 1)),
    _example((6, 5, 9), (3, 3), (2, 2), (0, 0, 1, 1)),
    _example((1, 15, 5), (1, 4), (1, 3), (0, 1, 0, 2), bias=False),
    _example((4, 4, 3), (2, 3), (1, 2), (1, 0, 0, 1), multiplier=2),
)

OPS = (
    Op(
        "depthwise_conv2d", forward, infer, windows.forward_sizes, windows.STRUCT, gradient=_gradient, macs=macs,
        weights=(1, 2), shifts=(2,), examples=EXAMPLES, summary="depthwise convolution with a channel multiplier",
        split=parts.depthwise_forward,
    ),
    Op(
        "depthwise_conv2d_bwd_x", _bwd_x, None, windows.bwd_x_sizes, windows.STRUCT, macs=macs,
        split=parts.depthwise_backward_x,
    ),
    Op(
        "depthwise_conv2d_bwd_w", _bwd_w, None, windows.bwd_w_sizes, windows.STRUCT, kind=Kind.ACCUMULATE, macs=macs,
        split=parts.depthwise_backward_w,
    ),
)  # fmt: skip
