"""Kernels for RISC-V V, of any vector length: VLEN/32 floats or VLEN/16 halves in a register."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from edgelearn.kernels.base import FLOAT, Entry, Sizes, rows
from edgelearn.kernels.product import Tile, conv2d

GROUP = 4 * 256 // 8  # bytes of a group of four registers, VLEN at most 256; all such cores run the same image
HEIGHT = 7
COSTS = (90, 40, 0, 0)
BLOCK = {"f32": 8192, "f16": 5632}  # bytes of packed operands


def _across_channels(s: Sizes) -> bool:
    return s["in_c"] == s["out_c"] and max(s["stride_h"], s["stride_w"]) <= 2 and max(s["k_h"], s["k_w"]) <= 24


def _edge(s: Sizes) -> int:
    """A row of a tile's columns."""
    return GROUP


def _edge_and_tile(s: Sizes) -> int:
    """The same, and a tile of halves and of floats."""
    return GROUP + 3 * HEIGHT * GROUP


def _windows(fmt: str, size: int, tail: str) -> Iterator[Entry]:
    tile = Tile(
        HEIGHT, (GROUP // 2 // size, GROUP // size), row_bytes=size, element_bytes=size, bytes=BLOCK[fmt], costs=COSTS
    )
    yield from conv2d("rvv", tile, fmt, ("conv2d_fwd", "conv2d_bwd_x"), f"conv2d{tail}.c")
    yield Entry("conv2d_bwd_w", "rvv", f"kernels/rvv/conv2d_weights{tail}.c", _edge_and_tile if tail else _edge,
                fmt=fmt, pitched=True)  # fmt: skip
    yield from rows("rvv", f"depthwise_conv2d{tail}.c", "depthwise_conv2d_fwd", "depthwise_conv2d_bwd_x",
                    "depthwise_conv2d_bwd_w", fmt=fmt, supports=_across_channels)  # fmt: skip


def _floating(fmt: str, size: int) -> Iterator[Entry]:
    """Kernels that exist in floats and in halves, which are in files of their own."""
    tail = "" if fmt == "f32" else f"_{fmt}"
    yield from (replace(row, halves=bool(tail)) for row in _windows(fmt, size, tail))
    yield from rows("rvv", f"dense{tail}.c", "dense_fwd", "dense_bwd_x", "dense_bwd_w", "bias_bwd", fmt=fmt)
    yield from rows("rvv", f"activation{tail}.c", "relu_fwd", "relu_bwd", fmt=fmt)


TABLE: tuple[Entry, ...] = (*_floating("f32", FLOAT), *_floating("f16", FLOAT // 2))
