"""Gemm and MatMul: dense layers, and 1x1 convolutions where a matrix is applied along a map."""

from __future__ import annotations

import math

import numpy as np

from edgelearn.importers.onnx.call import Call, Result, Unsupported, handles
from edgelearn.importers.onnx.constant import Const
from edgelearn.importers.onnx.view import View, ordered


def _dense(call: Call, view: View, weight: Const, bias: Const | None) -> View:
    """A dense layer on all elements of `view`; weight (out, in) is in the user's order and gets the device's."""
    order = call.builder.flat_order(view)
    if weight.array.shape[1] != order.size:
        raise Unsupported(f"weights {weight.array.shape} do not fit {order.size} inputs")
    columns = np.argsort(order)  # device element d is user element columns[d]
    weight = weight.moved(lambda a: a[:, columns])
    names = [view.tensor, call.builder.weight(call, "weight", weight), ""]
    if bias is not None:
        names[2] = call.builder.weight(call, "bias", bias)
    out = call.builder.emit(call, "dense", names)
    return ordered(out.name, out.shape, out.shape, (0,))


@handles("Gemm")
def gemm(call: Call) -> Result:
    """alpha * x W + beta * c with the factors folded into weights and bias."""
    view = call.view()
    if call.flag("transA", False):
        raise Unsupported("transA would mix the samples of a batch")
    if len(view.axes) != 1:
        raise Unsupported(f"needs vectors (N, K), here {len(view.axes) + 1} axes")
    weight = call.weight(1, "the weight matrix", 2)
    if not call.flag("transB", False):
        weight = weight.moved(np.transpose)
    weight = weight.scaled(call.number("alpha", 1.0))
    bias = call.weight(2, "the bias").scaled(call.number("beta", 1.0)) if call.has(2) else None
    if bias is not None:
        outputs = weight.array.shape[0]
        if bias.array.size == outputs and bias.array.shape in ((), (outputs,), (1, outputs)):
            bias = bias.moved(lambda a: a.reshape(-1))
        elif bias.array.size == 1:
            bias = Const(np.full(outputs, bias.array.item(), np.float32))
        else:
            raise Unsupported(f"bias {bias.array.shape} does not fit {outputs} outputs")
    return _dense(call, view, weight, bias)


@handles("MatMul", anywhere=True)
def matmul(call: Call) -> Result:
    """x W with constant W: dense on vectors, a 1x1 convolution along the last axis of maps."""
    if isinstance(call.raw(0), Const):
        raise Unsupported("a constant on the left would mix the samples of a batch or positions of a map")
    view = call.view()
    weight = call.weight(1, "the weight matrix", 2).moved(np.transpose)
    if view.batch == len(view.axes) > 0:
        raise Unsupported("it works along the batch axis")
    if weight.array.shape[1] != (view.user_shape[-1] if view.axes else 0):
        raise Unsupported(f"a matrix {weight.array.shape[::-1]} does not fit {view.user_shape}")
    leading = view.user_shape[:-1]
    if math.prod(leading) == 1:
        out = _dense(call, view, weight, None)
        return View(out.tensor, out.shape, ((),) * len(leading) + out.axes, batch=view.batch)
    if len(leading) > 2:
        raise Unsupported(f"needs at most two axes before the last, here {len(leading)}")
    groups = [[0], [1], [2]] if len(leading) == 2 else [[], [0], [1]]
    x = call.builder.arrange(call, view, groups)
    weight = weight.moved(lambda a: a[:, None, None, :])
    names = (x, call.builder.weight(call, "weight", weight), "")
    one = {"kernel": (1, 1), "stride": (1, 1), "pads": (0, 0, 0, 0), "groups": 1}
    out_map = call.builder.emit(call, "conv2d", names, one)
    user = (*leading, out_map.shape[2])
    return ordered(out_map.name, out_map.shape, user, tuple(range(len(user))), view.batch)
