"""Kernels for Helium, the vectors of Cortex-M55: four floats or eight halves an instruction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from edgelearn.kernels.base import Entry
from edgelearn.kernels.product import Tile, conv2d
from edgelearn.kernels.vector import Vectors, depthwise

VECTOR, SCRATCH = 16, 16384  # bytes: of a vector; EL_SCRATCH_BYTES

_FLOATS = Tile(7, (4,), bytes=SCRATCH, costs=(45, 250, 4, 0))
_HALVES = Tile(7, (8,), element_bytes=2, bytes=SCRATCH, costs=(100, 250, 6, 0))


def _halves(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Lanes of halves sum in halves: at most 72 terms in products and 32 in depthwise gradients, then into floats."""
    return (replace(entry, halves=True) for entry in entries)


TABLE: tuple[Entry, ...] = (
    *conv2d("mve", _FLOATS),
    *depthwise("mve", Vectors(VECTOR)),
    *_halves(conv2d("mve", _HALVES, fmt="f16", file="conv2d_f16.c")),
    *_halves(depthwise("mve", Vectors(VECTOR), fmt="f16", file="depthwise_conv2d_f16.c")),
)
