"""A dilated convolution along one axis, without a kernel of its own; both importers come here.

Step t of a sequence that is read every d steps meets t + d, t + 2d and so on: written d steps a row, these are the rows
below it. So the map (L, R, C) is read as (L / d, d * R, C), which moves no memory, and convolved by a window of one
column. What does not fill rows is padded with zeros first and cut off behind.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Shape = tuple[int, ...]
Pads = tuple[int, int, int, int]
Emit = Callable[[str, Shape, Mapping[str, Any]], str]  # adds the layer, given its input, kernel and window


@dataclass(frozen=True)
class Line:
    """The axis along which a window is dilated, its length, what lies across, window, distance, padding at the ends."""

    axis: int
    length: int
    across: int
    window: int
    step: int
    before: int
    after: int

    @property
    def out(self) -> int:
        """The length of the result."""
        return self.length + self.before + self.after - (self.window - 1) * self.step

    def map(self, channels: int) -> Shape:
        """The result as the map that the file means."""
        return (self.out, self.across, channels) if self.axis == 0 else (1, self.out, channels)


@dataclass(frozen=True)
class Moves:
    """What an importer does for one node: another shape of the same memory, zeros around a map, the first rows of one.

    Each takes a device tensor and gives one.
    """

    shaped: Callable[[str, Shape], str]
    padded: Callable[[str, Pads], str]
    first: Callable[[str, int], str]


def reach(kernel: Shape, dilation: Shape) -> tuple[int, int]:
    """How much of the map a dilated window spans: (height, width)."""
    height, width = ((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    return height, width


def line_of(dilation: Shape, stride: Shape, size: Shape, kernel: Shape, pads: Pads) -> Line | None:
    """How a window is dilated over a map of `size` (H, W) with `pads` to come: None where it is not.

    ValueError where it is dilated along two axes, or along one with a stride or a window across.
    """
    if min(dilation) < 1:
        raise ValueError(f"dilation {dilation} is not positive")
    steps = [d if k > 1 else 1 for d, k in zip(dilation, kernel, strict=True)]
    if steps == [1, 1]:
        return None
    axis = 0 if steps[0] > 1 else 1
    across = (pads[1], pads[3]) if axis == 0 else (pads[0], pads[2])
    alone = kernel[1 - axis] == 1 and not any(across) and (axis == 0 or size[0] == 1)
    if tuple(stride) != (1, 1) or not alone or steps[1 - axis] > 1:
        raise ValueError(
            f"dilation {dilation} is not supported here, only along one axis with a window of 1 across and stride 1"
        )
    line = Line(
        axis, size[axis], size[1] if axis == 0 else 1, kernel[axis], steps[axis], pads[axis], pads[axis + 2]
    )  # fmt: skip
    if line.out < 1:
        raise ValueError(f"a window of {line.window} every {line.step} is larger than the padded {line.length}")
    return line


def convolved(x: str, line: Line, channels: tuple[int, int], moves: Moves, emit: Emit) -> str:
    """The layer's result, a map, from the map `x` without its pads; `channels` of x and of the result."""
    rows_before, odd = divmod(line.before, line.step)
    top = line.before if odd else 0  # whole rows can stay the layer's own padding
    rows_before = 0 if odd else rows_before
    bottom = -(line.length + top) % line.step
    rows = (line.length + top + bottom) // line.step
    rows_after = max(0, math.ceil(line.out / line.step) - (rows + rows_before - (line.window - 1)))
    if top or bottom:
        x = moves.padded(moves.shaped(x, (line.length, line.across, channels[0])), (top, 0, bottom, 0))
    x = moves.shaped(x, (rows, line.step * line.across, channels[0]))
    window = {"kernel": (line.window, 1), "stride": (1, 1), "pads": (rows_before, 0, rows_after, 0)}
    length = (rows + rows_before + rows_after - line.window + 1) * line.step
    x = emit(x, (line.window, 1), window)
    if length != line.out:
        x = moves.first(moves.shaped(x, (length, line.across, channels[1])), line.out)
    return moves.shaped(x, line.map(channels[1]))
