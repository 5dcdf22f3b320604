"""Int8 kernels for Arm's DSP extension: two products an instruction."""

from __future__ import annotations

from edgelearn.kernels.base import Entry, Sizes, rows
from edgelearn.kernels.int8 import four_channels, line, padded_lines, terms

POSITIONS = 4  # side by side in a panel


def _four_terms(s: Sizes) -> bool:
    """Weights are read four at a time."""
    return terms(s) >= 4


def _panel(s: Sizes) -> int:
    """Factors of all channels; four positions in 16 bits, of whole groups of four terms; a line of bytes where windows
    are gathered.
    """
    return 12 * s["out_c"] + -(-terms(s) // 4) * 4 * 2 * POSITIONS + line(s)


def _one_position(s: Sizes) -> int:
    return -(-s["in"] // 4) * 4 * 2


TABLE = (
    Entry("conv2d_fwd", "dsp", "kernels/dsp/product_s8.c", _panel, _four_terms, fmt="s8"),
    Entry("dense_fwd", "dsp", "kernels/dsp/product_s8.c", _one_position, _four_terms, fmt="s8"),
    Entry("depthwise_conv2d_fwd", "dsp", "kernels/dsp/depthwise_conv2d_s8.c", padded_lines, four_channels, fmt="s8"),
    *rows("dsp", "add_s8.c", "add_fwd", "sub_fwd", fmt="s8"),
)
