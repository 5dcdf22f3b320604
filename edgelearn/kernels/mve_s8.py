"""Int8 kernels for Helium: 16 products an instruction."""

from __future__ import annotations

from edgelearn.kernels.base import Entry, Sizes, rows
from edgelearn.kernels.int8 import line, sides

POSITIONS = 3  # of a tile


def _windows(s: Sizes) -> int:
    """What each channel's sums start with; the windows of a tile where they are gathered."""
    return 4 * s["out_c"] + line(s, POSITIONS)


def _starts(s: Sizes) -> int:
    return 4 * s["out"]


def _four_by_four(s: Sizes) -> bool:
    """A window of one channel is a vector."""
    return s["in_c"] == s["out_c"] and max(s["k_h"], s["k_w"]) <= 4


def _words(s: Sizes) -> int:
    """Of one channel: a word for each position of a padded line, and as many as a window more; a line of sums."""
    along, width, _ = sides(s)
    return 4 * (width + 4 + s[f"out_{along}"])


TABLE = (
    Entry("conv2d_fwd", "mve", "kernels/mve/product_s8.c", _windows, fmt="s8"),
    Entry("dense_fwd", "mve", "kernels/mve/product_s8.c", _starts, fmt="s8"),
    Entry("depthwise_conv2d_fwd", "mve", "kernels/mve/depthwise_conv2d_s8.c", _words, _four_by_four, fmt="s8"),
    *rows("mve", "add_s8.c", "add_fwd", "sub_fwd", fmt="s8"),
)
