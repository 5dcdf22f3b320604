"""Activations, softmax, and nodes that do nothing at inference."""

from __future__ import annotations

import math

import numpy as np

from edgelearn.importers.onnx.arithmetic import number
from edgelearn.importers.onnx.call import Call, Result, Unsupported, handles
from edgelearn.importers.onnx.order import placed

_FLOATS = (1, 10)  # TensorProto.FLOAT and FLOAT16


def _relu(call: Call, slope: float, limit: float) -> Result:
    view = call.view()
    out = call.builder.emit(call, "relu", (view.tensor,), {"slope": slope, "max": limit})
    return view.placed(out.name)


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
    view = call.view()
    return view.placed(call.builder.emit(call, call.proto.op_type.lower(), (view.tensor,)).name)


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
    view = call.view()
    return view.placed(call.builder.emit(call, "hard_swish", (view.tensor,)).name)


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
