"""Normalisations: BatchNormalization with frozen statistics, layer and instance with those of the sample."""

from __future__ import annotations

import math

import numpy as np

from edgelearn.importers.onnx.call import Call, Result, Unsupported, handles
from edgelearn.importers.onnx.constant import Const
from edgelearn.importers.onnx.conv import image
from edgelearn.importers.onnx.order import axes_last, placed
from edgelearn.importers.onnx.view import View, channels_first


@handles("BatchNormalization")
def batch_norm(call: Call) -> Result:
    """y = (x - mean) * inv_std * gamma + beta over the channels, which must lie last in memory."""
    view = call.view()
    if call.flag("training_mode", False) or not call.flag("spatial", True):
        raise Unsupported("only inference with one mean and variance a channel is supported (training_mode 0)")
    parts = [call.weight(k, what, 1) for k, what in enumerate(("scale", "bias", "mean", "variance"), start=1)]
    channels = view.user_shape[0]
    if any(part.array.size != channels for part in parts):
        raise Unsupported(f"its statistics do not have the input's {channels} channels")
    if len(view.axes) == 1 and view.shape[-1] != channels:  # a flattened map: a vector in the order of memory
        place = np.argsort(call.builder.flat_order(view))
        parts = [part.moved(lambda a: a[place]) for part in parts]
        view = View(call.builder.reshaped(call, view.tensor, (channels,)), (channels,), view.axes)
    else:
        view = channels_last(call, view)
    gamma, beta, mean, variance = parts
    with np.errstate(invalid="ignore", divide="ignore"):
        inv_std = 1.0 / np.sqrt(variance.array.astype(np.float64) + call.number("epsilon", 1e-5))
    if not np.isfinite(inv_std).all():
        raise Unsupported("its variance plus epsilon is not positive everywhere")
    names = [view.tensor]
    names += [call.builder.weight(call, "gamma", gamma), call.builder.weight(call, "beta", beta)]
    for suffix, array in (("mean", mean.array), ("inv_std", inv_std.astype(np.float32))):
        names.append(call.builder.weight(call, suffix, Const(array)))
    return view.placed(call.builder.emit(call, "batch_norm", names).name)


def channels_last(call: Call, view: View, axis: int = 0) -> View:
    """A channels-first view with its channels last in memory."""
    channels, rank = view.user_shape[axis], len(view.user_shape)
    if view.shape[-1] == channels and (channels == 1 or view.axes[axis] == ((channels, 1),)):
        return view
    if rank not in (2, 3):
        raise Unsupported(f"its channels do not lie last in the {rank + 1}-D input")
    tensor = image(call, fold=False)[0]
    return channels_first(tensor, call.builder.tensors[tensor].shape, rank)


@handles("LayerNormalization", anywhere=True)
def layer_norm(call: Call) -> Result:
    """Statistics of each sample over the last axes, also where a file writes them out.

    Written out: ReduceMean, Sub, Pow or Mul, ReduceMean, Add, Sqrt, Div, then Mul and Add. Scale and shift stay
    trainable.
    """
    view = call.view()
    rank = len(view.axes) + 1
    axes = list(range(call.axis(call.integer("axis", -1), rank, view.batch), rank - 1))
    if view.batch > axes[0]:
        raise Unsupported("it works along the batch axis")
    view = axes_last(call, view, axes)
    whole = tuple(view.user_shape[axis] for axis in axes)
    names = [view.tensor]
    for position, what in ((1, "gamma"), (2, "beta")):
        const = call.weight(position, what) if call.has(position) else None
        if const is None and what == "gamma":
            const, what = Const(np.ones(whole, np.float32)), "ones"
        if const is not None and const.array.size != math.prod(whole):
            const = Const(np.ascontiguousarray(np.broadcast_to(const.array, whole)))
        names.append("" if const is None else placed(call, view, const, what))
    return view.placed(call.builder.emit(call, "layer_norm", names, {"epsilon": call.number("epsilon", 1e-5)}).name)


@handles("InstanceNormalization")
def instance_norm(call: Call) -> Result:
    """Statistics of each channel of each sample over all positions; scale and shift stay trainable."""
    view = channels_last(call, call.view())
    names = [view.tensor]
    for position, what in ((1, "gamma"), (2, "beta")):
        const = call.weight(position, what, 1)
        if const.array.size != view.user_shape[0]:
            raise Unsupported(f"{what} has {const.array.size} values for {view.user_shape[0]} channels")
        names.append(call.builder.weight(call, what, const))
    return view.placed(call.builder.emit(call, "instance_norm", names, {"epsilon": call.number("epsilon", 1e-5)}).name)
