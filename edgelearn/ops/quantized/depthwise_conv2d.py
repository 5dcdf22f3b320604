"""Depthwise convolution of int8 maps with one scale an output channel; like conv2d_s8."""

from __future__ import annotations

from functools import partial

import numpy as np

from edgelearn.formats import S8
from edgelearn.ops import depthwise_conv2d, windows
from edgelearn.ops.base import Arrays, Attrs, Op
from edgelearn.ops.fixed_point import rescale, saturate
from edgelearn.ops.parts import depthwise_forward
from edgelearn.ops.quantized.base import Lowered, Site, offsets, weighted


def _forward(
    attrs: Attrs, x: np.ndarray, w: np.ndarray, b: np.ndarray | None, multiplier: np.ndarray, shift: np.ndarray
) -> Arrays:
    centred = x.astype(np.float64) - attrs["x_zero"]
    total = depthwise_conv2d.forward(attrs, centred, w.astype(np.float64), b)[0].astype(np.int64)
    return (saturate(attrs["y_zero"] + rescale(total, multiplier, shift), attrs["min"], attrs["max"]),)


def rule(site: Site) -> Lowered | None:
    """depthwise_conv2d with int8 weights [kh, kw, Co]."""
    return weighted(site, "depthwise_conv2d_s8", 2)


OPS = (
    Op(
        "depthwise_conv2d_s8", _forward, depthwise_conv2d.infer, windows.forward_sizes, windows.STRUCT, offsets, fmt=S8,
        formats=(S8,), macs=depthwise_conv2d.macs, split=partial(depthwise_forward, each=3),
    ),
)  # fmt: skip
RULES = {"depthwise_conv2d": rule}
