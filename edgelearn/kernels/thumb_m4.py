"""Register tiles in assembler for Cortex-M cores with an FPU: products and sums apart, which an M4 does faster."""

from __future__ import annotations

from edgelearn.kernels.base import Entry, rows, single
from edgelearn.kernels.product import Tile, conv2d
from edgelearn.kernels.strips import depthwise_f16

POSITIONS = Tile(2, (8,), bytes=4096, costs=(25, 150, 1, 30), least=4)
WEIGHTS = Tile(5, (4,), in_place=True)

# Of halves, which are packed as floats.
HALF_POSITIONS = Tile(8, (8,), bytes=6144, costs=(110, 200, 12, 0), least=4, sums=4096)
HALF_WEIGHTS = Tile(4, (4,), sums=4096)

TABLE: tuple[Entry, ...] = (
    *conv2d("thumb_m4", POSITIONS, steps=("conv2d_fwd", "conv2d_bwd_x")),
    *conv2d("thumb_m4", WEIGHTS, steps=("conv2d_bwd_w",), file="conv2d_weights.c"),
    *conv2d("thumb_m4", HALF_POSITIONS, "f16", ("conv2d_fwd", "conv2d_bwd_x"), "conv2d_f16.c"),
    *conv2d("thumb_m4", HALF_WEIGHTS, "f16", ("conv2d_bwd_w",), "conv2d_weights_f16.c"),
    *depthwise_f16("thumb_m4"),
    *rows("thumb_m4", "depthwise_conv2d.c", "depthwise_conv2d_fwd", "depthwise_conv2d_bwd_x", "depthwise_conv2d_bwd_w",
          supports=single, pitched=True),
    *rows("thumb_m4", "dense.c", "dense_fwd", "dense_bwd_x", "dense_bwd_w"),
    *rows("thumb_m4", "dense_f16.c", "dense_fwd", "dense_bwd_x", "dense_bwd_w", fmt="f16"),
)  # fmt: skip
