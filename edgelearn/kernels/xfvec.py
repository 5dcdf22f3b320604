"""Halves in pairs, for RISC-V cores with Xfvec: two lanes in a float register."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from edgelearn.kernels.base import Entry, Sizes, rows
from edgelearn.kernels.product import Tile, conv2d

_DENSE = ("dense_fwd", "dense_bwd_x", "dense_bwd_w")
_DEPTHWISE = ("depthwise_conv2d_fwd", "depthwise_conv2d_bwd_x", "depthwise_conv2d_bwd_w")
HALF_TERMS = 72  # that are added as halves: EL_HALF_TERMS, EL_MOST_TERMS
POSITIONS = Tile(6, (8,), row_bytes=2, element_bytes=2, costs=(130, 100, 12, 60), most_terms=HALF_TERMS)
WEIGHTS = Tile(6, (8,), row_bytes=2, element_bytes=2, costs=(130, 100, 12, 0), most_terms=HALF_TERMS, in_place=True)


def _halves(entries: Iterable[Entry]) -> Iterator[Entry]:
    return (replace(entry, halves=True) for entry in entries)


def _short_windows(s: Sizes) -> bool:
    return s["in_c"] == s["out_c"] and s["k_h"] * s["k_w"] <= HALF_TERMS


TABLE: tuple[Entry, ...] = (
    *_halves(conv2d("xfvec", POSITIONS, "f16", ("conv2d_fwd", "conv2d_bwd_x"), "conv2d_f16.c")),
    *_halves(conv2d("xfvec", WEIGHTS, "f16", ("conv2d_bwd_w",), "conv2d_weights_f16.c")),
    *_halves(rows("xfvec", "dense_f16.c", *_DENSE, fmt="f16")),
    *_halves(rows("xfvec", "elementwise_f16.c", "bias_bwd", fmt="f16")),
    *rows("xfvec", "elementwise_f16.c", "zero_fwd", "add_fwd", "relu_fwd", "relu_bwd", fmt="f16"),
    *rows("xfvec", "optim_f16.c", "sgd_step", "momentum_step", "finite_step", fmt="f16"),
    *_halves(rows("xfvec", "depthwise_conv2d_f16.c", *_DEPTHWISE, fmt="f16", supports=_short_windows)),
)
