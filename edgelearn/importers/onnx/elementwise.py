"""Activations, additions, softmax, and nodes that do nothing at inference."""

from __future__ import annotations

import math

import numpy as np

from edgelearn.importers.onnx.call import Call, Result, Unsupported, handles
from edgelearn.importers.onnx.constant import Const
from edgelearn.importers.onnx.view import View

_FLOAT = 1  # TensorProto.FLOAT


def _relu(call: Call, slope: float, limit: float) -> Result:
    view = call.view()
    out = call.builder.emit(call, "relu", (view.tensor,), {"slope": slope, "max": limit})
    return view.placed(out.name)


@handles("Relu")
def relu(call: Call) -> Result:
    """max(x, 0)."""
    return _relu(call, 0.0, math.inf)


@handles("LeakyRelu")
def leaky_relu(call: Call) -> Result:
    """x or alpha * x."""
    return _relu(call, call.number("alpha", 0.01), math.inf)


@handles("Clip")
def clip(call: Call) -> Result:
    """Clip from 0 to a positive limit (ReLU6), bounds as attributes up to opset 10, as inputs since."""
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
    if low != 0.0 or not high > 0.0:
        raise Unsupported(f"clips to [{low:g}, {high:g}]; supported is 0 to a positive limit")
    return _relu(call, 0.0, high)


@handles("Sigmoid", "Tanh")
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


@handles("Add", "Sum")
def add(call: Call) -> Result:
    """A residual sum of two activations, or a constant that becomes the bias of the layer before it."""
    if len(call.inputs) == 1:
        return call.raw()
    if len(call.inputs) != 2:
        raise Unsupported(f"a sum of {len(call.inputs)} tensors is not supported, only of two")
    first, second = call.raw(0), call.raw(1)
    if isinstance(first, View) and isinstance(second, View):
        return _add_maps(call, call.view(0), call.view(1))
    return _add_constant(call, 1 if isinstance(second, Const) else 0)


def _add_maps(call: Call, a: View, b: View) -> Result:
    if a.user_shape != b.user_shape:
        raise Unsupported(f"adds {a.user_shape} and {b.user_shape}; broadcasting activations is not supported")
    tensor = b.tensor
    if a.axes != b.axes or a.shape != b.shape:
        groups: list[list[int]] = [[], [], []]
        for axis, size in enumerate(a.user_shape):
            dim = a.dim_of(axis)
            if size > 1 and (dim is None or len(a.shape) != 3):
                raise Unsupported("its two inputs lie differently in memory")
            if size > 1 and dim is not None:
                groups[dim].append(axis)
        tensor = call.builder.arrange(call, b, groups)
    if call.builder.tensors[a.tensor].shape != call.builder.tensors[tensor].shape:
        raise Unsupported("its two inputs have different shapes on the device")
    return a.placed(call.builder.emit(call, "add", (a.tensor, tensor)).name)


def _add_constant(call: Call, position: int) -> Result:
    view = call.view(1 - position)
    const = call.weight(position, "the addend")
    rank = len(view.axes)
    shape = const.array.shape
    if len(shape) > rank + 1 or (len(shape) == rank + 1 and shape[0] != 1):
        raise Unsupported(f"adds a constant {shape} that does not fit one sample {view.user_shape}")
    full = (1,) * (rank + 1 - len(shape)) + shape
    varying = [axis for axis in range(rank) if full[axis + 1] > 1]
    if any(full[axis + 1] not in (1, view.user_shape[axis]) for axis in range(rank)):
        raise Unsupported(f"adds a constant {shape} that does not fit one sample {view.user_shape}")
    channels = view.shape[-1]
    last = [axis for axis in varying if view.axes[axis] == ((channels, 1),)]
    alone = len(varying) == 1 and varying == last
    if (alone or channels == const.array.size == 1) and call.builder.add_bias(
        call, view, const.moved(lambda a: a.reshape(-1))
    ):
        return view
    spread = np.broadcast_to(const.array.reshape(full[1:]), view.user_shape).ravel()
    values = np.empty(spread.size, np.float32)
    values[call.builder.flat_order(view)] = spread
    name = call.builder.weight(call, "constant", Const(values.reshape(view.shape)))
    return view.placed(call.builder.emit(call, "add", (view.tensor, name)).name)


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
    """From float32 to float32; constants are folded elsewhere."""
    if call.integer("to", 0) != _FLOAT:
        raise Unsupported("casts to something other than float32")
    return call.raw()
