"""Int8 kernels for Helium: 16 products an instruction."""

from __future__ import annotations

from edgelearn.kernels.base import Entry, Sizes, rows
from edgelearn.kernels.int8 import line, sides, terms

OUTPUTS = 16  # of a line of a depthwise convolution at a time
SHORT = 64  # terms of a window of which six are gathered, of longer ones three


def _windows(s: Sizes) -> int:
    """What is added to each channel's sums; the windows of a tile where they are gathered."""
    return 4 * s["out_c"] + line(s, 6 if terms(s) <= SHORT else 3)


def _starts(s: Sizes) -> int:
    return 4 * s["out"]


def _four_by_four(s: Sizes) -> bool:
    """A window of one channel is a vector."""
    return s["in_c"] == s["out_c"] and max(s["k_h"], s["k_w"]) <= 4


def _words(s: Sizes) -> int:
    """Of 16 channels: 21 bytes each, a word for each position that a piece of a line reads and for each of
    its sums.
    """
    along, _, _ = sides(s)
    out, stride = s[f"out_{along}"], s[f"stride_{along}"]
    pieces = -(-out // OUTPUTS)
    piece = -(-out // pieces)
    return 16 * (4 + 1 + 16) + 64 * ((piece - 1) * stride + 4 + piece)


TABLE = (
    Entry("conv2d_fwd", "mve", "kernels/mve/product_s8.c", _windows, fmt="s8"),
    Entry("dense_fwd", "mve", "kernels/mve/product_s8.c", _starts, fmt="s8"),
    Entry("depthwise_conv2d_fwd", "mve", "kernels/mve/depthwise_conv2d_s8.c", _words, _four_by_four, fmt="s8"),
    *rows("mve", "add_s8.c", "add_fwd", "sub_fwd", fmt="s8"),
    *rows("mve", "pool_s8.c", "max_pool2d_fwd", "mean_fwd", fmt="s8"),
    *rows("mve", "elementwise_s8.c", "table_fwd", "dequantize_fwd", fmt="s8"),
)
