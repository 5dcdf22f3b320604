"""Register tiles in assembler for Cortex-M cores with an FPU."""

from __future__ import annotations

from edgelearn.kernels.base import Entry, rows, single
from edgelearn.kernels.product import Tile, conv2d

POSITIONS = Tile(2, (8,), bytes=4096, costs=(25, 150, 1, 30), least=4)
WEIGHTS = Tile(4, (4,), costs=(42, 70, 3, 0))

TABLE: tuple[Entry, ...] = (
    *conv2d("thumb", POSITIONS, steps=("conv2d_fwd", "conv2d_bwd_x")),
    *conv2d("thumb", WEIGHTS, steps=("conv2d_bwd_w",), file="conv2d_weights.c"),
    *rows("thumb", "depthwise_conv2d.c", "depthwise_conv2d_fwd", "depthwise_conv2d_bwd_x", "depthwise_conv2d_bwd_w",
          supports=single, pitched=True),
    *rows("thumb", "dense.c", "dense_fwd", "dense_bwd_x", "dense_bwd_w"),
)  # fmt: skip
