"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED: layers with weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from edgelearn.formats import F32, S8, S32
from edgelearn.graph import Quant
from edgelearn.importers.dilation import Emit, Line, Moves, convolved, line_of
from edgelearn.importers.tflite.builder import Builder
from edgelearn.importers.tflite.call import NO_PADS, Call, Const, Pads, Result, Shape, Unsupported, Value, handles
from edgelearn.importers.tflite.fused import fused

_SAME, _VALID = 0, 1


def window(call: Call, size: tuple[int, int], kernel: tuple[int, int]) -> dict[str, Any]:
    """Kernel, stride and explicit pads of a sliding window on a map of `size`; SAME puts the odd pixel last."""
    stride = (call.option("StrideH"), call.option("StrideW"))
    if min(stride) < 1 or min(kernel) < 1:
        raise Unsupported(f"stride {stride} or window {kernel} is not positive")
    mode = call.option("Padding")
    if mode not in (_SAME, _VALID):
        raise Unsupported(f"padding {mode} is unknown")
    pads: Pads = NO_PADS
    if mode == _SAME:
        totals = [
            max((math.ceil(n / s) - 1) * s + k - n, 0) for n, k, s in zip(size, kernel, stride, strict=True)
        ]  # fmt: skip
        top, left = (total // 2 for total in totals)
        pads = (top, left, totals[0] - top, totals[1] - left)
    return {"kernel": kernel, "stride": stride, "pads": pads}


def image(call: Call, *, fold: bool) -> tuple[str, Shape, Pads]:
    """The first input as a device map: tensor, (H, W, C) with the padding that is still to apply, that padding."""
    value = call.value(padded=True)
    if len(value.shape) != 4:
        raise Unsupported(f"needs maps (1, H, W, C), here {value.shape}")
    pads = value.pads
    if any(pads) and not (fold and value.fill == 0.0):
        value, pads = call.builder.settle(value, call), NO_PADS
    h, w, c = value.shape[1:]
    inner = (h - pads[0] - pads[2], w - pads[1] - pads[3], c)
    return call.builder.shaped(call, value.tensor, inner), (h, w, c), pads


def _window_of(call: Call, size: Shape, kernel: tuple[int, int], folded: Pads) -> dict[str, Any]:
    attrs = window(call, (size[0], size[1]), kernel)
    attrs["pads"] = tuple(a + b for a, b in zip(attrs["pads"], folded, strict=True))
    return attrs


def _kernel(call: Call, rank: int) -> Const:
    const = call.const(1, "the weights")
    if const.array.ndim != rank:
        raise Unsupported(f"the weights have shape {const.array.shape}, expected {rank} axes")
    if const.quant is not None and any(const.quant.zero_point):
        raise Unsupported("the weights have a zero point that is not 0")
    if const.array.dtype != (np.float32 if const.quant is None else np.int8):
        raise Unsupported(f"the weights are {const.array.dtype}, supported are float32, float16 and int8 with scales")
    return const


def _along(const: Const, file_axis: int, axis: int) -> Quant | None:
    """The weights' quantisation on the device, where the file's axis `file_axis` is `axis`."""
    quant = const.quant
    if quant is None or quant.axis is None:
        return quant
    if quant.axis != file_axis:
        raise Unsupported(f"the weights have scales along axis {quant.axis}, supported is {file_axis}")
    return Quant(quant.scale, quant.zero_point, axis)


def _operands(call: Call, x: str, weight: Const, shape: Shape, quant: Quant | None, channels: int) -> tuple[str, ...]:
    """Input, weight and bias; an int8 layer's bias has the scale that the runtime uses: input times weight."""
    builder: Builder = call.builder
    source = builder.tensors[x]
    if source.format is S8 and weight.quant is None:
        raise Unsupported("int8 activations with float weights are not supported")
    name = builder.weight(call, "weight", weight, shape, quant)
    if not call.has(2):
        return x, name, ""
    bias = call.const(2, "the bias")
    if bias.array.size != channels:
        raise Unsupported(f"bias {bias.array.shape} does not fit {channels} outputs")
    if source.format is F32:
        if bias.array.dtype != np.float32:
            raise Unsupported(f"the bias is {bias.array.dtype}, expected float32")
        return x, name, builder.weight(call, "bias", bias, (channels,))
    if bias.array.dtype != np.int32:
        raise Unsupported(f"the bias is {bias.array.dtype}, expected int32")
    assert source.quant is not None
    assert quant is not None
    scale = tuple(source.quant.scale[0] * s for s in quant.scale)
    own = Quant(scale, (0,) * len(scale), None if len(scale) == 1 else 0)
    return x, name, builder.weight(call, "bias", bias, (channels,), own, S32)


def _line(call: Call, size: Shape, kernel: tuple[int, int], folded: Pads) -> Line | None:
    """How the node is dilated on a map of `size` without `folded` pads; None if it is not. Unsupported as `line_of`."""
    dilation = (call.option("DilationHFactor"), call.option("DilationWFactor"))
    pads = folded
    if call.option("Padding") == _SAME:
        total = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
        pads = (
            folded[0] + total[0] // 2, folded[1] + total[1] // 2,
            folded[2] + total[0] - total[0] // 2, folded[3] + total[1] - total[1] // 2,
        )  # fmt: skip
    try:
        return line_of(dilation, (call.option("StrideH"), call.option("StrideW")), size, kernel, pads)
    except ValueError as error:
        raise Unsupported(str(error)) from None


def _moves(call: Call) -> Moves:
    builder: Builder = call.builder

    def padded(x: str, pads: Pads) -> str:
        height, wide, channels = builder.tensors[x].shape
        return builder.settle(Value(x, (1, height + pads[0] + pads[2], wide, channels), pads), call).tensor

    def first(x: str, count: int) -> str:
        return builder.emit(call, "slice", (x,), {"axis": 0, "start": 0, "stop": count}, "cut").name

    return Moves(lambda x, shape: builder.shaped(call, x, shape), padded, first)


def _slid(call: Call, x: str, size: Shape, kernel: tuple[int, int], folded: Pads, wide: int, emit: Emit) -> Value:
    """The layer of `wide` channels that `emit` adds, dilated or not, with its fused activation.

    `size` is the map with `folded` pads.
    """
    builder: Builder = call.builder

    def layer(source: str, kernel: Shape, attrs: Mapping[str, Any]) -> str:
        name = emit(source, kernel, attrs)
        return fused(call, Value(name, (1, *builder.tensors[name].shape))).tensor

    bare = (size[0] - folded[0] - folded[2], size[1] - folded[1] - folded[3], size[2])
    line = _line(call, bare, kernel, folded)
    if line is None:
        name = layer(x, kernel, _window_of(call, size, kernel, folded))
    else:
        name = convolved(x, line, (size[2], wide), _moves(call), layer)
    return Value(name, (1, *builder.tensors[name].shape))


@handles("CONV_2D")
def conv(call: Call) -> Result:
    """Weights [Co, kh, kw, Ci / groups], as on the device."""
    x, size, folded = image(call, fold=True)
    weight = _kernel(call, 4)
    co, kh, kw, ci = weight.array.shape
    if size[2] % ci or co % (size[2] // ci):
        raise Unsupported(f"weights {weight.array.shape} do not fit {size[2]} input channels")

    def emit(source: str, kernel: Shape, attrs: Mapping[str, Any]) -> str:
        names = _operands(call, source, weight, (co, *kernel, ci), _along(weight, 0, 0), co)
        own = {"kernel": kernel, "groups": size[2] // ci}
        return call.builder.emit(call, "conv2d", names, {**attrs, **own}).name

    return _slid(call, x, size, (kh, kw), folded, co, emit)


@handles("DEPTHWISE_CONV_2D")
def depthwise(call: Call) -> Result:
    """Weights [1, kh, kw, C * multiplier]; the axis of 1 goes."""
    x, size, folded = image(call, fold=True)
    weight = _kernel(call, 4)
    one, kh, kw, channels = weight.array.shape
    if one != 1 or channels % size[2]:
        raise Unsupported(f"weights {weight.array.shape} do not fit {size[2]} input channels")

    def emit(source: str, kernel: Shape, attrs: Mapping[str, Any]) -> str:
        names = _operands(call, source, weight, (*kernel, channels), _along(weight, 3, 2), channels)
        own = {"kernel": kernel, "multiplier": channels // size[2]}
        return call.builder.emit(call, "depthwise_conv2d", names, {**attrs, **own}).name

    return _slid(call, x, size, (kh, kw), folded, channels, emit)


@handles("FULLY_CONNECTED")
def dense(call: Call) -> Result:
    """A dense layer; a 1x1 convolution where it is applied to every position of a map."""
    value = call.value()
    weight = _kernel(call, 2)
    out_size, in_size = weight.array.shape
    if call.option("WeightsFormat") != 0:
        raise Unsupported("shuffled weights are not supported")
    keep = bool(call.option("KeepNumDims"))
    count = math.prod(value.shape)
    if count == in_size:
        names = _operands(call, value.tensor, weight, (out_size, in_size), _along(weight, 0, 0), out_size)
        out = call.builder.emit(call, "dense", names)
        shape = (*value.shape[:-1], out_size) if keep else (1, out_size)
        if math.prod(shape) != out_size:
            raise Unsupported(f"it keeps the axes of {value.shape} but reads more than the last")
        return fused(call, Value(out.name, shape))
    if not keep or value.shape[-1] != in_size or len(value.shape) not in (3, 4):
        raise Unsupported(f"weights {weight.array.shape} do not fit {value.shape}")
    spots = value.shape[1:-1]
    x = call.builder.shaped(call, value.tensor, (*(1,) * (2 - len(spots)), *spots, in_size))
    names = _operands(call, x, weight, (out_size, 1, 1, in_size), _along(weight, 0, 0), out_size)
    one = {"kernel": (1, 1), "stride": (1, 1), "pads": NO_PADS, "groups": 1}
    out = call.builder.emit(call, "conv2d", names, one)
    return fused(call, Value(out.name, (*value.shape[:-1], out_size)))
