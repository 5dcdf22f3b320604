"""Concat, Slice, Split and Gather: maps joined, and parts of them."""

from __future__ import annotations

import math

from edgelearn.importers.onnx.call import Call, Result, Unsupported, handles
from edgelearn.importers.onnx.constant import Const
from edgelearn.importers.onnx.order import in_dims, memory_order
from edgelearn.importers.onnx.view import View, ordered


@handles("Concat", anywhere=True)
def concat(call: Call) -> Result:
    """Activations joined along any axis but the batch, two at a time; none of them may be a constant."""
    if any(isinstance(value, Const) for value in call.inputs):
        raise Unsupported("joins an activation with a constant; supported are activations only")
    views = [call.view(k) for k in range(len(call.inputs))]
    if len({len(view.axes) for view in views}) != 1:
        raise Unsupported("joins tensors of different ranks")
    if len({view.batch for view in views}) != 1:
        raise Unsupported("joins tensors whose batch axes do not meet")
    batch = views[0].batch
    axis = call.axis(call.integer("axis", 1 if call.opset < 4 else 0), len(views[0].axes) + 1, batch)
    if len(views) == 1:
        return views[0]
    views, order = in_dims(call, views)
    dim = len(views[0].shape) - len(order) + order.index(axis)
    tensor, sizes = views[0].tensor, list(views[0].user_shape)
    for k, view in enumerate(views[1:], start=1):
        last = k == len(views) - 1
        out = call.builder.emit(call, "concat", (tensor, view.tensor), {"axis": dim}, "" if last else f"part{k}")
        tensor, sizes[axis] = out.name, sizes[axis] + view.user_shape[axis]
    return ordered(tensor, call.builder.tensors[tensor].shape, tuple(sizes), order, batch)


def _part(call: Call, view: View, axis: int, start: int, stop: int, suffix: str = "") -> View:
    """Elements [start, stop) of one user axis."""
    if (start, stop) == (0, view.user_shape[axis]):
        return view
    if not 0 <= start < stop <= view.user_shape[axis]:
        raise Unsupported(f"takes an empty part, {start} to {stop} of {view.user_shape[axis]}")
    (view,), order = in_dims(call, [view])
    attrs = {"axis": len(view.shape) - len(order) + order.index(axis), "start": start, "stop": stop}
    out = call.builder.emit(call, "slice", (view.tensor,), attrs, suffix)
    shape = tuple(stop - start if k == axis else size for k, size in enumerate(view.user_shape))
    return ordered(out.name, out.shape, shape, order, view.batch)


def _every(call: Call, view: View, axis: int, step: int, suffix: str) -> View:
    """Every `step`-th element of a user axis: a pool of windows of one, along height or width."""
    size = view.user_shape[axis]
    if size == 1:
        return view
    order = memory_order(view, range(len(view.axes)))
    if len(order) > 3:
        raise Unsupported(f"takes every {step}th element of {len(order)} axes; a device map has three")
    if order[-1] == axis and len(order) > 1:
        order[-2:] = order[:-3:-1]
    groups: list[list[int]] = [[]] * (3 - len(order)) + [[a] for a in order] if len(order) > 1 else [[], [axis], []]
    tensor = call.builder.arrange(call, view, groups)
    stride = (step, 1) if groups[0] == [axis] else (1, step)
    attrs = {"kernel": (1, 1), "stride": stride, "pads": (0, 0, 0, 0)}
    if call.builder.tensors[tensor].quant is None:
        out = call.builder.emit(call, "avg_pool2d", (tensor,), {**attrs, "count_pad": False}, suffix)
    else:
        out = call.builder.emit(call, "max_pool2d", (tensor,), attrs, suffix)
    shape = tuple(-(-n // step) if k == axis else n for k, n in enumerate(view.user_shape))
    return ordered(out.name, out.shape, shape, order, view.batch)


@handles("Slice", anywhere=True)
def slice_(call: Call) -> Result:
    """A part with constant bounds and positive steps, along any axis but the batch."""
    view = call.view()
    rank = len(view.axes) + 1
    if call.opset < 10:
        starts, ends, axes, steps = (call.ints(name) for name in ("starts", "ends", "axes", "steps"))
    else:
        starts, ends, axes, steps = (call.integers(k, "its bounds") for k in range(1, 5))
    starts, ends = starts or [], ends or []
    steps = steps or [1] * len(starts)
    if any(step < 1 for step in steps):
        raise Unsupported(f"walks in steps of {steps}; only positive ones are supported")
    done = 0
    for axis, start, end, step in zip(axes or range(len(starts)), starts, ends, steps, strict=True):
        if axis % rank == view.batch:
            if step != 1 or start != 0 or end < (call.builder.batch or 2**31 - 1):
                raise Unsupported("cuts the batch axis")
            continue
        user = call.axis(axis, rank, view.batch)
        low, high, _ = slice(start, end).indices(view.user_shape[user])
        cut = (low, high) != (0, view.user_shape[user])
        view = _part(call, view, user, low, high, f"cut{done}" if done else "")
        done += cut
        if step > 1:
            view = _every(call, view, user, step, f"step{done}")
    return view


@handles("Split", anywhere=True)
def split(call: Call) -> list[Result | None]:
    """Consecutive parts along any axis but the batch, with constant sizes."""
    view = call.view()
    axis = call.axis(call.integer("axis", 0), len(view.axes) + 1, view.batch)
    size, count = view.user_shape[axis], len(call.proto.output)
    sizes = call.integers(1, "split")
    if sizes is None:
        if call.integer("num_outputs", count) != count:
            raise Unsupported("num_outputs is not the number of its outputs")
        each = math.ceil(size / count)
        sizes = [min(each, size - k * each) for k in range(count)]
    if len(sizes) != count or sum(sizes) != size or min(sizes) < 1:
        raise Unsupported(f"parts {sizes} do not make up the {size} elements of the axis")
    found: list[Result | None] = []
    for k, name in enumerate(call.proto.output):
        start = sum(sizes[:k])
        used = call.builder.readers.get(name, 0) > 0
        found.append(_part(call, view, axis, start, start + sizes[k], f"part{k}") if used else None)
    return found


@handles("Gather", anywhere=True)
def gather(call: Call) -> Result:
    """One element of an axis other than the batch, at a constant place; lists of places only of constants."""
    view, indices = call.view(), call.const(1, "the index").array
    axis = call.axis(call.integer("axis", 0), len(view.axes) + 1, view.batch)
    if indices.dtype.kind not in "iu" or indices.size != 1 or indices.ndim > 1:
        raise Unsupported(f"gathers {indices.shape} places; supported is one")
    index = int(indices.item()) % view.user_shape[axis]
    part = _part(call, view, axis, index, index + 1)
    return part if indices.ndim else part.without({axis})
