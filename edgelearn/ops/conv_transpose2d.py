"""Transposed convolutions: the input gradient of a convolution as a forward pass, with that convolution's attributes.

x is what the convolution would give, y what it would read, H = (h - 1) * stride + kernel - pads + output_padding. The
weights are the convolution's: [in, kh, kw, out/groups], and [kh, kw, channels] for the depthwise one. No bias: a `bias`
node follows. The kernels are the convolution's own, in other roles; dL/dx is the convolution of dL/dy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgelearn.graph import Node
from edgelearn.ops import windows
from edgelearn.ops.base import Arrays, Attrs, Example, Op, Shape, Tape
from edgelearn.ops.conv2d import OPS as CONV
from edgelearn.ops.depthwise_conv2d import OPS as DEPTHWISE


def _out(attrs: Attrs, x: Shape, channels: int) -> Shape:
    if len(x) != 3:
        raise ValueError(f"needs a map (H, W, C), got {x}")
    (kh, kw), (sh, sw), (top, left, bottom, right) = attrs["kernel"], attrs["stride"], attrs["pads"]
    more = attrs["output_padding"]
    h, w = (x[0] - 1) * sh + kh - top - bottom + more[0], (x[1] - 1) * sw + kw - left - right + more[1]
    if not (0 <= more[0] < sh and 0 <= more[1] < sw):
        raise ValueError(f"output_padding {more} is not smaller than the stride {attrs['stride']}")
    if h < 1 or w < 1:
        raise ValueError(f"nothing of the output is left between pads {attrs['pads']}")
    return (h, w, channels)


def _infer(attrs: Attrs, shapes: Sequence[Shape]) -> list[Shape]:
    x, w = shapes[:2]
    if w[0] != x[-1] or w[0] % attrs["groups"]:
        raise ValueError(f"weights {w} in {attrs['groups']} groups do not fit {x[-1]} input channels")
    return [_out(attrs, x, w[3] * attrs["groups"])]


def _depthwise_infer(attrs: Attrs, shapes: Sequence[Shape]) -> list[Shape]:
    x, w = shapes[:2]
    if w[2] != x[-1]:
        raise ValueError(f"weights {w} do not fit {x[-1]} input channels")
    return [_out(attrs, x, w[2])]


def _forward(
    backward: Callable[..., Arrays], infer: Callable[[Attrs, Sequence[Shape]], list[Shape]]
) -> Callable[..., Arrays]:
    def compute(attrs: Attrs, x: np.ndarray, w: np.ndarray) -> Arrays:
        (shape,) = infer(attrs, (x.shape, w.shape))
        return backward({**attrs, "x_shape": shape}, x, w)

    return compute


def _gradient(conv: str) -> Callable[[Node, Tape], None]:
    def rule(node: Node, tape: Tape) -> None:
        x, w = node.inputs
        dy = tape.grad(node.outputs[0])
        tape.input_grad(conv, x, (dy, w, ""), node)
        tape.weight_grad(f"{conv}_bwd_w", w, (dy, x), node)

    return rule


def _example(x: Shape, w: Shape, stride: Shape, pads: Shape, more: Shape = (0, 0), groups: int = 0) -> Example:
    own = {"groups": groups} if groups else {"multiplier": 1}
    kernel = w[1:3] if groups else w[:2]
    return Example({"kernel": kernel, "stride": stride, "pads": pads, "output_padding": more, **own}, (x, w))


_BWD, _DEPTHWISE_BWD = CONV[1], DEPTHWISE[1]

OPS = (
    Op(
        "conv_transpose2d", _forward(_BWD.compute, _infer), _infer, windows.bwd_x_sizes, windows.STRUCT,
        gradient=_gradient("conv2d"), macs=_BWD.macs, weights=(1,), calls="conv2d_bwd_x",
        summary="transposed convolution, groups, any stride and padding",
        examples=(
            _example((3, 4, 5), (5, 3, 3, 2), (2, 2), (1, 1, 1, 1), (1, 1), groups=1),
            _example((1, 6, 4), (4, 1, 5, 3), (1, 3), (0, 1, 0, 2), groups=1),
            _example((3, 3, 4), (4, 2, 2, 3), (2, 3), (0, 0, 0, 0), (1, 0), groups=2),
            _example((4, 3, 3), (3, 3, 3, 5), (1, 1), (1, 0, 2, 1), groups=1),
        ),
    ),
    Op(
        "depthwise_conv_transpose2d", _forward(_DEPTHWISE_BWD.compute, _depthwise_infer), _depthwise_infer,
        windows.bwd_x_sizes, windows.STRUCT, gradient=_gradient("depthwise_conv2d"), macs=_DEPTHWISE_BWD.macs,
        weights=(1,), calls="depthwise_conv2d_bwd_x", summary="transposed depthwise convolution",
        examples=(
            _example((3, 4, 5), (3, 3, 5), (2, 2), (1, 1, 1, 1), (1, 1)),
            _example((1, 5, 3), (1, 4, 3), (1, 2), (0, 1, 0, 0)),
        ),
    ),
)  # fmt: skip
