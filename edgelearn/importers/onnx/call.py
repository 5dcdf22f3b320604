"""What a handler sees of one ONNX node, and the table of handlers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

from edgelearn.importers.onnx.constant import Const
from edgelearn.importers.onnx.view import Shape, View

if TYPE_CHECKING:
    from edgelearn.importers.onnx.builder import Builder

Result = View | Const
# A list of results is one for each output of the node, None where nobody reads it.
Handler = Callable[["Call"], "Result | list[Result | None]"]
HANDLERS: dict[str, Handler] = {}
# Ops whose handlers know that the batch axis need not be the first one.
ANYWHERE: set[str] = set()

# Stands for the batch size in folded shape arithmetic: a prime that no real axis has, so that any product with
# the batch in it can be told from one without.
BATCH = 2_147_483_629


class Unsupported(Exception):
    """A node can't be imported; the text says why, in lower case."""


class Misread(Unsupported):
    """A node does not fit because another axis of the model's input must be the batch."""


def handles(*ops: str, anywhere: bool = False) -> Callable[[Handler], Handler]:
    """Register a function as the importer of these ONNX ops; `anywhere`: wherever the batch axis stands."""

    def register(function: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(ops, function))
        ANYWHERE.update(ops if anywhere else ())
        return function

    return register


class Call:
    """One node with its attributes and inputs resolved."""

    def __init__(
        self, proto: onnx.NodeProto, index: int, opset: int, inputs: list[Result | None], builder: Builder
    ) -> None:
        self.proto = proto
        self.index = index
        self.opset = opset
        self.inputs = inputs
        self.builder = builder
        self.attrs: dict[str, Any] = {a.name: onnx.helper.get_attribute_value(a) for a in proto.attribute}

    def has(self, position: int) -> bool:
        """Whether the operand is there at all."""
        return position < len(self.inputs) and self.inputs[position] is not None

    def raw(self, position: int = 0) -> Result:
        """The operand, activation or constant."""
        value = self.inputs[position] if position < len(self.inputs) else None
        if value is None:
            raise Unsupported(f"input {position} is missing")
        return value

    def view(self, position: int = 0, *, padded: bool = False) -> View:
        """The operand as an activation; a pending padding is put into memory unless `padded`."""
        value = self.raw(position)
        if isinstance(value, Const):
            raise Unsupported("its input is a constant")
        if value.batch and self.proto.op_type not in ANYWHERE:
            raise Unsupported(f"the batch axis is axis {value.batch} of its input, only axis 0 is supported")
        return value if padded else self.builder.settle(value, self)

    def const(self, position: int, what: str) -> Const:
        """The operand as a constant."""
        value = self.raw(position)
        if isinstance(value, View):
            raise Unsupported(f"{what} must be a constant in the file, here the network computes it")
        return value

    def weight(self, position: int, what: str, rank: int | None = None) -> Const:
        """The operand as a float32 constant, of rank `rank` if that is given."""
        const = self.const(position, what)
        if const.array.dtype != np.float32:
            raise Unsupported(f"{what} is {const.array.dtype}, only float32 is supported")
        if rank is not None and const.array.ndim != rank:
            raise Unsupported(f"{what} has shape {const.array.shape}, expected {rank} axes")
        return const

    def integers(self, position: int, name: str) -> list[int] | None:
        """Integers that newer opsets take as an input and older ones as an attribute; None if absent."""
        if self.has(position):
            const = self.const(position, name)
            if const.array.dtype.kind not in "iu":
                raise Unsupported(f"{name} are {const.array.dtype}, expected integers")
            return [int(v) for v in const.array.ravel()]
        return self.ints(name)

    def ints(self, name: str) -> list[int] | None:
        """An attribute that is a list of integers; None if absent."""
        value = self.attrs.get(name)
        if value is None:
            return None
        if not isinstance(value, list | tuple) or not all(isinstance(v, int) for v in value):
            raise Unsupported(f"attribute {name} is not a list of integers")
        return list(value)

    def integer(self, name: str, default: int) -> int:
        """An integer attribute."""
        value = self.attrs.get(name, default)
        if not isinstance(value, int):
            raise Unsupported(f"attribute {name} is not an integer")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """An attribute that is 0 or 1."""
        value = self.integer(name, int(default))
        if value not in (0, 1):
            raise Unsupported(f"attribute {name} is {value}, expected 0 or 1")
        return value == 1

    def number(self, name: str, default: float) -> float:
        """A float attribute."""
        value = self.attrs.get(name, default)
        if not isinstance(value, int | float):
            raise Unsupported(f"attribute {name} is not a number")
        return float(value)

    def text(self, name: str, default: str) -> str:
        """A string attribute."""
        value = self.attrs.get(name, default)
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        if not isinstance(value, str):
            raise Unsupported(f"attribute {name} is not a string")
        return value

    def axis(self, value: int, rank: int, batch: int = 0) -> int:
        """A user axis counted with the batch, as one counted without; `rank` counts the batch, axis `batch`."""
        axis = value + rank if value < 0 else value
        if not 0 <= axis < rank:
            raise Unsupported(f"axis {value} does not exist in a tensor of {rank} axes")
        if axis == batch:
            raise Unsupported("it works along the batch axis")
        return axis - (axis > batch)


def spatial(view: View) -> tuple[Shape, int]:
    """The spatial sizes (H, W) and the channels of a channels-first user tensor (C, L) or (C, H, W)."""
    shape = view.user_shape
    if len(shape) == 3:
        return (shape[1], shape[2]), shape[0]
    if len(shape) == 2:
        return (1, shape[1]), shape[0]
    raise Unsupported(f"needs 1-D or 2-D maps (N, C, L) or (N, C, H, W), here {len(shape) + 1} axes")
