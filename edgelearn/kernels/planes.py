"""Convolutions whose positions lie across vector registers: firmware/kernels/rvv/planes.h, in integers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgelearn.kernels.base import Sizes

TERMS, CHANNELS = 72, 8  # of a block, at most; that terms go by


def _ceil(a: int, b: int) -> int:
    return -(-a // b)


@dataclass(frozen=True)
class Planes:
    """One convolution: what is written has `columns` channels, what is read `depth`, of which a block has `some`. A
    strip is `high` rows of `wide` positions.
    """

    out_h: int
    out_w: int
    columns: int
    depth: int
    k_h: int
    k_w: int
    some: int
    high: int
    wide: int

    @property
    def elements(self) -> int:
        """Of the packed weights of a block and the planes of a strip: scratch."""
        weights = self.columns * self.k_h * self.k_w * self.some
        planes = self.k_w * self.some * (self.high + self.k_h - 1) * self.wide
        return weights + planes + 2 * (self.k_w - 1)

    def strips(self) -> Iterator[tuple[int, int, int]]:
        """(rows, positions of a row, how many) of all strips."""
        for rows, down in ((self.high, self.out_h // self.high), (self.out_h % self.high, 1)):
            for wide, right in ((self.wide, self.out_w // self.wide), (self.out_w % self.wide, 1)):
                if rows and wide:
                    yield rows, wide, down * right


def _flat(s: Sizes) -> bool:
    """el_flatten()"""
    strides, pads = (s["stride_h"], s["stride_w"]), (s["pad_top"], s["pad_left"])
    ones = (s["k_h"], s["k_w"], *strides, *pads) == (1, 1, 1, 1, 0, 0)
    return ones and (s["in_h"], s["in_w"]) == (s["out_h"], s["out_w"])


def planes_of(step: str, s: Sizes, lanes: int) -> Planes | None:
    """How a forward pass or a gradient of x with `lanes` elements in a panel is cut, or None where it is not."""
    back = step == "conv2d_bwd_x"
    (columns, y), (depth, _) = ((s["in_c"], "in"), (s["out_c"], "out"))[:: 1 if back else -1]
    high, wide = (1, s[f"{y}_h"] * s[f"{y}_w"]) if _flat(s) else (s[f"{y}_h"], s[f"{y}_w"])
    fit, taps = min(wide, lanes), s["k_h"] * s["k_w"]
    whole = s["groups"] == 1 and s["in_pitch"] == s["in_c"] and s["out_pitch"] == s["out_c"]
    straight = s["stride_h"] == s["stride_w"] == 1
    filled = 8 * (lanes // fit * fit) >= 7 * lanes and high * wide >= lanes
    few = 2 * columns <= lanes and taps * CHANNELS <= TERMS and depth % CHANNELS == 0
    if not (whole and straight and filled and few):
        return None
    eights = depth // CHANNELS
    some = _ceil(eights, _ceil(eights, TERMS // (taps * CHANNELS))) * CHANNELS
    return Planes(high, wide, columns, depth, s["k_h"], s["k_w"], some, min(lanes // fit, high), fit)
