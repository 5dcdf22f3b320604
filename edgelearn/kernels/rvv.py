"""Kernels for RISC-V V, of any vector length: VLEN/32 floats or VLEN/16 halves in a register."""

from __future__ import annotations

from edgelearn.kernels.base import FLOAT, Entry, Sizes, rows
from edgelearn.kernels.product import Tile, conv2d


def _across_channels(s: Sizes) -> bool:
    return s["in_c"] == s["out_c"] and max(s["stride_h"], s["stride_w"]) <= 2 and max(s["k_h"], s["k_w"]) <= 24


def _row_of_columns(s: Sizes) -> int:
    """A row of as many columns as a tile has, 32 with VLEN of 256."""
    return 32 * FLOAT


# Columns of a tile fill a group of four registers. Cores with VLEN of 128 and 256 run the same image.
TABLE: tuple[Entry, ...] = (
    *conv2d("rvv", Tile(7, (16, 32), costs=(70, 250, 2, 60)), steps=("conv2d_fwd", "conv2d_bwd_x")),
    Entry("conv2d_bwd_w", "rvv", "kernels/rvv/conv2d_weights.c", _row_of_columns, pitched=True),
    *rows("rvv", "depthwise_conv2d.c", "depthwise_conv2d_fwd", "depthwise_conv2d_bwd_x", "depthwise_conv2d_bwd_w",
          supports=_across_channels),
    *rows("rvv", "dense.c", "dense_fwd", "dense_bwd_x", "dense_bwd_w", "bias_bwd"),
    *rows("rvv", "activation.c", "relu_fwd", "relu_bwd"),
)  # fmt: skip
