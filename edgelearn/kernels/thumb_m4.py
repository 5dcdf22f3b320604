"""Register tiles in assembler for Cortex-M cores with an FPU."""

from __future__ import annotations

from edgelearn.kernels.base import Entry
from edgelearn.kernels.product import Tile, conv2d

TABLE: tuple[Entry, ...] = (*conv2d("thumb_m4", Tile(5, (4,))),)
