"""Kernels for Helium, the vectors of Cortex-M55: four floats or eight halves an instruction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from edgelearn.kernels.base import Entry, one_window, rows
from edgelearn.kernels.product import Tile, conv2d
from edgelearn.kernels.vector import Vectors, depthwise

VECTOR, SCRATCH = 16, 16384  # bytes: of a vector; EL_SCRATCH_BYTES

_FLOATS = Tile(5, (4,), bytes=SCRATCH, costs=(35, 250, 4, 0))
_HALVES = Tile(5, (8,), element_bytes=2, bytes=SCRATCH, costs=(70, 250, 4, 0), most_terms=144)


def _halves(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Lanes of halves sum in halves: at most 72 terms in products and 32 in depthwise gradients, then into floats."""
    return (replace(entry, halves=True) for entry in entries)


_DENSE = ("dense_fwd", "dense_bwd_x", "dense_bwd_w")
_ELEMENTWISE = ("add_fwd", "zero_fwd", "reshape_fwd", "bias_fwd", "bias_bwd", "avg_pool2d_fwd")


def _others(fmt: str, suffix: str) -> Iterator[Entry]:
    """What is compiled alike for both formats."""
    yield from rows("mve", f"activation{suffix}.c", "relu_fwd", "relu_bwd", fmt=fmt)
    yield from rows("mve", f"elementwise{suffix}.c", *_ELEMENTWISE, fmt=fmt)
    yield from rows("mve", f"elementwise{suffix}.c", "avg_pool2d_bwd", fmt=fmt, supports=one_window)


TABLE: tuple[Entry, ...] = (
    *conv2d("mve", _FLOATS),
    *depthwise("mve", Vectors(VECTOR)),
    *rows("mve", "dense.c", *_DENSE),
    *_others("f32", ""),
    *_others("f16", "_f16"),
    *rows("mve", "optim.c", "sgd_step", "momentum_step"),
    *rows("mve", "optim_f16.c", "sgd_step", "finite_step", fmt="f16"),
    *rows("mve", "momentum_f16.c", "momentum_step", fmt="f16"),
    *rows("mve", "optim_mixed_f16.c", "sgd_mixed_step", "momentum_mixed_step", fmt="f16"),
    *rows("mve", "cast_f16.c", "narrow_fwd", "widen_fwd", fmt="f16"),
    *_halves(rows("mve", "dense_f16.c", *_DENSE, fmt="f16")),
    *_halves(conv2d("mve", _HALVES, fmt="f16", file="conv2d_f16.c")),
    *_halves(depthwise("mve", Vectors(VECTOR), fmt="f16", file="depthwise_conv2d_f16.c")),
)
