"""ADD, SUB and MUL: of two activations, or of one and a constant."""

from __future__ import annotations

import math

import numpy as np

from edgelearn.importers.tflite.call import Call, Const, Result, Unsupported, Value, handles, sample_shape
from edgelearn.importers.tflite.fused import fused
from edgelearn.importers.tflite.numbers import real_values
from edgelearn.ops import OPS

# Ops of two maps of one shape, and of a map and what repeats over its positions.
_SAME = {"ADD": "add", "SUB": "sub", "MUL": "mul"}
_REPEATED = {"ADD": "bias", "SUB": "sub", "MUL": "mul"}


@handles("ADD", "SUB", "MUL")
def arithmetic(call: Call) -> Result:
    """Two activations, or one and a constant."""
    if len(call.inputs) != 2:
        raise Unsupported(f"needs two inputs, here {len(call.inputs)}")
    first, second = call.raw(0), call.raw(1)
    if isinstance(first, Value) and isinstance(second, Value):
        return fused(call, _maps(call, call.value(0), call.value(1)))
    if isinstance(first, Const) and call.op == "SUB":
        raise Unsupported("a constant minus an activation is not supported")
    place = 1 if isinstance(second, Const) else 0
    return fused(call, _constant(call, call.value(1 - place), call.const(place, "the operand")))


def _maps(call: Call, a: Value, b: Value) -> Value:
    builder = call.builder
    if math.prod(a.shape) < math.prod(b.shape) and call.op != "SUB":
        a, b = b, a
    x, y = a.tensor, b.tensor
    if a.shape == b.shape:
        if builder.tensors[x].shape != builder.tensors[y].shape:
            y = builder.shaped(call, y, builder.tensors[x].shape)
        return Value(builder.emit(call, _need(_SAME[call.op]), (x, y)).name, a.shape)
    if len(a.shape) != len(b.shape) or any(n not in (1, m) for n, m in zip(b.shape, a.shape, strict=True)):
        raise Unsupported(f"shapes {a.shape} and {b.shape} are not supported together")
    x, y = (builder.shaped(call, v, sample_shape(s)) for v, s in ((x, a.shape), (y, b.shape)))
    return Value(builder.emit(call, _need(_REPEATED[call.op]), (x, y)).name, a.shape)


def _need(op: str) -> str:
    if op not in OPS:
        raise Unsupported("this kind of it is not supported")
    return op


def _constant(call: Call, value: Value, const: Const) -> Value:
    """x + c, x - c or x * c, where c has one value, one a channel, or fits the last axes."""
    builder = call.builder
    shape = tuple(int(n) for n in const.array.shape)
    full = (1,) * (len(value.shape) - len(shape)) + shape
    if len(full) != len(value.shape) or any(n not in (1, m) for n, m in zip(full, value.shape, strict=True)):
        raise Unsupported(f"a constant {shape} does not fit {value.shape}")
    integers = const.quant is not None and builder.tensors[value.tensor].quant is not None
    if call.op == "SUB" and not integers:
        const = Const(-real_values(const))
    varying = [axis for axis, n in enumerate(full) if n > 1]
    tail = all(full[k] == value.shape[k] for k in range(varying[0], len(full))) if varying else True
    own = full[varying[0] :] if varying else (1,)
    if not tail:
        spread = np.ascontiguousarray(np.broadcast_to(const.array.reshape(full), value.shape))
        const, own = Const(spread, None, const.quant), value.shape
    if const.quant is not None and const.quant.axis is not None:
        raise Unsupported("a constant operand has several scales")
    x = value.tensor
    if len(own) > 1 or own[0] not in (1, builder.tensors[x].shape[-1]):
        x = builder.shaped(call, x, sample_shape(value.shape))
    op = _REPEATED[call.op] if integers or call.op == "MUL" else "bias"
    if op not in OPS and op == "bias":
        op, size = "add", builder.tensors[x].shape
        spread = np.ascontiguousarray(np.broadcast_to(const.array.reshape(full), value.shape))
        name = builder.weight(call, "constant", Const(spread, None, const.quant), size)
    else:
        own = own[1:] if len(own) == len(value.shape) else own
        name = builder.weight(call, "constant", const, own)
    return Value(builder.emit(call, _need(op), (x, name)).name, value.shape)
