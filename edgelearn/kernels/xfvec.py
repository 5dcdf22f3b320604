"""Halves in pairs, for RISC-V cores with Xfvec: two lanes in a float register."""

from __future__ import annotations

from edgelearn.kernels.base import Entry
from edgelearn.kernels.product import Tile, conv2d

TABLE: tuple[Entry, ...] = (
    *conv2d("xfvec", Tile(6, (4,))),
    *conv2d("xfvec", Tile(6, (8,), row_bytes=2, element_bytes=2), "f16", file="conv2d_f16.c"),
)
