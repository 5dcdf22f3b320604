"""2-D convolution with groups; a 1-D convolution is one with height 1.

y[p, q, o] = b[o] + sum over i, j, c of x[p*sh + i - top, q*sw + j - left, g*Cg + c] * w[o, i, j, c]
with g the group of channel o; weights are [Co, kh, kw, Ci/groups].
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
    if w[3] * attrs["groups"] != x[2] or w[0] % attrs["groups"]:
        raise ValueError(f"weights {w} in {attrs['groups']} groups do not fit {x[2]} input channels")
    return [windows.out_map(attrs, x, w[0])]


def grouped(attrs: Attrs, x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Windows (P, G, k*k*Cg) and weights (G, Co/G, k*k*Cg)."""
    groups = attrs["groups"]
    win = windows.patches(attrs, x)
    ho, wo, kh, kw, channels = win.shape
    split = win.reshape(ho * wo, kh * kw, groups, channels // groups).transpose(0, 2, 1, 3)
    return split.reshape(ho * wo, groups, -1), w.reshape(groups, w.shape[0] // groups, -1)


def forward(attrs: Attrs, x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None) -> Arrays:
    """The numpy truth."""
    rows, weights = grouped(attrs, x, w)
    ho, wo, co = windows.out_map(attrs, x.shape, w.shape[0])
    y = np.einsum("pgk,gok->pgo", rows, weights, optimize=True).reshape(ho, wo, co)
    return (y if b is None else y + b,)


def _bwd_x(attrs: Attrs, dy: np.ndarray, w: np.ndarray) -> Arrays:
    groups, (ho, wo, co) = attrs["groups"], dy.shape
    kh, kw = attrs["kernel"]
    d = dy.reshape(ho * wo, groups, co // groups)
    win = np.einsum("pgo,gok->pgk", d, w.reshape(groups, co // groups, -1), optimize=True)
    win = win.reshape(ho, wo, groups, kh, kw, w.shape[3]).transpose(0, 1, 3, 4, 2, 5)
    return (windows.scatter(attrs, win.reshape(ho, wo, kh, kw, -1), attrs["x_shape"]),)


def _bwd_w(attrs: Attrs, x: np.ndarray, dy: np.ndarray) -> Arrays:
    groups, (ho, wo, co) = attrs["groups"], dy.shape
    kh, kw = attrs["kernel"]
    shape = (co, kh, kw, x.shape[2] // groups)
    rows, _ = grouped(attrs, x, np.empty(shape))
    d = dy.reshape(ho * wo, groups, co // groups)
    return (np.einsum("pgo,pgk->gok", d, rows, optimize=True).reshape(shape),)


def _gradient(node: Node, tape: Tape) -> None:
    x, w, b = node.inputs
    dy = tape.grad(node.outputs[0])
    tape.input_grad("conv2d_bwd_x", x, (dy, w), node)
    tape.weight_grad("conv2d_bwd_w", w, (x, dy), node)
    tape.weight_grad("bias_bwd", b, (dy,), node)


def macs(s: dict[str, int]) -> int:
    """Multiply-accumulates."""
    return s["out_h"] * s["out_w"] * s["out_c"] * s["k_h"] * s["k_w"] * s["in_c"] // s["groups"]


def _example(x: Shape, co: int, k: Shape, stride: Shape, pads: Shape, groups: int = 1, bias: bool = True) -> Example:
    attrs = {"kernel": k, "stride": stride, "pads": pads, "groups": groups}
    return Example(attrs, (x, (co, *k, x[2] // groups), (co,) if bias else None))


EXAMPLES = (
    _example((5, 7, 3), 4, (3, 3), (1, 1), (1, 1, 1, 1)),
    _example((1, 17, 6), 9, (1, 5), (1, 2), (0, 2, 0, 2)),
    _example((6, 6, 4), 6, (3, 2), (2, 3), (0, 0, 1, 1), groups=2, bias=False),
    _example((7, 5, 5), 7, (1, 1), (1, 1), (0, 0, 0, 0)),
    _example((9, 9, 2), 3, (3, 3), (2, 2), (0, 0, 1, 1)),
    _example((4, 5, 3), 1, (4, 5), (1, 1), (0, 0, 0, 0), bias=False),
    _example((3, 3, 13), 11, (3, 3), (1, 1), (2, 2, 2, 2)),
)

OPS = (
    Op(
        "conv2d", forward, infer, windows.forward_sizes, windows.STRUCT, gradient=_gradient, macs=macs,
        weights=(1, 2), shifts=(2,), examples=EXAMPLES,
        summary="2-D and 1-D convolution, groups, any stride and padding", split=parts.conv_forward,
    ),
    Op(
        "conv2d_bwd_x", _bwd_x, None, windows.bwd_x_sizes, windows.STRUCT, macs=macs, split=parts.conv_backward_x,
    ),
    Op(
        "conv2d_bwd_w", _bwd_w, None, windows.bwd_w_sizes, windows.STRUCT, kind=Kind.ACCUMULATE, macs=macs,
        split=parts.conv_backward_w,
    ),
)  # fmt: skip
