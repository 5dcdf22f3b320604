"""Register tiles for RISC-V cores with F, whose 32 registers hold 5 x 4 sums."""

from __future__ import annotations

from edgelearn.kernels.base import Entry
from edgelearn.kernels.product import Tile, conv2d

TABLE: tuple[Entry, ...] = (*conv2d("rvf", Tile(5, (4,))),)
