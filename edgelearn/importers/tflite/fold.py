"""Shape arithmetic on constants, which exporters leave in the graph: computed at import."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgelearn.importers.tflite.call import Call, Const, Unsupported, Value

# Shapes and axes are short; anything longer would be real computation.
_LONGEST = 64


def shape_of(call: Call) -> Const:
    """SHAPE of an activation: every size is known, the batch is 1."""
    value = call.raw()
    shape = value.shape if isinstance(value, Value) else value.array.shape
    return Const(np.array(shape, np.int32))


def _strided_slice(call: Call) -> Const:
    array = _short(call, 0)
    begin, end, step = (call.integers(k, "a bound") for k in (1, 2, 3))
    if array.ndim != 1 or any(len(bound) != 1 for bound in (begin, end, step)) or step[0] == 0:
        raise Unsupported("only one-dimensional constants can be sliced")
    if call.option("EllipsisMask") or call.option("NewAxisMask") or call.option("Offset"):
        raise Unsupported("ellipsis, new axes and offsets are not supported")
    if call.option("ShrinkAxisMask"):
        return Const(array[begin[0]])
    first = None if call.option("BeginMask") else begin[0]
    last = None if call.option("EndMask") else end[0]
    return Const(array[first : last : step[0]])


def _pack(call: Call) -> Const:
    parts = [_short(call, k) for k in range(len(call.inputs))]
    return Const(np.stack(parts, axis=call.option("Axis")))


def _concatenation(call: Call) -> Const:
    parts = [_short(call, k) for k in range(len(call.inputs))]
    return Const(np.concatenate(parts, axis=call.option("Axis")))


def _reshape(call: Call) -> Const:
    array = _short(call, 0)
    return Const(array.reshape(call.integers(1, "the shape") if call.has(1) else call.option("NewShape")))


def _binary(function: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[[Call], Const]:
    def fold(call: Call) -> Const:
        if call.option("FusedActivationFunction"):
            raise Unsupported("a fused activation on constants")
        return Const(np.asarray(function(_short(call, 0), _short(call, 1))))

    return fold


def _short(call: Call, position: int) -> np.ndarray:
    const = call.const(position, "an operand")
    if const.array.size > _LONGEST or const.array.dtype.kind not in "iu" or const.quant is not None:
        raise Unsupported("only short lists of integers are computed at import")
    return np.asarray(const.array)


FOLDS: dict[str, Callable[[Call], Const]] = {
    "STRIDED_SLICE": _strided_slice,
    "PACK": _pack,
    "CONCATENATION": _concatenation,
    "RESHAPE": _reshape,
    "ADD": _binary(np.add),
    "SUB": _binary(np.subtract),
    "MUL": _binary(np.multiply),
}
