"""Sums, products and activation functions."""

from __future__ import annotations

import math

import numpy as np

from edgelearn.importers.tflite.call import Call, Const, Result, Unsupported, Value, handles, sample_shape
from edgelearn.importers.tflite.fused import LIMITS, clipped
from edgelearn.importers.tflite.numbers import activation_format, real_values
from edgelearn.ops import OPS


@handles("RELU", "RELU6", "RELU_0_TO_1")
def relu(call: Call) -> Result:
    """max(x, 0), or that and at most 6 or 1."""
    return _unary(call, "relu", slope=0.0, max=LIMITS[call.op])


@handles("RELU_N1_TO_1")
def relu_n1_to_1(call: Call) -> Result:
    """Clipped to [-1, 1]."""
    return clipped(call, call.value())


@handles("LEAKY_RELU")
def leaky_relu(call: Call) -> Result:
    """x or alpha * x."""
    return _unary(call, "relu", slope=float(call.option("Alpha")), max=math.inf)


@handles("LOGISTIC", "TANH")
def smooth(call: Call) -> Result:
    """Sigmoid and tanh."""
    return _unary(call, "sigmoid" if call.op == "LOGISTIC" else "tanh")


@handles("GELU")
def gelu(call: Call) -> Result:
    """GELU in both of its forms."""
    return _unary(call, "gelu_tanh" if call.option("Approximate") else "gelu")


@handles("ABS")
def absolute(call: Call) -> Result:
    """|x|, a leaky ReLU with slope -1."""
    return _unary(call, "relu", slope=-1.0, max=math.inf)


@handles("HARD_SWISH")
def hard_swish(call: Call) -> Result:
    """x * relu6(x + 3) / 6."""
    return _unary(call, "hard_swish")


def _unary(call: Call, op: str, **attrs: float) -> Value:
    if op not in OPS:
        raise Unsupported("this op is not supported")
    value = call.value()
    return Value(call.builder.emit(call, op, (value.tensor,), attrs).name, value.shape)


@handles("PRELU")
def prelu(call: Call) -> Result:
    """One slope for all, which is a ReLU; or one a channel."""
    slope = call.const(1, "the slope")
    array = real_values(slope)
    if array.size and (array == array.flat[0]).all():
        return _unary(call, "relu", slope=float(array.flat[0]), max=math.inf)
    value = call.value()
    if "prelu" not in OPS or array.shape[-1:] != value.shape[-1:] or array.size != array.shape[-1]:
        raise Unsupported(f"slopes {array.shape} are not supported, only one for all channels")
    name = call.builder.weight(call, "slope", slope, (array.size,))
    return Value(call.builder.emit(call, "prelu", (value.tensor, name)).name, value.shape)


@handles("SOFTMAX")
def softmax(call: Call) -> Result:
    """Softmax over the last axis."""
    beta = call.option("Beta")
    if beta != 1.0:
        raise Unsupported(f"beta {beta:g} is not supported, only 1")
    value = call.value()
    x = value.tensor
    if call.builder.tensors[x].shape[-1] != value.shape[-1]:
        x = call.builder.shaped(call, x, sample_shape(value.shape))
    return Value(call.builder.emit(call, "softmax", (x,)).name, value.shape)


@handles("QUANTIZE")
def quantize(call: Call) -> Result:
    """Float to int8, or from one int8 scale to another."""
    value = call.value()
    fmt, quant = activation_format(call.output)
    if quant is None:
        raise Unsupported(f"quantises to {fmt.name}, supported is int8")
    if call.builder.tensors[value.tensor].quant == quant:
        return value
    return Value(call.builder.emit(call, "quantize", (value.tensor,)).name, value.shape)


@handles("DEQUANTIZE")
def dequantize(call: Call) -> Result:
    """Int8 to float; constants (fp16 or int8 weights) stay as the file stores them and are read as what they mean."""
    value = call.raw()
    if isinstance(value, Const):
        if value.array.dtype == np.float16:
            return Const(value.array.astype(np.float32), value.file)
        if value.quant is None:
            raise Unsupported(f"a constant of {value.array.dtype} without a scale")
        return value
    settled = call.value()
    if call.builder.tensors[settled.tensor].quant is None:
        raise Unsupported("its input is no int8 activation")
    return Value(call.builder.emit(call, "dequantize", (settled.tensor,)).name, settled.shape)
