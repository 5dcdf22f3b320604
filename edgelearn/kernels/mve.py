"""Kernels for Helium, the vectors of Cortex-M55: four floats or eight halves an instruction."""

from __future__ import annotations

from edgelearn.kernels.base import Entry, Sizes, rows
from edgelearn.kernels.product import Tile, conv2d


def _across_channels(s: Sizes) -> bool:
    return s["in_c"] == s["out_c"] and max(s["stride_h"], s["stride_w"]) <= 2 and max(s["k_h"], s["k_w"]) <= 24


TABLE: tuple[Entry, ...] = (
    *conv2d("mve", Tile(7, (4,))),
    *rows("mve", "depthwise_conv2d.c", "depthwise_conv2d_fwd", "depthwise_conv2d_bwd_x", "depthwise_conv2d_bwd_w",
          supports=_across_channels),
)  # fmt: skip
