"""2-D convolution of int8 maps with one scale an output channel; the sum and the bias are int32.

y = clamp(y_zero + rescale(b[o] + sum (x - x_zero) * w, multiplier[o], shift[o])); padding counts as x_zero.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from edgelearn.formats import S8
from edgelearn.ops import conv2d, windows
from edgelearn.ops.base import Arrays, Attrs, Op
from edgelearn.ops.fixed_point import rescale, saturate
from edgelearn.ops.parts import conv_forward
from edgelearn.ops.quantized.base import Lowered, Site, offsets, weighted


def _forward(
    attrs: Attrs, x: np.ndarray, w: np.ndarray, b: np.ndarray | None, multiplier: np.ndarray, shift: np.ndarray
) -> Arrays:
    # Sums of integers below 2^53 are exact in float64, in any order.
    centred = x.astype(np.float64) - attrs["x_zero"]
    total = conv2d.forward(attrs, centred, w.astype(np.float64), b)[0].astype(np.int64)
    return (saturate(attrs["y_zero"] + rescale(total, multiplier, shift), attrs["min"], attrs["max"]),)


def rule(site: Site) -> Lowered | None:
    """conv2d with int8 weights [Co, kh, kw, Ci/groups]."""
    return weighted(site, "conv2d_s8", 0)


OPS = (
    Op(
        "conv2d_s8", _forward, conv2d.infer, windows.forward_sizes, windows.STRUCT, offsets, fmt=S8, formats=(S8,),
        macs=conv2d.macs, split=partial(conv_forward, each=3),
    ),
)  # fmt: skip
RULES = {"conv2d": rule}
