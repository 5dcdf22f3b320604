"""Nodes that only rename axes: nothing of them is left on the device. And PAD, TRANSPOSE and CONCATENATION."""

from __future__ import annotations

import math

from edgelearn.importers.tflite.call import Call, Result, Shape, Unsupported, Value, handles, sample_shape
from edgelearn.importers.tflite.fused import fused
from edgelearn.ops import OPS


def _same_numbers(call: Call, value: Value) -> None:
    """Unsupported where the file would read the same integers with another scale."""
    tensor = call.builder.tensors[value.tensor]
    declared = (call.output.scale[:1], call.output.zero_point[:1])
    if tensor.quant is not None and declared != (tensor.quant.scale, tensor.quant.zero_point):
        raise Unsupported("its input and its output have different scales")


def _renamed(call: Call, value: Value, shape: Shape) -> Value:
    if math.prod(shape) != math.prod(value.shape):
        raise Unsupported(f"{value.shape} can't become {shape}")
    if not shape or shape[0] != 1:
        raise Unsupported(f"{shape} has no batch axis of 1 in front")
    _same_numbers(call, value)
    call.builder.takes(value.tensor, sample_shape(shape))
    return Value(value.tensor, shape)


@handles("RESHAPE")
def reshape(call: Call) -> Result:
    """Any shape that keeps a batch of 1 in front."""
    value = call.value()
    target = call.integers(1, "the shape") if call.has(1) else call.option("NewShape")
    known = math.prod(n for n in target if n != -1)
    if not target or any(n < 1 and n != -1 for n in target) or target.count(-1) > 1 or len(target) > 8:
        raise Unsupported(f"shape {target} does not fit {value.shape}")
    return _renamed(call, value, tuple(math.prod(value.shape) // known if n == -1 else n for n in target))


@handles("SQUEEZE")
def squeeze(call: Call) -> Result:
    """Drop axes of size 1; without a list, all but the batch's."""
    value = call.value()
    listed = call.option("SqueezeDims") or [k for k, n in enumerate(value.shape) if n == 1 and k]
    axes = call.axes(listed, len(value.shape))
    if any(value.shape[axis] != 1 for axis in axes):
        raise Unsupported(f"squeezes an axis of {value.shape} that is not 1")
    return _renamed(call, value, tuple(n for k, n in enumerate(value.shape) if k not in axes))


@handles("EXPAND_DIMS")
def expand_dims(call: Call) -> Result:
    """Insert an axis of size 1."""
    value = call.value()
    listed = call.integers(1, "the axis")
    axis = call.axes(listed, len(value.shape) + 1)[0]
    return _renamed(call, value, (*value.shape[:axis], 1, *value.shape[axis:]))


@handles("TRANSPOSE")
def transpose(call: Call) -> Result:
    """Another order of the axes; moves memory unless only axes of size 1 change places."""
    value = call.value()
    rank = len(value.shape)
    perm = call.integers(1, "the permutation")
    if sorted(perm) != list(range(rank)) or perm[0] != 0:
        raise Unsupported(f"perm {perm} of {value.shape} is not supported: it must keep the batch in front")
    shape = tuple(value.shape[axis] for axis in perm)
    moving = [axis for axis in perm if value.shape[axis] > 1]
    if moving == sorted(moving):
        return _renamed(call, value, shape)
    if rank not in (3, 4):
        raise Unsupported(f"it moves axes of {value.shape}; only maps (1, H, W, C) and (1, W, C) are supported")
    _same_numbers(call, value)
    device = tuple(axis - 1 for axis in perm[1:]) if rank == 4 else (0, *perm[1:])
    x = call.builder.shaped(call, value.tensor, sample_shape(value.shape))
    return Value(call.builder.emit(call, "transpose", (x,), {"perm": device}).name, shape)


@handles("PAD", "PADV2")
def pad(call: Call) -> Result:
    """A constant frame around a map: kept pending, because most convolutions can take it into their own padding."""
    value = call.value()
    sizes = call.integers(1, "the padding")
    rank = len(value.shape)
    if len(sizes) != 2 * rank or min(sizes) < 0:
        raise Unsupported(f"paddings {sizes} do not fit {value.shape}")
    _same_numbers(call, value)
    if not any(sizes):
        return value
    fill = _fill(call) if call.has(2) else 0.0
    frames = [(sizes[2 * k], sizes[2 * k + 1]) for k in range(rank)]
    if rank == 3:
        frames, value = [frames[0], (0, 0), *frames[1:]], Value(value.tensor, (1, *value.shape))
    if len(frames) != 4 or any(frames[0]) or any(frames[-1]):
        raise Unsupported(f"paddings {sizes} of {value.shape} are not supported, only of height and width")
    (top, bottom), (left, right) = frames[1:3]
    h, w, c = value.shape[1:]
    x = call.builder.shaped(call, value.tensor, (h, w, c))
    outer = (h + top + bottom, w + left + right, c)
    return Value(x, (1, *outer)[-rank:] if rank == 4 else (1, *outer[1:]), (top, left, bottom, right), fill)


def _fill(call: Call) -> float:
    const = call.const(2, "the padding value")
    if const.array.size != 1:
        raise Unsupported("the padding value is not one number")
    number = float(const.array.ravel()[0])
    if const.quant is None:
        return number
    return const.quant.scale[0] * (number - const.quant.zero_point[0])


@handles("CONCATENATION")
def concatenation(call: Call) -> Result:
    """Several tensors side by side, two at a time."""
    values = [call.value(k) for k in range(len(call.inputs))]
    if len(values) == 1:
        return fused(call, values[0])
    if "concat" not in OPS:
        raise Unsupported("this op is not supported")
    rank = len(values[0].shape)
    axis = call.axes([call.option("Axis")], rank)[0]
    if len({(*v.shape[:axis], 0, *v.shape[axis + 1 :]) for v in values}) != 1 or rank > 4:
        raise Unsupported("its inputs have different shapes, or too many axes")
    for value in values:
        _same_numbers(call, value)
    # (1, W, C) lies on the device as (1, W, C), (1, H, W, C) as (H, W, C) and (1, C) as (C,).
    place = axis if rank == 3 else axis - 1
    names = [call.builder.shaped(call, v.tensor, sample_shape(v.shape)) for v in values]
    joined = names[0]
    for k, name in enumerate(names[1:]):
        suffix = "" if k == len(names) - 2 else f"part{k + 1}"
        joined = call.builder.emit(call, "concat", (joined, name), {"axis": place}, suffix).name
    total = sum(v.shape[axis] for v in values)
    return fused(call, Value(joined, (*values[0].shape[:axis], total, *values[0].shape[axis + 1 :])))
