"""Constants of the file, and the way a trained weight goes back into it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from edgelearn.graph import Quant

Uses = dict[str, tuple[tuple[int, int], ...]]  # (node, input) pairs by the constant that they read


@dataclass(frozen=True, eq=False)
class Coded:
    """How a constant's values stand in the file as integers.

    `integers` and `channel`, which scale each of them has, are in the file's flat order; `quant` has the scales, its
    axis is not used. `shift` is what the file adds to an int8: 128 for uint8. `scales` and `zeros` say what reads them.
    """

    integers: np.ndarray
    channel: np.ndarray
    quant: Quant
    shift: int
    scales: Uses
    zeros: Uses


@dataclass(frozen=True)
class Const:
    """A tensor known at import.

    `source` is the initializer or Constant output it comes from, "" if it was computed; `index` then says for every
    element where it stands in that tensor's flat order; `use` is the (node, input) that reads `source`. `coded` is set
    where the file has integers for these values.
    """

    array: np.ndarray
    source: str = ""
    index: np.ndarray | None = None
    use: tuple[int, int] = (-1, -1)
    scale: float = 1.0
    coded: Coded | None = None

    def moved(self, move: Callable[[np.ndarray], np.ndarray]) -> Const:
        """The constant after a function that only rearranges elements."""
        index = None if self.index is None else move(self.index)
        # Not ascontiguousarray, which gives a scalar an axis.
        return replace(self, array=np.asarray(move(self.array), order="C"), index=index)

    def scaled(self, factor: float) -> Const:
        """The constant times a factor; the way back divides. Zero has no way back."""
        if factor == 1.0:
            return self
        array = (self.array.astype(np.float64) * factor).astype(self.array.dtype)
        if factor == 0.0 or not math.isfinite(factor) or self.coded:
            return Const(array)
        return replace(self, array=array, scale=self.scale * factor)

    def integers(self) -> tuple[np.ndarray, Quant, np.ndarray] | None:
        """The integers in this arrangement, their quantisation, and which of the file's scales each of its scales is.

        None where there are none, not all of them are here, or no axis has the scales along it.
        """
        if self.coded is None or self.index is None or self.index.size != self.coded.integers.size:
            return None
        known = self.coded.quant
        data, channel = self.coded.integers[self.index], self.coded.channel[self.index]
        if len(known.scale) == 1:
            return data, replace(known, axis=None), np.zeros(1, np.int64)
        for axis, size in enumerate(channel.shape):
            along = np.moveaxis(channel, axis, 0).reshape(size, -1)
            if size == len(known.scale) and (along == along[:, :1]).all():
                order = along[:, 0]
                scale, zero = (tuple(values[k] for k in order) for values in (known.scale, known.zero_point))
                return data, Quant(scale, zero, axis, known.even), order
        return None


def indexed(array: np.ndarray, source: str, use: tuple[int, int]) -> Const:
    """A constant as it stands in the file."""
    return Const(array, source, np.arange(array.size).reshape(array.shape), use)


@dataclass(frozen=True, eq=False)
class Scales:
    """Where the scales and zero points of a quantised tensor stand in the file, and who reads them for it.

    `order[k]` is the file's place of the k-th scale on the device, `shift` what the file adds to an int8.
    """

    scales: Uses
    zeros: Uses
    order: np.ndarray
    shift: int

    def also(self, other: Scales | None) -> Scales:
        """With what else reads them."""
        if other is None:
            return self
        pairs = ((other.scales, self.scales), (other.zeros, self.zeros))
        scales, zeros = (joined(a, b) for a, b in pairs)
        return replace(self, scales=scales, zeros=zeros)


def joined(a: Uses, b: Uses) -> Uses:
    """The uses of both, each once."""
    return {source: tuple(dict.fromkeys((*a.get(source, ()), *b.get(source, ())))) for source in a | b}


@dataclass(frozen=True, eq=False)
class WeightRecord:
    """How one weight tensor of the graph is written back.

    `source` is the initializer or the output of the Constant node, `shape` its shape in the file, `order` the flat
    position there of every device element, `scale` the factor that was folded in, `uses` the (node index, input
    index) pairs that read `source` for this weight. `coded` is set for a weight that the file quantises.
    """

    source: str
    shape: tuple[int, ...]
    order: np.ndarray
    scale: float
    uses: tuple[tuple[int, int], ...]
    coded: Scales | None = None

    def to_onnx(self, array: np.ndarray, kind: str = "float32") -> np.ndarray:
        """A weight in device layout as numbers of `kind` in the file's layout; ValueError if the size differs."""
        if array.size != self.order.size:
            raise ValueError(f"{array.size} values for {self.order.size} weights")
        dtype = np.dtype(kind)
        out = np.empty(self.order.size, dtype)
        flat = np.asarray(array, dtype).ravel()
        out[self.order] = flat if self.scale == 1.0 else (flat.astype(np.float64) / self.scale)
        return out.reshape(self.shape)
