"""Kernels for RISC-V V, of any vector length: VLEN/32 floats or VLEN/16 halves in a register."""

from __future__ import annotations

from edgelearn.kernels.base import Entry
from edgelearn.kernels.product import Tile, conv2d

# Columns of a tile fill a group of four registers. Cores with VLEN of 128 and 256 run the same image.
TABLE: tuple[Entry, ...] = (*conv2d("rvv", Tile(7, (16, 32))),)
