"""Nodes that only rename axes: no memory moves, so nothing of them is left on the device. And Pad."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from edgelearn.importers.onnx.call import BATCH, Call, Result, Unsupported, handles
from edgelearn.importers.onnx.constant import Const
from edgelearn.importers.onnx.view import Axis, View, ordered, regroup


def _reshaped(view: View, shape: tuple[int, ...]) -> View:
    axes = regroup(view.axes, shape)
    if axes is None:
        raise Unsupported(f"reshapes {view.user_shape} to {shape}, for which memory would have to move")
    return View(view.tensor, view.shape, axes)


@handles("Flatten")
def flatten(call: Call) -> Result:
    """All axes from `axis` on become one."""
    view = call.view()
    axis = call.integer("axis", 1)
    rank = len(view.axes) + 1
    axis = axis + rank if axis < 0 else axis
    if axis != 1:
        raise Unsupported(f"flattens from axis {axis}, which mixes the batch axis; only axis 1 is supported")
    return _reshaped(view, (math.prod(view.user_shape),))


@handles("Reshape", anywhere=True)
def reshape(call: Call) -> Result:
    """Any shape that keeps the batch axis, and does not mix those in front of it with those behind it."""
    view = call.view()
    target = call.integers(1, "shape")
    if not target:
        raise Unsupported("reshapes to a scalar")
    literal = call.flag("allowzero", False)
    if view.batch and call.builder.batch == target[0] == 1:  # a batch of one may stand anywhere
        view = replace(view, batch=0)
    full = (*view.user_shape[: view.batch], 0, *view.user_shape[view.batch :])
    shape = [full[k] if size == 0 and not literal and k < len(full) else size for k, size in enumerate(target)]
    count = math.prod(view.user_shape[: view.batch])
    for at in dict.fromkeys((view.batch, *range(len(shape)))) if view.batch else (0,):
        if at < len(shape) and (head := _filled(shape[:at], count)) is not None and _is_batch(call, shape[at], literal):
            front = _reshaped(replace(view, axes=view.axes[: view.batch]), tuple(head))
            behind = replace(view, axes=view.axes[view.batch :])
            rest = _filled(shape[at + 1 :], math.prod(behind.user_shape))
            if rest is not None:
                return replace(view, axes=front.axes + _reshaped(behind, tuple(rest)).axes, batch=at)
    wrong = any(size < -1 or (size == 0 and literal) for size in target[1:]) or target[1:].count(-1) > 1
    known = math.prod(size for k, size in enumerate(shape) if size > 0 and k != view.batch)
    if wrong or known % BATCH == 0 or math.prod(view.user_shape) % known:
        raise Unsupported(f"shape {target} does not fit one sample {view.user_shape}")
    raise Unsupported(f"shape {_readable(target)} mixes the batch axis into one sample {view.user_shape}")


def _filled(shape: list[int], count: int) -> list[int] | None:
    """A shape of `count` elements, which at most one -1 stands in for; None if it has another number of them."""
    known = math.prod(size for size in shape if size != -1)
    if shape.count(-1) > 1 or known < 1 or count % known:
        return None
    filled = [count // known if size == -1 else size for size in shape]
    return filled if math.prod(filled) == count and min(filled, default=1) > 0 else None


def _is_batch(call: Call, size: int, literal: bool) -> bool:
    return size in (-1, BATCH, call.builder.batch) or (size == 0 and not literal)


def _readable(target: list[int]) -> str:
    return "(" + ", ".join("N" if size == BATCH else str(size) for size in target) + ")"


@handles("Transpose", anywhere=True)
def transpose(call: Call) -> Result:
    """Another order of the user's axes; the next layer finds out whether memory has to move."""
    view = call.view()
    rank = len(view.axes) + 1
    perm = call.ints("perm") or list(range(rank))[::-1]
    if sorted(perm) != list(range(rank)):
        raise Unsupported(f"perm {perm} is no permutation of {rank} axes")
    axes = tuple(view.axes[axis - (axis > view.batch)] for axis in perm if axis != view.batch)
    return View(view.tensor, view.shape, axes, batch=perm.index(view.batch))


@handles("Squeeze", anywhere=True)
def squeeze(call: Call) -> Result:
    """Drop axes of size 1."""
    view = call.view()
    rank = len(view.axes) + 1
    listed = call.integers(1, "axes")
    if listed is None:
        if call.builder.batch == 1:
            raise Unsupported("squeezes every axis of size 1, the batch included; it needs axes")
        gone = {axis for axis, size in enumerate(view.user_shape) if size == 1}
    else:
        gone = {call.axis(axis, rank, view.batch) for axis in listed}
    if any(view.user_shape[axis] != 1 for axis in gone):
        raise Unsupported(f"squeezes an axis of {view.user_shape} that is not 1")
    return view.without(gone)


@handles("Unsqueeze", anywhere=True)
def unsqueeze(call: Call) -> Result:
    """Insert axes of size 1."""
    view = call.view()
    listed = call.integers(1, "axes")
    if listed is None:
        raise Unsupported("axes are missing")
    rank = len(view.axes) + 1 + len(listed)
    if any(not -rank <= axis < rank for axis in listed):
        raise Unsupported(f"axes {listed} do not exist in a tensor of {rank} axes")
    places = {axis % rank for axis in listed}
    if len(places) != len(listed):
        raise Unsupported(f"axes {listed} name one place twice")
    kept = [k for k in range(rank) if k not in places]
    batch, old = kept[view.batch], iter(view.axes)
    axes: list[Axis] = [() if k in places else next(old) for k in range(rank) if k != batch]
    return View(view.tensor, view.shape, tuple(axes), batch=batch)


@handles("Shape")
def shape_of(call: Call) -> Result:
    """The shape as a constant; the batch size is a stand-in that only fits where a batch size belongs."""
    value = call.raw()
    if isinstance(value, Const):
        full = value.array.shape
    else:
        full = (*value.user_shape[: value.batch], BATCH, *value.user_shape[value.batch :])
    start, end = call.integer("start", 0), call.integer("end", len(full))
    return Const(np.array(full[start:end], np.int64))


@handles("Pad")
def pad(call: Call) -> Result:
    """A constant frame around a map: kept pending, because most convolutions can take it into their own padding."""
    view = call.view()
    rank = len(view.axes) + 1
    mode = call.text("mode", "constant")
    if mode != "constant":
        raise Unsupported(f"mode {mode} is not supported, only constant")
    pads = call.integers(1, "pads") if call.opset >= 11 else call.ints("pads")
    if pads is None or len(pads) % 2:
        raise Unsupported(f"pads {pads} do not fit {rank} axes")
    half = len(pads) // 2
    listed = call.integers(3, "axes") if call.opset >= 18 else None
    axes = listed if listed is not None else list(range(rank))
    if len(axes) != half:
        raise Unsupported(f"pads {pads} do not fit {rank} axes")
    value = call.number("value", 0.0) if call.opset < 11 else 0.0
    if call.opset >= 11 and call.has(2):
        value = float(call.weight(2, "the padding value").array.reshape(()))
    frame = {axis: (pads[k], pads[half + k]) for k, axis in enumerate(axes) if pads[k] or pads[half + k]}
    return _padded(call, view, {call.axis(a, rank): p for a, p in frame.items()}, value) if frame else view


def _padded(call: Call, view: View, frame: dict[int, tuple[int, int]], value: float) -> View:
    if any(size < 0 for sizes in frame.values() for size in sizes):
        raise Unsupported("negative pads crop the map")
    rank = len(view.axes)
    if rank not in (2, 3):
        raise Unsupported(f"pads a tensor of {rank + 1} axes; only 1-D and 2-D maps can be padded")
    # Whichever axis is not padded may be the channels; the user's usual first one is preferred.
    free = [axis for axis in range(rank) if axis not in frame]
    if not free:
        raise Unsupported("pads the channels")
    last = next((axis for axis in free if view.dim_of(axis) == 2), free[0])
    space = [axis for axis in range(rank) if axis != last]
    groups = [[], *([axis] for axis in space), [last]] if rank == 2 else [*([axis] for axis in space), [last]]
    tensor = call.builder.arrange(call, view, groups)
    order = (*space, last)
    inner = ordered(tensor, call.builder.tensors[tensor].shape, view.user_shape, order)
    frames = [frame.get(axis, (0, 0)) for axis in space]
    (top, bottom), (left, right) = frames if rank == 3 else ((0, 0), frames[0])
    sizes = [size + sum(frame.get(axis, (0, 0))) for axis, size in enumerate(view.user_shape)]
    h, w, c = inner.shape
    outer = ordered(tensor, (h + top + bottom, w + left + right, c), tuple(sizes), order)
    return View(tensor, outer.shape, outer.axes, inner, (top, left, bottom, right), value)
