"""Constants of the file, and the way a trained weight goes back into it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Const:
    """A tensor known at import.

    `source` is the initializer or Constant output it comes from, "" if it was computed; `index` then says for every
    element where it stands in that tensor's flat order; `use` is the (node, input) that reads `source`.
    """

    array: np.ndarray
    source: str = ""
    index: np.ndarray | None = None
    use: tuple[int, int] = (-1, -1)
    scale: float = 1.0

    def moved(self, move: Callable[[np.ndarray], np.ndarray]) -> Const:
        """The constant after a function that only rearranges elements."""
        index = None if self.index is None else move(self.index)
        return replace(self, array=np.ascontiguousarray(move(self.array)), index=index)

    def scaled(self, factor: float) -> Const:
        """The constant times a factor; the way back divides. Zero has no way back."""
        if factor == 1.0:
            return self
        array = (self.array.astype(np.float64) * factor).astype(self.array.dtype)
        if factor == 0.0 or not math.isfinite(factor):
            return Const(array)
        return replace(self, array=array, scale=self.scale * factor)


def indexed(array: np.ndarray, source: str, use: tuple[int, int]) -> Const:
    """A constant as it stands in the file."""
    return Const(array, source, np.arange(array.size).reshape(array.shape), use)


@dataclass(frozen=True, eq=False)
class WeightRecord:
    """How one weight tensor of the graph is written back.

    `source` is the initializer or the output of the Constant node, `shape` its shape in the file, `order` the flat
    position there of every device element, `scale` the factor that was folded in, `uses` the (node index, input
    index) pairs that read `source` for this weight.
    """

    source: str
    shape: tuple[int, ...]
    order: np.ndarray
    scale: float
    uses: tuple[tuple[int, int], ...]

    def to_onnx(self, array: np.ndarray) -> np.ndarray:
        """A weight in device layout as float32 in the file's layout; ValueError if the size differs."""
        if array.size != self.order.size:
            raise ValueError(f"{array.size} values for {self.order.size} weights")
        out = np.empty(self.order.size, np.float32)
        flat = np.asarray(array, np.float32).ravel()
        out[self.order] = flat if self.scale == 1.0 else (flat.astype(np.float64) / self.scale)
        return out.reshape(self.shape)
