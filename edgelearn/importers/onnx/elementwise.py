"""Activations, softmax, and nodes that do nothing at inference."""

from __future__ import annotations

import math

import numpy as np

from edgelearn.importers.onnx.arithmetic import number
from edgelearn.importers.onnx.call import Call, Result, Unsupported, handles
from edgelearn.importers.onnx.constant import Const
from edgelearn.importers.onnx.order import placed
from edgelearn.importers.onnx.view import View

GELU = {"none": "gelu", "tanh": "gelu_tanh"}
_FLOATS = (1, 10)  # TensorProto.FLOAT and FLOAT16


def _relu(call: Call, slope: float, limit: float) -> Result:
    view = call.view()
    out = call.builder.emit(call, "relu", (view.tensor,), {"slope": slope, "max": limit})
    return view.placed(out.name)


def _plain(call: Call, op: str) -> View:
    """An op of one operand without attributes."""
    view = call.view()
    return view.placed(call.builder.emit(call, op, (view.tensor,)).name)


@handles("Relu", anywhere=True)
def relu(call: Call) -> Result:
    """max(x, 0)."""
    return _relu(call, 0.0, math.inf)


@handles("LeakyRelu", anywhere=True)
def leaky_relu(call: Call) -> Result:
    """x or alpha * x."""
    return _relu(call, call.number("alpha", 0.01), math.inf)


@handles("Clip", anywhere=True)
def clip(call: Call) -> Result:
    """Clip from a finite lower limit; from 0 it is a ReLU, else one between two shifts."""
    bounds = []
    for position, name, default in ((1, "min", -math.inf), (2, "max", math.inf)):
        if call.opset < 11:
            bounds.append(call.number(name, default))
        elif call.has(position):
            bounds.append(float(call.weight(position, name).array.reshape(())))
        else:
            bounds.append(default)
    low, high = bounds
    if low == -math.inf and high == math.inf:
        return call.view()
    high = math.inf if high >= float(np.finfo(np.float32).max) else high
    if not math.isfinite(low) or not high > low:
        raise Unsupported(f"clips to [{low:g}, {high:g}]; supported is a finite lower limit below the upper one")
    if low == 0.0:
        return _relu(call, 0.0, high)
    view = number(call, "add", call.view(), -low, "moved")
    out = call.builder.emit(call, "relu", (view.tensor,), {"slope": 0.0, "max": high - low}, "clipped")
    return number(call, "add", view.placed(out.name), low)


@handles("Sigmoid", "Tanh", anywhere=True)
def smooth(call: Call) -> Result:
    """Sigmoid and tanh."""
    return _plain(call, call.proto.op_type.lower())


@handles("Softmax", "LogSoftmax")
def softmax(call: Call) -> Result:
    """Softmax over the classes, which must lie last in memory."""
    view = call.view()
    rank = len(view.axes) + 1
    axis = call.axis(call.integer("axis", -1 if call.opset >= 13 else 1), rank)
    size = view.user_shape[axis]
    if call.opset < 13 and math.prod(view.user_shape[axis + 1 :]) > 1:
        raise Unsupported(f"before opset 13 it normalises over all axes from {axis + 1} on, here more than one")
    if view.shape[-1] != size or (size > 1 and view.axes[axis] != ((size, 1),)):
        raise Unsupported(f"axis {axis + 1} is not the class axis: it does not lie last on the device")
    op = "softmax" if call.proto.op_type == "Softmax" else "log_softmax"
    return view.placed(call.builder.emit(call, op, (view.tensor,)).name)


@handles("HardSigmoid", anywhere=True)
def hard_sigmoid(call: Call) -> Result:
    """clip(alpha * x + beta, 0, 1)."""
    view, attrs = call.view(), {"alpha": call.number("alpha", 0.2), "beta": call.number("beta", 0.5)}
    return view.placed(call.builder.emit(call, "hard_sigmoid", (view.tensor,), attrs).name)


@handles("HardSwish", anywhere=True)
def hard_swish(call: Call) -> Result:
    """x * clip(x + 3, 0, 6) / 6, also where a file writes it out in Add, Clip, Mul and Div."""
    return _plain(call, "hard_swish")


@handles("Swish", anywhere=True)
def swish(call: Call) -> Result:
    """x * sigmoid(x), where a file writes it out in Sigmoid and Mul."""
    if call.number("alpha", 1.0) != 1.0:
        raise Unsupported(f"alpha is {call.number('alpha', 1.0):g}, only 1 is supported")
    return _plain(call, "silu")


@handles("Gelu", anywhere=True)
def gelu(call: Call) -> Result:
    """GELU in both of its forms, also where a file writes them out in Erf or Tanh and arithmetic."""
    form = call.text("approximate", "none")
    if form not in GELU:
        raise Unsupported(f"approximate is {form}, supported are none and tanh")
    return _plain(call, GELU[form])


@handles("Softplus", anywhere=True)
def softplus(call: Call) -> Result:
    """log(1 + exp(x))."""
    return _plain(call, "softplus")


@handles("Mish", anywhere=True)
def mish(call: Call) -> Result:
    """x * tanh(softplus(x))."""
    view = call.view()
    soft = call.builder.emit(call, "softplus", (view.tensor,), suffix="softplus").name
    gate = call.builder.emit(call, "tanh", (soft,), suffix="tanh").name
    return view.placed(call.builder.emit(call, "mul", (view.tensor, gate)).name)


@handles("Abs", anywhere=True)
def absolute(call: Call) -> Result:
    """|x|, a leaky ReLU with slope -1."""
    return _relu(call, -1.0, math.inf)


@handles("Celu", anywhere=True)
def celu(call: Call) -> Result:
    """x, or alpha * (exp(x / alpha) - 1) below zero: an ELU between two factors."""
    view, alpha = call.view(), call.number("alpha", 1.0)
    if not alpha > 0:
        raise Unsupported(f"alpha is {alpha:g}, only positive ones are supported")
    return _scaled_elu(call, view if alpha == 1.0 else number(call, "mul", view, 1 / alpha, "divided"), 1.0, alpha)


@handles("Selu", anywhere=True)
def selu(call: Call) -> Result:
    """gamma times an ELU."""
    alpha, gamma = call.number("alpha", 1.67326319217681884765625), call.number("gamma", 1.05070102214813232421875)
    if not alpha > 0:
        raise Unsupported(f"alpha is {alpha:g}, only positive ones are supported")
    return _scaled_elu(call, call.view(), alpha, gamma)


def _scaled_elu(call: Call, view: View, alpha: float, factor: float) -> View:
    whole = factor == 1.0
    out = call.builder.emit(call, "elu", (view.tensor,), {"alpha": alpha}, "" if whole else "elu").name
    return view.placed(out) if whole else number(call, "mul", view.placed(out), factor)


@handles("Elu", anywhere=True)
def elu(call: Call) -> Result:
    """x, or alpha * (exp(x) - 1) below zero, for a positive alpha."""
    view, alpha = call.view(), call.number("alpha", 1.0)
    if not alpha > 0:
        raise Unsupported(f"alpha is {alpha:g}, only positive ones are supported")
    return view.placed(call.builder.emit(call, "elu", (view.tensor,), {"alpha": alpha}).name)


@handles("PRelu", anywhere=True)
def prelu(call: Call) -> Result:
    """x or slope * x; the slope, one or one a channel, stays trainable."""
    view = call.view()
    slope = placed(call, view, call.weight(1, "the slope"), "slope")
    return view.placed(call.builder.emit(call, "prelu", (view.tensor, slope)).name)


@handles("Identity")
def identity(call: Call) -> Result:
    """Nothing."""
    return call.raw()


@handles("Dropout")
def dropout(call: Call) -> Result:
    """Nothing at inference."""
    if call.has(2) and bool(np.any(call.const(2, "training_mode").array)):
        raise Unsupported("it drops elements at inference (training_mode is true)")
    return call.raw()


@handles("Cast")
def cast(call: Call) -> Result:
    """Between float32 and float16, which is computed in float32; constants are folded elsewhere."""
    if call.integer("to", 0) not in _FLOATS:
        raise Unsupported("casts to something other than float32 or float16")
    return call.raw()


@handles("CastLike", anywhere=True)
def cast_like(call: Call) -> Result:
    """To the type of an activation, which is float32."""
    value, like = call.raw(0), call.raw(1)
    if isinstance(value, View):
        if isinstance(like, Const) and like.array.dtype != np.float32:
            raise Unsupported("casts to something other than float32 or float16")
        return value
    return value if value.array.dtype == np.float32 else Const(value.array.astype(np.float32))
