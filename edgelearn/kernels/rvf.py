"""Register tiles in assembler for RISC-V cores with F, whose 32 registers hold 6 x 4 sums."""

from __future__ import annotations

from edgelearn.kernels.base import Entry, rows
from edgelearn.kernels.product import Tile, conv2d

POSITIONS = Tile(6, (4,), bytes=4096, costs=(90, 250, 14, 40), least=4)
WEIGHTS = Tile(6, (4,), costs=(130, 40, 15, 0))

TABLE: tuple[Entry, ...] = (
    *conv2d("rvf", POSITIONS, steps=("conv2d_fwd", "conv2d_bwd_x")),
    *conv2d("rvf", WEIGHTS, steps=("conv2d_bwd_w",), file="conv2d_weights.c"),
    *rows("rvf", "dense.c", "dense_fwd", "dense_bwd_x", "dense_bwd_w"),
)
