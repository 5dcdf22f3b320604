"""Which user axes lie where in memory, and what it takes to have them in another order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import permutations

import numpy as np

from edgelearn.importers.onnx.call import Call, Unsupported
from edgelearn.importers.onnx.constant import Const
from edgelearn.importers.onnx.view import View, merged, ordered


def memory_order(view: View, axes: Sequence[int]) -> list[int]:
    """Those of `axes` that are larger than 1, outermost in memory first."""
    return sorted((a for a in axes if view.user_shape[a] > 1), key=lambda a: -max(s for _, s in view.axes[a]))


def contiguous(view: View, order: Sequence[int]) -> bool:
    """Whether these axes, in this order, are the innermost stretch of memory."""
    count = math.prod(view.user_shape[axis] for axis in order)
    return merged([f for axis in order for f in view.axes[axis]]) in ([], [(count, 1)])


def axes_last(call: Call, view: View, axes: Sequence[int]) -> View:
    """The view with `axes` innermost in memory; a transpose if they are not."""
    if contiguous(view, memory_order(view, axes)):
        return view
    outer = memory_order(view, [a for a in range(len(view.axes)) if a not in axes])
    return reordered(call, view, [*outer, *memory_order(view, axes)])


def reordered(call: Call, view: View, order: Sequence[int]) -> View:
    """The view with its axes in memory in `order`, which names all axes larger than 1; one dimension an axis.

    Of one axis it is a vector, else a map.
    """
    if len(order) > 3:
        raise Unsupported(f"would have to reorder {len(order)} axes of {view.user_shape}; a device map has three")
    groups: list[list[int]] = [[]] * (3 - len(order) if len(order) > 1 else 0) + [[axis] for axis in order]
    tensor = call.builder.arrange(call, view, groups)
    return ordered(tensor, call.builder.tensors[tensor].shape, view.user_shape, tuple(order), view.batch)


def in_dims(call: Call, views: Sequence[View]) -> tuple[list[View], tuple[int, ...]]:
    """Views of one rank with every axis a dimension of its own, all in the order that moves least: views and order."""
    rank = len(views[0].axes)
    if rank > 3:
        raise Unsupported(f"works on {rank + 1} axes; a device map has three besides the batch")
    # Channels last is what the next layer most likely wants.
    orders = sorted(permutations(range(rank)), key=lambda o: (o != (*range(1, rank), 0), o))
    order = min(orders, key=lambda o: sum(not contiguous(v, o) for v in views))
    return [reordered(call, view, order) for view in views], order


def full_shape(view: View, const: Const) -> tuple[int, ...]:
    """A constant's shape with all axes that broadcasting leaves out, the batch axis in front; Unsupported if it is no
    part of one sample.
    """
    rank, shape = len(view.axes), const.array.shape
    full = (1,) * (rank + 1 - len(shape)) + shape
    full = (*full[view.batch : view.batch + 1], *full[: view.batch], *full[view.batch + 1 :])
    fits = len(full) == rank + 1 and full[0] == 1
    if not fits or any(size not in (1, own) for size, own in zip(full[1:], view.user_shape, strict=True)):
        raise Unsupported(f"a constant {shape} does not fit one sample {view.user_shape}")
    return full


def placed(call: Call, view: View, const: Const, suffix: str) -> str:
    """The weight tensor of a constant that is broadcast to `view`: as few elements as repeat over its positions.

    Where they do not repeat over the leading axes in memory the whole map is stored, and has no way back.
    """
    full = full_shape(view, const)
    varying = [axis for axis in range(len(view.axes)) if full[axis + 1] > 1]
    if not varying:
        return call.builder.weight(call, suffix, const.moved(lambda a: a.reshape(1)))
    order = memory_order(view, varying)
    tail = _tail(view, const.array.size) if contiguous(view, order) else None
    if tail is not None:
        perm = [*(a for a in range(len(full) - 1) if a not in order), *order]
        const = const.moved(lambda a: a.reshape(full[1:]).transpose(perm).reshape(tail))
        return call.builder.weight(call, suffix, const)
    if const.array.size == math.prod(view.user_shape):
        place = np.argsort(call.builder.flat_order(view))
        return call.builder.weight(call, suffix, const.moved(lambda a: a.reshape(-1)[place].reshape(view.shape)))
    spread = np.broadcast_to(const.array.reshape(full[1:]), view.user_shape).ravel()
    values = np.empty(spread.size, np.float32)
    values[call.builder.flat_order(view)] = spread
    return call.builder.weight(call, "constant", Const(values.reshape(view.shape)))


def _tail(view: View, count: int) -> tuple[int, ...] | None:
    """The last dimensions of the device tensor that hold `count` elements, or None."""
    tails = (view.shape[k:] for k in range(len(view.shape), -1, -1))
    return next((tail for tail in tails if tail and math.prod(tail) == count), None)
