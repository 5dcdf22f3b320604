"""What the toolchain knows of an op: its shape rule, numpy truth, gradient rule, cost and kernel call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

import numpy as np

from edgelearn.formats import F32, Format
from edgelearn.graph import Node
from edgelearn.ops.parts import Split

Shape = tuple[int, ...]
Attrs = Mapping[str, Any]
Arrays = tuple[np.ndarray, ...]


class Kind(Enum):
    """How an op treats its outputs."""

    PURE = "pure"  # writes them
    ACCUMULATE = "accumulate"  # adds scale * result to its one output
    STEP = "step"  # reads and writes them, with the optimizer's settings


class Tape(Protocol):
    """What a gradient rule can ask and emit; passes/differentiate.py implements it."""

    def grad(self, tensor: str) -> str:
        """The name of the (summed) gradient of `tensor`."""

    def shape(self, tensor: str) -> Shape:
        """The shape of a tensor."""

    def wants(self, tensor: str) -> bool:
        """Whether anybody needs the gradient into `tensor`."""

    def input_grad(self, op: str, tensor: str, inputs: Sequence[str], node: Node, **attrs: Any) -> None:
        """Emit the node that computes the gradient into `tensor`, if anybody needs it."""

    def pass_grad(self, tensor: str, grad: str) -> None:
        """Use `grad` as it is as the gradient into `tensor`, if anybody needs it."""

    def weight_grad(self, op: str, weight: str, inputs: Sequence[str], node: Node, **attrs: Any) -> None:
        """Emit the accumulating node for the gradient of a weight, if it is trained."""

    def saved(self, node: Node, index: int, suffix: str, like: str = "") -> str:
        """The extra output `index` of a forward node (a mask), adding it if it is not there yet.

        It has the shape of the tensor `like`, by default of the node's own first output.
        """

    def trains(self, weight: str) -> bool:
        """Whether this operand is a trained weight; an operand left out is none."""

    def backward(self, op: str, like: Sequence[str], inputs: Sequence[str], node: Node) -> tuple[str, ...]:
        """Emit a node that several gradients share; gives its outputs, gradients of the shapes of `like`."""


@dataclass(frozen=True)
class Example:
    """One concrete call for the generic tests: attributes and input shapes (None: operand left out).

    The first `maps` operands are activations, the others weights.
    """

    attrs: Attrs
    shapes: tuple[Shape | None, ...]
    maps: int = 1


@dataclass(frozen=True)
class Op:
    """One op. Callables take attributes and shapes or arrays without a batch axis.

    infer(attrs, shapes) gives the output shapes; ValueError with a sentence if the shapes do not fit.
    compute(attrs, *inputs) is the numpy truth in the inputs' precision; a STEP op gets
    compute(optim, *inputs, *outputs) and gives the new outputs.
    sizes(attrs, input shapes, output shapes) are the kernel's shape arguments in order: the fields of the
    C struct `struct`, or by-value integers where `struct` is empty.
    fmt is the number format in the kernel's name, formats those of the outputs. `calls` names another op's kernel
    that computes this op. `approximates` names the op that computes the same
    with its true derivative.
    split(sizes, n) gives the ways in which a call can be divided into at most n parts that run at the same time.
    weights are the operands that can be trained, shifts those of them that are added: a bias.
    scalars(attrs) are further by-value arguments: int32_t for an int, else float. A STEP kernel gets a pointer to the
    settings if `uses_optim`.
    """

    name: str
    compute: Callable[..., Arrays]
    infer: Callable[[Attrs, Sequence[Shape]], list[Shape]] | None = None
    sizes: Callable[[Attrs, Sequence[Shape], Sequence[Shape]], dict[str, int]] = lambda a, i, o: {}
    struct: str = ""
    scalars: Callable[[Attrs], Mapping[str, float]] = lambda a: {}
    fmt: Format = F32
    kind: Kind = Kind.PURE
    uses_optim: bool = True
    gradient: Callable[[Node, Tape], None] | None = None
    macs: Callable[[dict[str, int]], int] = lambda s: 0
    inplace: tuple[tuple[int, int], ...] = ()
    formats: tuple[Format, ...] = (F32,)
    weights: tuple[int, ...] = ()
    shifts: tuple[int, ...] = ()
    constants: tuple[int, ...] = ()
    examples: tuple[Example, ...] = field(default=())
    summary: str = ""
    split: Split | None = None
    calls: str = ""
    approximates: str = ""

    @property
    def kernel(self) -> str:
        """The middle of the kernel's name: `conv2d_fwd` in `el_conv2d_fwd_f32__ref`."""
        if self.calls:
            return self.calls
        name = self.name.removesuffix(f"_{self.fmt.name}")
        return name if name.endswith(("_fwd", "_bwd", "_bwd_x", "_bwd_w", "_step")) else f"{name}_fwd"


def count(shape: Shape) -> int:
    """Number of elements of a shape."""
    return int(np.prod(shape, dtype=np.int64)) if shape else 1


def count_sizes(attrs: Attrs, ins: Sequence[Shape], outs: Sequence[Shape]) -> dict[str, int]:
    """Shape arguments of elementwise kernels: the number of elements."""
    return {"count": count(outs[0])}


def row_sizes(attrs: Attrs, ins: Sequence[Shape], outs: Sequence[Shape]) -> dict[str, int]:
    """Shape arguments of per-channel kernels: rows times channels, channels last."""
    return {"rows": count(ins[0]) // ins[0][-1], "channels": ins[0][-1]}


def same_shape(attrs: Attrs, shapes: Sequence[Shape]) -> list[Shape]:
    """The output has the shape of the first input."""
    return [shapes[0]]


def repeats(attrs: Attrs, ins: Sequence[Shape], outs: Sequence[Shape]) -> dict[str, int]:
    """Shape arguments where operand 1 repeats over the leading axes of operand 0: rows times its elements."""
    return {"rows": count(ins[0]) // count(ins[1]), "channels": count(ins[1])}


def repeat_sums(attrs: Attrs, ins: Sequence[Shape], outs: Sequence[Shape]) -> dict[str, int]:
    """Shape arguments of the gradient of a repeated operand: the output is one row of the first input."""
    return {"rows": count(ins[0]) // count(outs[0]), "channels": count(outs[0])}


def repeated(attrs: Attrs, shapes: Sequence[Shape]) -> list[Shape]:
    """The shape of operand 0; operand 1 must be one element or fit its last axes."""
    x, b = shapes[:2]
    own = b[next((k for k, size in enumerate(b) if size > 1), len(b)) :]
    if own != x[len(x) - len(own) :]:
        raise ValueError(f"{b} does not repeat over {x}: it must be one value, or fit the last axes")
    return [x]


def as_rows(x: np.ndarray, row: Shape) -> np.ndarray:
    """`x` as rows of as many elements as `row` has."""
    return x.reshape(-1, count(row))
