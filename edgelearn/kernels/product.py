"""The scratch of kernels made of firmware/kernels/product: blocks of packed operands. It repeats block.h in integers,
so that a plan reserves exactly what the C code uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from edgelearn.kernels.base import FLOAT, Entry, Sizes

SCRATCH, MOST_CUTS = 8192, 8  # bytes of packed operands; cuts of the columns
MOST_TERMS = 2**31 - 1  # of a block
COSTS = (30, 70, 7, 0)  # EL_TILE_COST, EL_ROWS_COST, EL_PACK_COST, EL_APART_COST


def _ceil(a: int, b: int) -> int:
    return -(-a // b)


@dataclass(frozen=True)
class Product:
    """The terms of a sum, in pieces that are contiguous in the map, and the columns that it is taken for, in panels."""

    terms: int
    piece: int
    panels: int
    rows: int = 1  # that the sums are taken for


def blocks(
    p: Product, panel: int, rows: int, room_for: int, costs: Sequence[int], most: int = MOST_TERMS
) -> tuple[int, int]:
    """(terms, panels) of a block: el_blocks_of(); (0, 0) where none fits."""
    best, least = (0, 0), 2**31 - 1
    tile, some_rows, term, apart = costs
    for cuts in range(1, min(MOST_CUTS, p.panels) + 1):
        wide = _ceil(p.panels, cuts)
        room = min(room_for // (wide * panel + rows), most)
        if room == 0:
            continue
        times = _ceil(p.terms, room)
        cost = p.panels * times * tile + cuts * (times * some_rows + p.terms * term)
        if cost < least:
            best, least = (_ceil(p.terms, times), wide), cost
        times = _ceil(p.piece, room) * (p.terms // p.piece)
        cost = times * (p.panels * tile + cuts * apart)
        if apart and cost <= least:
            best, least = (_ceil(p.piece, _ceil(p.piece, room)), wide), cost
    return best


def _forward(s: Sizes, width: int) -> Iterator[Product]:
    """The products of a step."""
    channels = s["in_c"] // s["groups"]
    piece = s["k_w"] * channels if s["in_pitch"] == channels else channels
    positions = s["out_h"] * s["out_w"]
    yield Product(s["k_h"] * s["k_w"] * channels, piece, _ceil(s["out_c"] // s["groups"], width), positions)


def _taps(s: Sizes, axis: str) -> set[int]:
    """How many taps the phases of one axis have: see el_phase_of()."""
    stride, pad = s[f"stride_{axis}"], s["pad_top" if axis == "h" else "pad_left"]
    firsts = range(min(stride, s[f"in_{axis}"]))
    return {len(range((first + pad) % stride, s[f"k_{axis}"], stride)) for first in firsts}


def _backward_x(s: Sizes, width: int) -> Iterator[Product]:
    channels = s["out_c"] // s["groups"]
    positions = _ceil(s["in_h"], s["stride_h"]) * _ceil(s["in_w"], s["stride_w"])
    for v in _taps(s, "h"):
        for h in _taps(s, "w"):
            if v and h:
                yield Product(v * h * channels, channels, _ceil(s["in_c"] // s["groups"], width), positions)


def _backward_w(s: Sizes, width: int) -> Iterator[Product]:
    whole = s["groups"] == 1  # as if no channel were left out
    pieces, length = (1, s["k_w"] * s["in_pitch"]) if whole else (s["k_w"], s["in_c"] // s["groups"])
    positions = s["out_h"] * s["out_w"]
    yield Product(positions, positions, s["k_h"] * pieces * _ceil(length, width), s["out_c"] // s["groups"])


def _backward_flat(s: Sizes, width: int) -> Iterator[Product]:
    """The same where columns of a pointwise layer are read in the map; those of one panel may be packed."""
    stride, pads = (s["stride_h"], s["stride_w"]), (s["pad_top"], s["pad_left"])
    pointwise = (s["k_h"], s["k_w"], *pads) == (1, 1, 0, 0)
    whole = stride == (1, 1) and (s["in_h"], s["in_w"]) == (s["out_h"], s["out_w"])
    if pointwise and (whole or s["in_h"] == s["out_h"] == 1):
        yield Product(s["out_h"] * s["out_w"], s["out_h"] * s["out_w"], 1)
    else:
        yield from _backward_w(s, width)


_STEPS = {"conv2d_fwd": _forward, "conv2d_bwd_x": _backward_x, "conv2d_bwd_w": _backward_w}
_IN_PLACE = {**_STEPS, "conv2d_bwd_w": _backward_flat}


@dataclass(frozen=True)
class Tile:
    """What the tile header of an instruction set says: height, width (each that a CPU may answer), bytes of an element
    of packed rows (0: none is packed) and of one of maps.
    """

    height: int
    widths: Sequence[int]
    row_bytes: int = FLOAT
    element_bytes: int = FLOAT
    bytes: int = SCRATCH  # EL_SCRATCH_BYTES
    costs: Sequence[int] = COSTS
    least: int = 1  # positions of a product that is worth packing weights for
    most_terms: int = MOST_TERMS  # EL_MOST_TERMS
    in_place: bool = False  # EL_COLUMNS_IN_PLACE
    sums: int = 0  # EL_SUMS_BYTES

    def _blocks(self, step: str, s: Sizes) -> Iterator[int]:
        """Bytes of scratch of each product; 0 where one does not fit."""
        products = _IN_PLACE if self.in_place else _STEPS
        for width in self.widths_for(step, s):
            for product in products[step](s, width):
                panel, rows = width * self.element_bytes, self.height * self.row_bytes
                count, wide = blocks(product, panel, rows, self.bytes, self.costs, self.most_terms)
                yield count * (wide * panel + rows) + (self._sums(step, product.rows, wide * panel) if count else 0)

    def _sums(self, step: str, rows: int, row: int) -> int:
        """Bytes of sums that wait, of some rows: see sums.h."""
        if not self.sums:
            return 0
        if step == "conv2d_bwd_w":
            rows = _ceil(rows, self.height) * self.height
        waiting = min(rows, max(self.sums // row // self.height * self.height, 1))
        return (_ceil(waiting, self.height) * self.height if step == "conv2d_bwd_w" else 1 + waiting) * row

    def widths_for(self, step: str, s: Sizes) -> Sequence[int]:
        """Widths of panels: EL_WIDTH_FOR()."""
        return self.widths

    def scratch(self, step: str) -> Callable[[Sizes], int]:
        """Bytes that a step wants, in whole words."""
        return lambda s: max(4, _ceil(max(self._blocks(step, s), default=0), 4) * 4)

    def supports(self, step: str) -> Callable[[Sizes], bool]:
        """Whether every block of a step has room for a term."""
        return lambda s: all(self._blocks(step, s)) and s["out_h"] * s["out_w"] >= self.least


def conv2d(
    isa: str, tile: Tile, fmt: str = "f32", steps: Iterable[str] = tuple(_STEPS), file: str = "conv2d.c"
) -> Iterator[Entry]:
    """The rows of one file in kernels/<isa>, by default all three steps."""
    for step in steps:
        yield Entry(step, isa, f"kernels/{isa}/{file}", tile.scratch(step), tile.supports(step), fmt, pitched=True)
