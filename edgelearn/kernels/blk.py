"""Register-blocked kernels in portable C, for cores with an FPU."""

from __future__ import annotations

from collections.abc import Callable

from edgelearn.kernels.base import FLOAT, RULES, Entry, Sizes, recurrent, rows, single
from edgelearn.kernels.int8 import four_channels, line, padded_lines, terms


def _four_windows(s: Sizes) -> int:
    """Four windows of one group, gathered out of the padded map."""
    return 4 * s["k_h"] * s["k_w"] * (s["in_c"] // s["groups"]) * FLOAT


def _three_wide_positions(s: Sizes) -> int:
    """Three positions in 16 bits, rounded up to whole words; a line of bytes where windows are gathered."""
    return -(-3 * terms(s) // 2) * 4 + line(s)


def _one_wide_position(s: Sizes) -> int:
    return -(-s["in"] // 2) * 4


def _group_of_zeros(s: Sizes) -> int:
    """One position of dy, for taps outside the map."""
    return s["out_c"] // s["groups"] * FLOAT


def _in_halves(scratch: Callable[[Sizes], int]) -> Callable[[Sizes], int]:
    """Half as many bytes, in whole words."""
    return lambda s: -(-scratch(s) // 8) * 4


def _tiled(s: Sizes) -> bool:
    """Windows that neither overlap nor leave gaps, so that each element is rounded once."""
    axes = (("out_h", "k_h", "stride_h", "in_h"), ("out_w", "k_w", "stride_w", "in_w"))
    plain = s["pad_top"] == s["pad_left"] == 0
    return plain and all(s[n] == s[o] * s[k] and (s[o] == 1 or s[stride] == s[k]) for o, k, stride, n in axes)


TABLE: tuple[Entry, ...] = (
    Entry("conv2d_fwd", "blk", "kernels/blk/conv2d.c", _four_windows, pitched=True),
    Entry("conv2d_bwd_x", "blk", "kernels/blk/conv2d.c", _group_of_zeros, pitched=True),
    *rows("blk", "conv2d.c", "conv2d_bwd_w", pitched=True),
    *rows("blk", "depthwise_conv2d.c", "depthwise_conv2d_fwd", "depthwise_conv2d_bwd_x", "depthwise_conv2d_bwd_w",
          supports=single, pitched=True),
    *rows("blk", "dense.c", "dense_fwd", "dense_bwd_x", "dense_bwd_w", "bias_bwd"),
    Entry("conv2d_fwd", "blk", "kernels/blk/conv2d_f16.c", _in_halves(_four_windows), fmt="f16", pitched=True),
    Entry("conv2d_bwd_x", "blk", "kernels/blk/conv2d_f16.c", _in_halves(_group_of_zeros), fmt="f16", pitched=True),
    *rows("blk", "conv2d_f16.c", "conv2d_bwd_w", fmt="f16", pitched=True),
    *rows("blk", "dense_f16.c", "dense_fwd", "dense_bwd_x", "dense_bwd_w", "bias_bwd", fmt="f16"),
    *rows("blk", "depthwise_conv2d_f16.c", "depthwise_conv2d_fwd", "depthwise_conv2d_bwd_x", "depthwise_conv2d_bwd_w",
          supports=single, fmt="f16", pitched=True),
    *rows("blk", "pool_f16.c", "avg_pool2d_fwd", fmt="f16", pitched=True),
    *rows("blk", "pool_f16.c", "avg_pool2d_bwd", supports=_tiled, fmt="f16", pitched=True),
    *rows("blk", "activation_f16.c", "relu_fwd", "relu_bwd", fmt="f16"),
    *rows("blk", "pool.c", "avg_pool2d_fwd", "avg_pool2d_bwd", pitched=True),
    *rows("blk", "activation.c", "relu_fwd", "relu_bwd"),
    *recurrent("blk"),
    *rows("blk", "shift_latents.c", *(f"shift_{rule}_step" for rule in RULES)),
    Entry("conv2d_fwd", "blk", "kernels/blk/product_s8.c", _three_wide_positions, fmt="s8", pitched=True),
    Entry("dense_fwd", "blk", "kernels/blk/product_s8.c", _one_wide_position, fmt="s8"),
    Entry("depthwise_conv2d_fwd", "blk", "kernels/blk/depthwise_conv2d_s8.c", padded_lines, four_channels, fmt="s8",
          pitched=True),
    *rows("blk", "add_s8.c", "add_fwd", "sub_fwd", fmt="s8"),
)  # fmt: skip

# A recurrent step is a dense layer.
NEEDS = {"kernels/blk/recurrent.c": ("kernels/blk/dense.c",)}
