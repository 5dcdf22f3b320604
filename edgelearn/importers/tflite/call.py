"""What a handler sees of one TensorFlow Lite node, and the table of handlers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgelearn.graph import Quant
from edgelearn.importers.tflite.file import FileTensor, Operator

if TYPE_CHECKING:
    from edgelearn.importers.tflite.builder import Builder

Shape = tuple[int, ...]
Pads = tuple[int, int, int, int]
NO_PADS: Pads = (0, 0, 0, 0)


@dataclass(frozen=True)
class Value:
    """An activation: the device tensor `tensor`, and its shape in the file, batch included.

    A padding that is not in memory yet stands in `pads` (top, left, bottom, right) and `fill`; `shape` is with it.
    """

    tensor: str
    shape: Shape
    pads: Pads = NO_PADS
    fill: float = 0.0


@dataclass(frozen=True, eq=False)
class Const:
    """A tensor known at import. `file` is where it comes from; None if it was computed.

    `quant` says how integers stand for real numbers; for fp16 and for integers that the file dequantises itself,
    `file` is the stored tensor and `array` its value.
    """

    array: np.ndarray
    file: FileTensor | None = None
    quant: Quant | None = None


Result = Value | Const
Handler = Callable[["Call"], Result]
HANDLERS: dict[str, Handler] = {}


class Unsupported(Exception):
    """A node can't be imported; the text says why, in lower case."""


def handles(*ops: str) -> Callable[[Handler], Handler]:
    """Register a function as the importer of these operators."""

    def register(function: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(ops, function))
        return function

    return register


class Call:
    """One node with its options and inputs resolved. `output` is what the file says of the result."""

    def __init__(self, operator: Operator, inputs: list[Result | None], output: FileTensor, builder: Builder) -> None:
        self.operator, self.inputs, self.output, self.builder = operator, inputs, output, builder

    @property
    def op(self) -> str:
        return self.operator.op

    @property
    def index(self) -> int:
        return self.operator.index

    def option(self, name: str) -> Any:
        """An option; Unsupported if the file has none for this node."""
        if self.operator.options is None:
            raise Unsupported("its options are missing")
        return self.operator.options[name]

    def has(self, position: int) -> bool:
        """Whether the operand is there at all."""
        return position < len(self.inputs) and self.inputs[position] is not None

    def raw(self, position: int = 0) -> Result:
        """The operand, activation or constant."""
        value = self.inputs[position] if position < len(self.inputs) else None
        if value is None:
            raise Unsupported(f"input {position} is missing")
        return value

    def value(self, position: int = 0, *, padded: bool = False) -> Value:
        """The operand as an activation; a pending padding is put into memory unless `padded`."""
        found = self.raw(position)
        if isinstance(found, Const):
            raise Unsupported("its input is a constant")
        return found if padded else self.builder.settle(found, self)

    def const(self, position: int, what: str) -> Const:
        """The operand as a constant."""
        found = self.raw(position)
        if isinstance(found, Value):
            raise Unsupported(f"{what} must be a constant in the file, here the network computes it")
        return found

    def integers(self, position: int, what: str) -> list[int]:
        """The operand as a list of integers."""
        const = self.const(position, what)
        if const.array.dtype.kind not in "iu" or const.quant is not None or const.array.size > 64:
            raise Unsupported(f"{what} is {const.array.dtype} {const.array.shape}, expected a few integers")
        return [int(v) for v in const.array.ravel()]

    def axes(self, listed: list[int], rank: int) -> list[int]:
        """Axes counted from the front; Unsupported for one that does not exist or is the batch."""
        found = sorted({axis + rank if axis < 0 else axis for axis in listed})
        if any(not 0 <= axis < rank for axis in found):
            raise Unsupported(f"axes {listed} do not exist in a tensor of {rank} axes")
        if 0 in found:
            raise Unsupported("it works along the batch axis")
        return found


def sample_shape(shape: Shape) -> Shape:
    """The device shape of a tensor (1, ...): (C,), (1, W, C) or (H, W, C); more axes lie flat."""
    if len(shape) < 2 or shape[0] != 1:
        raise Unsupported(f"shape {shape} has no batch axis of 1 in front")
    rest = shape[1:]
    if len(rest) == 2:
        return (1, *rest)
    return rest if len(rest) in (1, 3) else (math.prod(rest),)
