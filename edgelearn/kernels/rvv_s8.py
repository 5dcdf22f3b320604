"""Int8 kernels for vectors of RISC-V, across channels."""

from __future__ import annotations

from edgelearn.kernels.base import Entry, Sizes, rows
from edgelearn.kernels.int8 import line

POSITIONS = 6  # of a tile


def _windows(s: Sizes) -> int:
    """What each channel's sums start with; the windows of a tile where they are gathered."""
    return 4 * s["out_c"] + line(s, POSITIONS)


def _starts(s: Sizes) -> int:
    return 4 * s["out"]


def _one_each(s: Sizes) -> bool:
    """Without a multiplier."""
    return s["in_c"] == s["out_c"]


TABLE = (
    Entry("conv2d_fwd", "rvv", "kernels/rvv/product_s8.c", _windows, fmt="s8"),
    Entry("dense_fwd", "rvv", "kernels/rvv/product_s8.c", _starts, fmt="s8"),
    *rows("rvv", "depthwise_conv2d_s8.c", "depthwise_conv2d_fwd", fmt="s8", supports=_one_each),
    *rows("rvv", "add_s8.c", "add_fwd", "sub_fwd", fmt="s8"),
    *rows("rvv", "pool_s8.c", "max_pool2d_fwd", "mean_fwd", fmt="s8"),
    *rows("rvv", "elementwise_s8.c", "table_fwd", "quantize_fwd", "dequantize_fwd", fmt="s8"),
)
