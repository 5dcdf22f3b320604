"""Kernels for RISC-V V, of any vector length: VLEN/32 floats or VLEN/16 halves in a register."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from edgelearn.kernels.base import FLOAT, Entry, Sizes, no_scratch, one_window, rows
from edgelearn.kernels.planes import planes_of
from edgelearn.kernels.product import MOST_TERMS, Tile, conv2d

PANEL = 128  # bytes of a row of packed columns, at most
HEIGHT = 7
COSTS = (90, 40, 0, 0)
TERMS = {"f32": MOST_TERMS, "f16": 72}  # of a block; halves are summed no further


_ELEMENTWISE = ("add_fwd", "zero_fwd", "reshape_fwd", "bias_fwd", "batch_norm_fwd", "batch_norm_bwd_x",
                "batch_norm_bwd_w", "avg_pool2d_fwd")  # fmt: skip
_STEPS = ("finite_step", "sgd_step", "sgd_mixed_step", "momentum_step", "momentum_mixed_step")


def _across_channels(s: Sizes) -> bool:
    return s["in_c"] == s["out_c"] and max(s["stride_h"], s["stride_w"]) <= 2 and max(s["k_h"], s["k_w"]) <= 24


def _tile(s: Sizes) -> int:
    """A tile of halves and of floats."""
    return 3 * HEIGHT * PANEL


class _Panels(Tile):
    """Panels are as narrow as all columns allow."""

    def widths_for(self, step: str, s: Sizes) -> Sequence[int]:
        columns = s["in_c" if step == "conv2d_bwd_x" else "out_c"] // s["groups"]
        return [next((w for w in self.widths if w >= columns), self.widths[-1])]


class _Planes(_Panels):
    """Where columns are few positions lie across the registers: firmware/kernels/rvv/planes.h."""

    def scratch(self, step: str) -> Callable[[Sizes], int]:
        panels = super().scratch(step)

        def of(s: Sizes) -> int:
            planes = planes_of(step, s, PANEL // self.element_bytes)
            return -(-planes.elements * self.element_bytes // 4) * 4 if planes else panels(s)

        return of


def _windows(fmt: str, size: int, tail: str) -> Iterator[Entry]:
    widths = [PANEL // parts // size for parts in (4, 2, 1)]
    tile = (_Planes if tail else _Panels)(
        HEIGHT, widths, row_bytes=0, element_bytes=size, costs=COSTS, most_terms=TERMS[fmt]
    )
    yield from conv2d("rvv", tile, fmt, ("conv2d_fwd", "conv2d_bwd_x"), f"conv2d{tail}.c")
    yield Entry("conv2d_bwd_w", "rvv", f"kernels/rvv/conv2d_weights{tail}.c", _tile if tail else no_scratch,
                fmt=fmt, pitched=True)  # fmt: skip
    yield from rows("rvv", f"depthwise_conv2d{tail}.c", "depthwise_conv2d_fwd", "depthwise_conv2d_bwd_x",
                    "depthwise_conv2d_bwd_w", fmt=fmt, supports=_across_channels)  # fmt: skip


def _floating(fmt: str, size: int) -> Iterator[Entry]:
    """Kernels that exist in floats and in halves, which are in files of their own."""
    tail = "" if fmt == "f32" else f"_{fmt}"
    yield from (replace(row, halves=bool(tail)) for row in _windows(fmt, size, tail))
    yield from rows("rvv", f"dense{tail}.c", "dense_fwd", "dense_bwd_x", "dense_bwd_w", "bias_bwd", fmt=fmt)
    yield from rows("rvv", f"activation{tail}.c", "relu_fwd", "relu_bwd", fmt=fmt)
    yield from rows("rvv", f"pool{tail}.c", "max_pool2d_fwd", "max_pool2d_bwd", fmt=fmt)
    yield from rows("rvv", f"elementwise{tail}.c", *_ELEMENTWISE, fmt=fmt)
    yield from rows("rvv", f"elementwise{tail}.c", "avg_pool2d_bwd", fmt=fmt, supports=one_window)


TABLE: tuple[Entry, ...] = (
    *_floating("f32", FLOAT),
    *_floating("f16", FLOAT // 2),
    *rows("rvv", "optim.c", "sgd_step", "momentum_step", "adam_step", "adamw_step"),
    *rows("rvv", "optim_f16.c", *_STEPS, fmt="f16"),
)
