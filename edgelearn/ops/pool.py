"""Max and average pooling. Max-pool keeps the winner's index inside its window, one byte an output."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgelearn.formats import F32, U8
from edgelearn.graph import Node
from edgelearn.ops import parts, windows
from edgelearn.ops.base import Arrays, Attrs, Example, Op, Shape, Tape


def infer(attrs: Attrs, shapes: Sequence[Shape]) -> list[Shape]:
    """The output's shape; ValueError if a window may lie in the padding alone."""
    (kh, kw), pads = attrs["kernel"], attrs["pads"]
    if max(pads[0], pads[2]) >= kh or max(pads[1], pads[3]) >= kw:
        raise ValueError(f"padding {pads} is not smaller than the {kh}x{kw} window")
    return [windows.out_map(attrs, shapes[0], shapes[0][2])]


def _max_infer(attrs: Attrs, shapes: Sequence[Shape]) -> list[Shape]:
    kh, kw = attrs["kernel"]
    if kh * kw > 256:
        raise ValueError(f"a {kh}x{kw} max-pool window has more than 256 elements")
    return infer(attrs, shapes)


def _max_forward(attrs: Attrs, x: np.ndarray) -> Arrays:
    win = windows.patches(attrs, x, fill=-np.inf)
    flat = win.reshape(*win.shape[:2], -1, win.shape[4])
    winner = flat.argmax(axis=2)
    y = np.take_along_axis(flat, winner[:, :, None, :], axis=2)[:, :, 0, :]
    return y, winner.astype(np.uint8)


def _max_bwd(attrs: Attrs, dy: np.ndarray, winner: np.ndarray) -> Arrays:
    kh, kw = attrs["kernel"]
    win = np.where(np.arange(kh * kw)[:, None] == winner[:, :, None, :], dy[:, :, None, :], 0).astype(dy.dtype)
    return (windows.scatter(attrs, win.reshape(*dy.shape[:2], kh, kw, -1), attrs["x_shape"]),)


def divisor(attrs: Attrs, x_shape: Shape, dtype: np.dtype) -> np.ndarray:
    """Elements that each output averages over, (Ho, Wo, 1)."""
    ones = windows.patches(attrs, np.ones((*x_shape[:2], 1), dtype), fill=float(attrs["count_pad"]))
    return np.asarray(ones.sum(axis=(2, 3)))


def _avg_forward(attrs: Attrs, x: np.ndarray) -> Arrays:
    return (windows.patches(attrs, x).sum(axis=(2, 3)) / divisor(attrs, x.shape, x.dtype),)


def _avg_bwd(attrs: Attrs, dy: np.ndarray) -> Arrays:
    kh, kw = attrs["kernel"]
    share = dy / divisor(attrs, attrs["x_shape"], dy.dtype)
    win = np.broadcast_to(share[:, :, None, None, :], (*dy.shape[:2], kh, kw, dy.shape[2]))
    return (windows.scatter(attrs, win, attrs["x_shape"]),)


def _max_gradient(node: Node, tape: Tape) -> None:
    if tape.wants(node.inputs[0]):
        winner = tape.saved(node, 1, "winner")
        tape.input_grad("max_pool2d_bwd", node.inputs[0], (tape.grad(node.outputs[0]), winner), node)


def _avg_gradient(node: Node, tape: Tape) -> None:
    tape.input_grad("avg_pool2d_bwd", node.inputs[0], (tape.grad(node.outputs[0]),), node)


def _example(x: Shape, k: Shape, stride: Shape, pads: Shape, count_pad: bool = False) -> Example:
    return Example({"kernel": k, "stride": stride, "pads": pads, "count_pad": count_pad}, (x,))


EXAMPLES = (
    _example((6, 6, 3), (2, 2), (2, 2), (0, 0, 0, 0)),
    _example((5, 7, 4), (3, 3), (2, 2), (1, 1, 1, 1)),
    _example((1, 13, 5), (1, 3), (1, 2), (0, 0, 0, 1)),
    _example((7, 4, 2), (3, 2), (1, 1), (1, 0, 0, 1)),
)
AVG_EXAMPLES = (
    *EXAMPLES,
    _example((5, 7, 4), (3, 3), (2, 2), (1, 1, 1, 1), count_pad=True),
    _example((4, 5, 3), (4, 5), (1, 1), (0, 0, 0, 0)),
)

OPS = (
    Op(
        "max_pool2d", _max_forward, _max_infer, windows.forward_sizes, windows.STRUCT, gradient=_max_gradient,
        formats=(F32, U8), examples=EXAMPLES, summary="max pooling, window up to 256 elements",
    ),
    Op("max_pool2d_bwd", _max_bwd, None, windows.bwd_x_sizes, windows.STRUCT),
    Op(
        "avg_pool2d", _avg_forward, infer, windows.forward_sizes, windows.STRUCT, gradient=_avg_gradient,
        examples=AVG_EXAMPLES, summary="average pooling, global pooling, mean over space", split=parts.pool_forward,
    ),
    Op("avg_pool2d_bwd", _avg_bwd, None, windows.bwd_x_sizes, windows.STRUCT, split=parts.pool_backward),
)  # fmt: skip
