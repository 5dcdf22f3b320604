"""Sliding windows over channels-last maps: what convolutions and pools share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgelearn.ops.base import Attrs, Shape

STRUCT = "el_window"


def window_sizes(attrs: Attrs, x: Shape, y: Shape) -> dict[str, int]:
    """The fields of `el_window` for an input map x and an output map y, both (H, W, C)."""
    (kh, kw), (sh, sw), pads = attrs["kernel"], attrs["stride"], attrs["pads"]
    return {
        "in_h": x[0], "in_w": x[1], "in_c": x[2],
        "out_h": y[0], "out_w": y[1], "out_c": y[2],
        "k_h": kh, "k_w": kw, "stride_h": sh, "stride_w": sw,
        "pad_top": pads[0], "pad_left": pads[1],
        "groups": attrs.get("groups", 1), "count_pad": int(attrs.get("count_pad", False)),
        "in_pitch": x[2], "out_pitch": y[2],
    }  # fmt: skip


def forward_sizes(attrs: Attrs, ins: Sequence[Shape], outs: Sequence[Shape]) -> dict[str, int]:
    """`el_window` of a forward node: x is the first input, y the first output."""
    return window_sizes(attrs, ins[0], outs[0])


def bwd_x_sizes(attrs: Attrs, ins: Sequence[Shape], outs: Sequence[Shape]) -> dict[str, int]:
    """`el_window` of an input-gradient node: dy is the first input, dx the first output."""
    return window_sizes(attrs, outs[0], ins[0])


def bwd_w_sizes(attrs: Attrs, ins: Sequence[Shape], outs: Sequence[Shape]) -> dict[str, int]:
    """`el_window` of a weight-gradient node: x and dy are the inputs."""
    return window_sizes(attrs, ins[0], ins[1])


def out_map(attrs: Attrs, x: Shape, channels: int) -> Shape:
    """The output map's shape; ValueError if the window does not fit into the padded input."""
    if len(x) != 3:
        raise ValueError(f"needs a map (H, W, C), got {x}")
    (kh, kw), (sh, sw), (top, left, bottom, right) = attrs["kernel"], attrs["stride"], attrs["pads"]
    h, w = x[0] + top + bottom - kh, x[1] + left + right - kw
    if h < 0 or w < 0:
        raise ValueError(f"the {kh}x{kw} window is larger than the padded {x[0]}x{x[1]} map")
    return (h // sh + 1, w // sw + 1, channels)


def patches(attrs: Attrs, x: np.ndarray, fill: float = 0.0) -> np.ndarray:
    """All windows of x (H, W, C): a read-only view (Ho, Wo, kh, kw, C) of the padded map."""
    top, left, bottom, right = attrs["pads"]
    padded = np.pad(x, ((top, bottom), (left, right), (0, 0)), constant_values=fill)
    views = np.lib.stride_tricks.sliding_window_view(padded, attrs["kernel"], axis=(0, 1))
    (sh, sw) = attrs["stride"]
    return views[::sh, ::sw].transpose(0, 1, 3, 4, 2)


def scatter(attrs: Attrs, windows: np.ndarray, x_shape: Shape) -> np.ndarray:
    """The adjoint of `patches`: adds windows (Ho, Wo, kh, kw, C) back into a map of shape x_shape."""
    top, left, bottom, right = attrs["pads"]
    (sh, sw), (kh, kw) = attrs["stride"], attrs["kernel"]
    ho, wo = windows.shape[:2]
    padded = np.zeros((x_shape[0] + top + bottom, x_shape[1] + left + right, x_shape[2]), windows.dtype)
    for i in range(kh):
        for j in range(kw):
            padded[i : i + sh * ho : sh, j : j + sw * wo : sw] += windows[:, :, i, j]
    return padded[top : top + x_shape[0], left : left + x_shape[1]]
