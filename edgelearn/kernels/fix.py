"""Layers that shift, for cores without an FPU: sums in integers, over terms sorted by their weights' exponents.

The scratch is that of firmware/kernels/shift/taps.h: a patch of the terms of some positions, and the sorted terms of a
block of output channels. Int8 has the same in `blk`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from edgelearn.kernels.base import Entry, Sizes, rows

BYTES, ENDS, TERM = 8192, 16, 16  # EL_TAPS_BYTES, EL_TAP_ENDS, EL_TERM_BYTES
POSITIONS, POSITIONS_INT8 = 2, 8  # side by side in a patch
MOST_TERMS = 65536 // TERM - 1  # where a term begins is 16 bits

Shape = Callable[[Sizes], tuple[int, int, int, int]]  # groups, output channels of one, taps, terms of a tap


def _taps(s: Sizes) -> int:
    return s["k_h"] * s["k_w"]


_SHAPES: dict[str, Shape] = {
    "conv2d_shift_fwd": lambda s: (s["groups"], s["out_c"] // s["groups"], _taps(s), s["in_c"] // s["groups"]),
    "conv2d_shift_bwd_x": lambda s: (s["groups"], s["in_c"] // s["groups"], _taps(s), s["out_c"] // s["groups"]),
    "depthwise_conv2d_shift_fwd": lambda s: (s["in_c"], s["out_c"] // s["in_c"], _taps(s), 1),
    "depthwise_conv2d_shift_bwd_x": lambda s: (s["in_c"], 1, _taps(s), s["out_c"] // s["in_c"]),
    "dense_shift_fwd": lambda s: (1, s["out"], 1, s["in"]),
    "dense_shift_bwd_x": lambda s: (1, s["in"], 1, s["out"]),
}
_INT8 = ("conv2d_shift_fwd", "depthwise_conv2d_shift_fwd")


def _outputs(groups: int, channels: int, most: int) -> int:
    """Of a block: whole groups, or some channels of one."""
    return max(1, most) if most < channels else min(groups, most // channels) * channels


def _scratch(shape: Shape, positions: int) -> Callable[[Sizes], int]:
    """A patch, where taps of so many positions begin, sorted terms."""

    def scratch(s: Sizes) -> int:
        groups, channels, taps, run = shape(s)
        sorted_terms = 2 * (ENDS + (taps * run + 1) // 2 * 2)
        outputs = _outputs(groups, channels, BYTES // sorted_terms)
        return TERM * taps * run + 4 * taps * positions + sorted_terms * outputs

    return scratch


def _supports(shape: Shape) -> Callable[[Sizes], bool]:
    def supports(s: Sizes) -> bool:
        _, _, taps, run = shape(s)
        return taps * run <= MOST_TERMS

    return supports


def _entries() -> Iterator[Entry]:
    for step, shape in _SHAPES.items():
        supports = _supports(shape)
        for fmt, file in (("f32", "shift.c"), ("f16", "shift_f16.c")):
            yield Entry(step, "fix", f"kernels/fix/{file}", _scratch(shape, POSITIONS), supports, fmt)
        if step in _INT8:
            yield Entry(step, "blk", "kernels/blk/shift_s8.c", _scratch(shape, POSITIONS_INT8), supports, "s8")


TABLE: tuple[Entry, ...] = (*_entries(), *rows("blk", "shift_s8.c", "dense_shift_fwd", fmt="s8"))
