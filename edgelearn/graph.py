"""The graph every stage reads and writes: tensors, nodes, and where they came from. Immutable.

Shapes carry no batch dimension: the device sees one sample at a time. Feature maps are channels-last,
(H, W, C); 1-D signals have H = 1; vectors are (C,).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import Any

import numpy as np

from edgelearn.formats import F32, Format


class Role(Enum):
    """What a tensor is for; it decides which memory the tensor may live in."""

    INPUT = "input"  # written by the link: the sample and its target
    PARAM = "param"  # trained: RAM, initial value in flash
    CONST = "const"  # frozen: flash
    ACT = "act"  # activation: arena
    GRAD = "grad"  # gradient: arena, or RAM of its own where it outlives a sample
    STATE = "state"  # optimizer state and accumulated gradients: RAM
    MASK = "mask"  # what backward needs in its smallest exact form: arena


class Phase(Enum):
    """When a node runs. UPDATE nodes of a batch of one run inside the backward pass."""

    FORWARD = "forward"
    LOSS = "loss"
    BACKWARD = "backward"
    UPDATE = "update"


@dataclass(frozen=True)
class Origin:
    """Where a node or tensor stands in the user's file."""

    file: str = ""
    node: str = ""
    op: str = ""
    index: int = -1

    def __str__(self) -> str:
        name = f"'{self.node}'" if self.node else "(no name)"
        place = f"node {self.index} " if self.index >= 0 else ""
        kind = f" ({self.op})" if self.op else ""
        return f"{self.file}: {place}{name}{kind}" if self.file else f"{place}{name}{kind}"


@dataclass(frozen=True)
class Quant:
    """Affine quantization, real = scale * (integer - zero_point): one pair, or one a channel along `axis`.

    A real number half way between two integers becomes the even one if `even`, else the one farther from zero.
    """

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int | None = None
    even: bool = False


@dataclass(frozen=True, eq=False)
class Tensor:
    """A named array. `data` is set for PARAM and CONST, in device layout. `quant` is set where integers stand for
    real numbers.
    """

    name: str
    shape: tuple[int, ...]
    role: Role
    format: Format = F32
    data: np.ndarray | None = None
    quant: Quant | None = None

    @property
    def count(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes on the device."""
        return self.format.nbytes(self.count)


@dataclass(frozen=True, eq=False)
class Node:
    """One call of one op. An empty string in `inputs` or `outputs` is an optional operand left out."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    phase: Phase = Phase.FORWARD
    origin: Origin = Origin()

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", tuple(self.inputs))
        object.__setattr__(self, "outputs", tuple(self.outputs))
        object.__setattr__(self, "attrs", MappingProxyType(dict(self.attrs)))


@dataclass(frozen=True, eq=False)
class Graph:
    """Tensors by name, and nodes in an order in which they can run.

    `inputs` are what the link writes (the sample, and once a loss is attached its target); `outputs` are
    what a prediction reads.
    """

    name: str
    tensors: Mapping[str, Tensor]
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tensors", MappingProxyType(dict(self.tensors)))
        object.__setattr__(self, "nodes", tuple(self.nodes))
        object.__setattr__(self, "meta", MappingProxyType(dict(self.meta)))

    def replace(self, **changes: Any) -> Graph:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def producer(self, tensor: str) -> Node | None:
        """The first node that writes `tensor`, or None."""
        return next((n for n in self.nodes if tensor in n.outputs), None)

    def consumers(self, tensor: str) -> list[Node]:
        """All nodes that read `tensor`, in order."""
        return [n for n in self.nodes if tensor in n.inputs]

    def of_role(self, *roles: Role) -> list[Tensor]:
        """All tensors of the given roles, in insertion order."""
        return [t for t in self.tensors.values() if t.role in roles]

    def unique(self, name: str) -> str:
        """`name`, or the first of name_2, name_3, ... that is still free."""
        taken = self.tensors.keys() | {n.name for n in self.nodes}
        return unique_name(name, taken)


def unique_name(name: str, taken: Iterable[str]) -> str:
    """`name`, or the first of name_2, name_3, ... not in `taken`."""
    taken = taken if isinstance(taken, set | dict | frozenset) or hasattr(taken, "__contains__") else set(taken)
    if name not in taken:
        return name
    k = 2
    while f"{name}_{k}" in taken:
        k += 1
    return f"{name}_{k}"


@dataclass(frozen=True)
class Layout:
    """How a user's array (without its batch axis) lies on the device.

    device = user.transpose(perm).reshape(device_shape); a Conv1d input (C, L) has perm (1, 0) and device
    shape (1, L, C).
    """

    name: str
    user_shape: tuple[int, ...]
    perm: tuple[int, ...]
    device_shape: tuple[int, ...]

    def to_device(self, array: np.ndarray) -> np.ndarray:
        """(N, *user_shape) to (N, *device_shape), contiguous."""
        moved = array.transpose(0, *(axis + 1 for axis in self.perm))
        return np.ascontiguousarray(moved.reshape(len(array), *self.device_shape))

    def to_user(self, array: np.ndarray) -> np.ndarray:
        """(N, *device_shape) to (N, *user_shape), contiguous."""
        moved = array.reshape(len(array), *(self.user_shape[axis] for axis in self.perm))
        inverse = np.argsort(self.perm)
        return np.ascontiguousarray(moved.transpose(0, *(int(axis) + 1 for axis in inverse)))
