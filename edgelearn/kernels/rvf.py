"""Register tiles in assembler for RISC-V cores with F, whose 32 registers hold 6 x 4 sums."""

from __future__ import annotations

from edgelearn.kernels.base import FLOAT, Entry, Sizes, rows, single
from edgelearn.kernels.int8 import line, terms
from edgelearn.kernels.product import SCRATCH, Tile, conv2d
from edgelearn.kernels.strips import POSITIONS as LONG
from edgelearn.kernels.strips import scratch, supports

POSITIONS = Tile(6, (4,), bytes=4096, costs=(90, 250, 14, 40), least=4)
WEIGHTS = Tile(6, (4,), costs=(130, 40, 15, 0), in_place=True)


def _three_by_three(s: Sizes) -> bool:
    """Depthwise windows whose sums stay in registers along a row of the map."""
    same = single(s) and s["in_c"] > 1 and (s["k_h"], s["k_w"]) == (3, 3) and s["stride_h"] == s["stride_w"]
    wide = min(s["in_w"], s["out_w"]) > 1
    return same and wide and s["stride_w"] <= 2 and 0 <= s["pad_left"] <= (2 if s["stride_w"] == 1 else 1)


def _six_positions(s: Sizes) -> int:
    """Six positions as floats, and a line of bytes where windows are gathered."""
    return 6 * terms(s) * FLOAT + line(s)


def _few_terms(s: Sizes) -> bool:
    return _six_positions(s) <= 2 * SCRATCH


def _three_by_three_strips(s: Sizes) -> bool:
    return _three_by_three(s) and supports("depthwise_conv2d_fwd", LONG)(s)


TABLE: tuple[Entry, ...] = (
    *conv2d("rvf", POSITIONS, steps=("conv2d_fwd", "conv2d_bwd_x")),
    *conv2d("rvf", WEIGHTS, steps=("conv2d_bwd_w",), file="conv2d_weights.c"),
    *rows("rvf", "depthwise_conv2d.c", "depthwise_conv2d_fwd", "depthwise_conv2d_bwd_x", "depthwise_conv2d_bwd_w",
          supports=_three_by_three, pitched=True),
    *rows("rvf", "dense.c", "dense_fwd", "dense_bwd_x", "dense_bwd_w"),
    Entry("conv2d_fwd", "rvf", "kernels/rvf/conv2d_s8.c", _six_positions, _few_terms, fmt="s8", pitched=True),
    Entry("depthwise_conv2d_fwd", "rvf", "kernels/rvf/depthwise_conv2d_s8.c", scratch("depthwise_conv2d_fwd", LONG),
          _three_by_three_strips, fmt="s8", pitched=True),
)  # fmt: skip

NEEDS = {"kernels/rvf/depthwise_conv2d_s8.c": ("kernels/rvf/depthwise_conv2d.c",)}
