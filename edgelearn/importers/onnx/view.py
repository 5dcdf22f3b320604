"""Where the elements of a user's tensor lie in device memory.

Every axis of the user's tensor is a tuple of factors (size, stride), outermost first, with strides in elements of the
device tensor. Transpose permutes axes, Reshape regroups factors: neither moves memory. Axes of size 1 have no factors.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

Shape = tuple[int, ...]
Factor = tuple[int, int]
Axis = tuple[Factor, ...]
Pads = tuple[int, int, int, int]


@dataclass(frozen=True)
class View:
    """One sample of a user's tensor (no batch axis) in the device tensor `tensor` of shape `shape`.

    A zero or constant padding that is not in memory yet has `inner`, the view before it, `pads` (top, left,
    bottom, right) and `value`; `shape` and `axes` are then those of the padded tensor. `batch` is where the batch axis
    stands among the file's axes: in front, but around recurrent layers, which have time there.
    """

    tensor: str
    shape: Shape
    axes: tuple[Axis, ...]
    inner: View | None = None
    pads: Pads = (0, 0, 0, 0)
    value: float = 0.0
    batch: int = 0

    @property
    def user_shape(self) -> Shape:
        """The shape in the user's file, without the batch axis."""
        return tuple(math.prod(size for size, _ in axis) for axis in self.axes)

    def placed(self, tensor: str) -> View:
        """The same arrangement in another device tensor of the same shape."""
        return View(tensor, self.shape, self.axes, batch=self.batch)

    def without(self, gone: Collection[int]) -> View:
        """The view without these of its axes, which are of size 1."""
        axes = tuple(axis for k, axis in enumerate(self.axes) if k not in gone)
        return View(self.tensor, self.shape, axes, batch=self.batch - sum(k < self.batch for k in gone))

    def dim_of(self, axis: int) -> int | None:
        """The device dimension that is exactly user axis `axis`; None for size 1 or anything else."""
        return dim_of(self.shape, self.axes[axis])


def dim_of(shape: Shape, factors: Sequence[Factor]) -> int | None:
    """The dimension of a device tensor that these factors are, or None."""
    for dim, size in enumerate(shape):
        if list(factors) == [(size, math.prod(shape[dim + 1 :]))]:
            return dim
    return None


def ordered(tensor: str, shape: Shape, user_shape: Shape, order: Sequence[int], batch: int = 0) -> View:
    """A view whose user axes lie in memory in `order`, outermost first."""
    axes: list[Axis] = [()] * len(user_shape)
    stride = 1
    for axis in reversed(order):
        if user_shape[axis] > 1:
            axes[axis] = ((user_shape[axis], stride),)
        stride *= user_shape[axis]
    return View(tensor, shape, tuple(axes), batch=batch)


def channels_first(tensor: str, shape: Shape, rank: int) -> View:
    """A device map (H, W, C) as the user's (C, H, W), or (C, W) for rank 2."""
    user = (shape[2], shape[0], shape[1]) if rank == 3 else (shape[2], shape[1])
    return ordered(tensor, shape, user, (1, 2, 0) if rank == 3 else (1, 0))


def merged(factors: Sequence[Factor]) -> list[Factor]:
    """Factors with neighbours joined where they are neighbours in memory as well."""
    out: list[Factor] = []
    for size, stride in factors:
        if size == 1:
            continue
        if out and out[-1][1] == size * stride:
            out[-1] = (out[-1][0] * size, stride)
        else:
            out.append((size, stride))
    return out


def cut(factor: Factor, shape: Shape) -> list[Factor]:
    """A factor cut where a dimension of the device tensor begins, outermost first."""
    size, stride = factor
    out: list[Factor] = []
    for dim in range(1, len(shape)):
        step = math.prod(shape[dim:])
        if stride < step < stride * size and step % stride == 0 and (stride * size) % step == 0:
            out.append((stride * size // step, step))
            size = step // stride
    return [*out, (size, stride)]


def regroup(axes: Sequence[Axis], shape: Shape) -> tuple[Axis, ...] | None:
    """The axes of a reshaped tensor, or None where memory would have to move. Sizes must agree."""
    left = merged([factor for axis in axes for factor in axis])
    out: list[Axis] = []
    for size in shape:
        axis: list[Factor] = []
        while size > 1:
            if not left:
                return None
            inner, stride = left.pop(0)
            if size % inner == 0:
                axis.append((inner, stride))
                size //= inner
            elif inner % size == 0:
                rest = inner // size
                axis.append((size, rest * stride))
                left.insert(0, (rest, stride))
                size = 1
            else:
                return None
        out.append(tuple(axis))
    return tuple(out) if not left else None


def offsets(axes: Sequence[Axis]) -> np.ndarray:
    """The device offset of every element of the user's tensor, shape = the user's shape."""
    total = np.zeros((), np.int64)
    for axis in axes:
        line = np.zeros(1, np.int64)
        for size, stride in axis:
            line = np.add.outer(line, np.arange(size) * stride).ravel()
        total = np.add.outer(total, line)
    return total
