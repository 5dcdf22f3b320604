"""A dilated convolution along one axis, without a kernel of its own.

Step t of a sequence that is read every d steps meets t + d, t + 2d and so on: written d steps a row, these are the rows
below it. So the map (L, R, C) is read as (L / d, d * R, C), which moves no memory, and convolved by a window of one
column. What does not fill rows is padded with zeros first and cut off behind.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from edgelearn.importers.tflite.call import Call, Pads, Shape, Unsupported, Value
from edgelearn.importers.tflite.fused import fused

Emit = Callable[[str, Shape, Mapping[str, Any]], str]


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


def line_of(call: Call, size: Shape, kernel: tuple[int, int], pads: Pads) -> Line | None:
    """How a node is dilated: None where it is not. `size` is the map without `pads`.

    Unsupported where it is dilated along two axes, or along one with a stride or a window across.
    """
    dilation = (call.option("DilationHFactor"), call.option("DilationWFactor"))
    steps = [d if k > 1 else 1 for d, k in zip(dilation, kernel, strict=True)]
    if steps == [1, 1]:
        return None
    stride = (call.option("StrideH"), call.option("StrideW"))
    axis = 0 if steps[0] > 1 else 1
    across = (pads[1], pads[3]) if axis == 0 else (pads[0], pads[2])
    alone = kernel[1 - axis] == 1 and not any(across) and (axis == 0 or size[0] == 1)
    if min(dilation) < 1 or stride != (1, 1) or not alone or steps[1 - axis] > 1:
        raise Unsupported(
            f"dilation {dilation} is not supported here, only along one axis with a window of 1 across and stride 1"
        )
    total = (kernel[axis] - 1) * steps[axis] if call.option("Padding") == 0 else 0
    before, after = pads[axis] + total // 2, pads[axis + 2] + total - total // 2
    return Line(axis, size[axis], size[1] if axis == 0 else 1, kernel[axis], steps[axis], before, after)


def convolved(call: Call, x: str, line: Line, emit: Emit, size: tuple[int, int]) -> Value:
    """The node's result, (H, W) = `size`, its fused activation included; `emit` adds the layer, given its input,
    its kernel and its pads.
    """
    if line.out < 1:
        raise Unsupported(f"a window of {line.window} every {line.step} is larger than the padded {line.length}")
    builder = call.builder
    channels = builder.tensors[x].shape[-1]
    rows_before, odd = divmod(line.before, line.step)
    top = line.before if odd else 0  # whole rows can stay the layer's own padding
    rows_before = 0 if odd else rows_before
    bottom = -(line.length + top) % line.step
    rows = (line.length + top + bottom) // line.step
    rows_after = max(0, math.ceil(line.out / line.step) - (rows + rows_before - (line.window - 1)))
    x = builder.shaped(call, x, (line.length, line.across, channels))
    long = (1, line.length + top + bottom, line.across, channels)
    x = builder.settle(Value(x, long, (top, 0, bottom, 0)), call).tensor
    x = builder.shaped(call, x, (rows, line.step * line.across, channels))
    name = emit(x, (line.window, 1), {"stride": (1, 1), "pads": (rows_before, 0, rows_after, 0)})
    made = fused(call, Value(name, (1, *builder.tensors[name].shape)))
    height, _, wide = builder.tensors[made.tensor].shape
    length = height * line.step
    tensor = builder.shaped(call, made.tensor, (length, line.across, wide))
    if length != line.out:
        attrs = {"axis": 0, "start": 0, "stop": line.out}
        tensor = builder.emit(call, "slice", (tensor,), attrs, "cut").name
    return Value(builder.shaped(call, tensor, (*size, wide)), (1, *size, wide))
