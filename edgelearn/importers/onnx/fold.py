"""Nodes whose inputs are all constants: computed at import.

Exporters write shape arithmetic and transposed weights this way. Functions that only rearrange keep the way back into
the file; the others compute a new constant that has none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx

from edgelearn.importers.onnx.call import BATCH, Call, Unsupported
from edgelearn.importers.onnx.constant import Const

_LARGEST = 1 << 24


def _axes(call: Call, rank: int) -> list[int]:
    axes = call.integers(1, "axes") or []
    if any(not -rank <= axis < rank for axis in axes):
        raise Unsupported(f"axes {axes} do not exist in a tensor of {rank} axes")
    places = sorted({axis % rank for axis in axes})
    if len(places) != len(axes):
        raise Unsupported(f"axes {axes} name one place twice")
    return places


def _axis(value: int, rank: int) -> int:
    if not -rank <= value < rank:
        raise Unsupported(f"axis {value} does not exist in a tensor of {rank} axes")
    return value % rank


def _first(call: Call) -> Const:
    return call.const(0, "the input")


def _reshape(call: Call) -> Const:
    const, target = _first(call), call.integers(1, "shape") or []
    shape = [
        const.array.shape[k] if n == 0 and not call.flag("allowzero", False) and k < const.array.ndim else n
        for k, n in enumerate(target)
    ]
    if math.prod(n for n in shape if n != -1) > _LARGEST:
        raise Unsupported(f"shape {target} is absurd")
    return const.moved(lambda a: a.reshape(shape))


def _transpose(call: Call) -> Const:
    perm = call.ints("perm")
    return _first(call).moved(lambda a: a.transpose(perm))


def _squeeze(call: Call) -> Const:
    const = _first(call)
    axes = tuple(_axes(call, const.array.ndim)) or None
    if any(const.array.shape[axis] != 1 for axis in axes or ()):
        raise Unsupported(f"squeezes an axis of {const.array.shape} that is not 1")
    return const.moved(lambda a: a.squeeze(axes))


def _unsqueeze(call: Call) -> Const:
    const, listed = _first(call), call.integers(1, "axes")
    if listed is None:
        raise Unsupported("axes are missing")
    axes = _axes(call, const.array.ndim + len(listed))
    return const.moved(lambda a: np.expand_dims(a, tuple(axes)))


def _flatten(call: Call) -> Const:
    const, axis = _first(call), call.integer("axis", 1)
    rows = math.prod(const.array.shape[:axis])
    return const.moved(lambda a: a.reshape(rows, -1))


def _cast(call: Call) -> Const:
    const, to = _first(call), call.integer("to", 0)
    dtype = onnx.helper.tensor_dtype_to_np_dtype(to)
    if dtype == np.float16 and const.array.dtype == np.float32:
        return const  # float16 is computed in float32 throughout
    return const if dtype == const.array.dtype else Const(const.array.astype(dtype))


def _cast_like(call: Call) -> Const:
    const, dtype = _first(call), call.const(1, "the type").array.dtype
    return const if dtype == const.array.dtype else Const(const.array.astype(dtype))


def _range(call: Call) -> Const:
    dtype = call.const(0, "every bound").array.dtype
    start, limit, step = (call.const(k, "every bound").array.item() for k in range(3))
    if step == 0 or abs(limit - start) > abs(step) * _LARGEST:
        raise Unsupported(f"counts from {start} to {limit} in steps of {step}")
    return Const(np.arange(start, limit, step).astype(dtype))


def _gather(call: Call) -> Const:
    array, indices = _first(call).array, call.const(1, "the indices").array
    if indices.dtype.kind not in "iu":
        raise Unsupported(f"the indices are {indices.dtype}, expected integers")
    axis = _axis(call.integer("axis", 0), array.ndim)
    size = array.shape[axis]
    wrong = indices[(indices < -size) | (indices >= size)]
    if wrong.size:
        raise Unsupported(f"index {wrong[0]} does not exist on an axis of {size}")
    return Const(np.asarray(np.take(array, indices, axis=axis)))


def _concat(call: Call) -> Const:
    parts = [call.const(k, "every part").array for k in range(len(call.inputs))]
    axis = _axis(call.integer("axis", 0), parts[0].ndim)
    if len({(part.ndim, part.shape[:axis], part.shape[axis + 1 :]) for part in parts}) > 1:
        raise Unsupported(f"the parts do not fit together along axis {axis}")
    return Const(np.concatenate(parts, axis=axis))


def _slice(call: Call) -> Const:
    array = _first(call).array
    if call.opset < 10:
        starts, ends, axes = (call.ints(name) for name in ("starts", "ends", "axes"))
        steps: list[int] | None = None
    else:
        starts, ends, axes, steps = (call.integers(k, "") for k in range(1, 5))
    cut = [slice(None)] * array.ndim
    starts, ends = starts or [], ends or []
    axes = list(range(len(starts))) if axes is None else axes
    for axis, start, end, step in zip(axes, starts, ends, steps or [1] * len(starts), strict=True):
        # The specification says "to the end" with the smallest integer when walking backwards.
        cut[axis] = slice(start, None if step < 0 and end <= -(2**31) else end, step)
    return Const(array[tuple(cut)])


def _constant_of_shape(call: Call) -> Const:
    shape = _one_sample(_first(call).array)
    if any(n < 0 for n in shape) or math.prod(shape) > _LARGEST:
        raise Unsupported(f"shape {shape} is absurd")
    value = call.attrs.get("value")
    fill = np.zeros(1, np.float32) if value is None else onnx.numpy_helper.to_array(value)
    return Const(np.full(shape, fill.ravel()[0]))


def _one_sample(shape: np.ndarray) -> list[int]:
    """A shape in which the batch is of size 1: a constant that it makes is the same for all samples."""
    return [1 if n == BATCH else int(n) for n in shape.ravel()]


def _expand(call: Call) -> Const:
    array, shape = _first(call).array, _one_sample(call.const(1, "the shape").array)
    shape = list(np.broadcast_shapes(array.shape, shape))
    if math.prod(shape) > _LARGEST:
        raise Unsupported(f"shape {shape} is absurd")
    return Const(np.broadcast_to(array, shape))


def _where(call: Call) -> Const:
    condition, a, b = (call.const(k, "every input").array for k in range(3))
    if math.prod(np.broadcast_shapes(condition.shape, a.shape, b.shape)) > _LARGEST:
        raise Unsupported("the result is absurdly large")
    return Const(np.where(condition, a, b))


def _reduce(compute: Callable[..., np.ndarray]) -> Callable[[Call], Const]:
    def run(call: Call) -> Const:
        array = _first(call).array
        axes = tuple(_axes(call, array.ndim)) or None
        if axes is None and call.flag("noop_with_empty_axes", False):
            return Const(array)
        return Const(np.asarray(compute(array, axis=axes, keepdims=call.flag("keepdims", True)), array.dtype))

    return run


def _length(array: np.ndarray, **where: Any) -> np.ndarray:
    return np.asarray(np.sqrt(np.square(array.astype(np.float64)).sum(**where)))


def _unary(compute: Callable[[np.ndarray], np.ndarray]) -> Callable[[Call], Const]:
    def run(call: Call) -> Const:
        array = _first(call).array
        return Const(np.asarray(compute(array), array.dtype))

    return run


def _binary(compute: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[[Call], Const]:
    def run(call: Call) -> Const:
        a, b = (call.const(k, "both inputs").array for k in (0, 1))
        if math.prod(np.broadcast_shapes(a.shape, b.shape)) > _LARGEST:
            raise Unsupported("the result is absurdly large")
        return Const(np.asarray(compute(a, b)))

    return run


def _power(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if a.dtype.kind in "iu" and (b < 0).any():
        raise Unsupported("a negative power of integers")
    return np.asarray(np.power(a, b), a.dtype)


def _divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if a.dtype.kind not in "iu":
        return np.asarray(a / b)
    if not b.all():
        raise Unsupported("divides by zero")
    return np.asarray(np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b)), a.dtype)


def _quiet(function: Callable[[Call], Const]) -> Callable[[Call], Const]:
    def run(call: Call) -> Const:
        with np.errstate(all="ignore"):
            return function(call)

    return run


FOLDS: dict[str, Callable[[Call], Const]] = {
    "Identity": _first,
    "Dropout": _first,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Flatten": _flatten,
    "Cast": _quiet(_cast),
    "Gather": _gather,
    "Concat": _concat,
    "Slice": _slice,
    "ConstantOfShape": _constant_of_shape,
    "Expand": _expand,
    "Equal": _binary(np.equal),
    "Where": _where,
    "CastLike": _cast_like,
    "Range": _range,
    "ReduceProd": _reduce(np.prod),
    "ReduceSum": _reduce(np.sum),
    "ReduceMean": _reduce(np.mean),
    "ReduceL2": _reduce(_length),
    "Sqrt": _quiet(_unary(np.sqrt)),
    "Exp": _quiet(_unary(np.exp)),
    "Log": _quiet(_unary(np.log)),
    "Abs": _quiet(_unary(np.abs)),
    "Neg": _quiet(_unary(np.negative)),
    "Reciprocal": _quiet(_unary(np.reciprocal)),
    "Pow": _quiet(_binary(_power)),
    "Greater": _binary(np.greater),
    "Less": _binary(np.less),
    "Add": _quiet(_binary(np.add)),
    "Sub": _quiet(_binary(np.subtract)),
    "Mul": _quiet(_binary(np.multiply)),
    "Div": _quiet(_binary(_divide)),
}


def foldable(op: str, inputs: Sequence[object]) -> bool:
    """Whether a node with these resolved inputs is computed at import."""
    return op in FOLDS and bool(inputs) and all(value is None or isinstance(value, Const) for value in inputs)
