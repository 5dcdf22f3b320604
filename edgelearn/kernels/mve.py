"""Kernels for Helium, the vectors of Cortex-M55: four floats or eight halves an instruction."""

from __future__ import annotations

from edgelearn.kernels.base import Entry
from edgelearn.kernels.product import Tile, conv2d
from edgelearn.kernels.vector import Vectors, depthwise

VECTOR = 16  # bytes

TABLE: tuple[Entry, ...] = (
    *conv2d("mve", Tile(7, (4,))),
    *depthwise("mve", Vectors(VECTOR)),
)
