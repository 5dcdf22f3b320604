"""Pooling and means over space."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from edgelearn.importers.onnx.call import Call, Result, Unsupported, handles
from edgelearn.importers.onnx.conv import add_pads, explicit_pads, image, no_dilation, pair
from edgelearn.importers.onnx.view import Axis, Pads, Shape, View, channels_first


def _ceil_pads(size: Shape, kernel: tuple[int, int], stride: tuple[int, int], pads: Pads) -> Pads:
    """The padding with which rounding down gives what `ceil_mode` gives.

    A last window that would start in the padding behind the map is left out, so only whole strides are added.
    """
    after = []
    for n, k, s, before, behind in zip(size, kernel, stride, pads[:2], pads[2:], strict=True):
        count = math.ceil((n + before + behind - k) / s) + 1
        if (count - 1) * s >= n + before:
            count -= 1
        after.append(max((count - 1) * s + k - n - before, 0))
    return pads[0], pads[1], after[0], after[1]


def _pool(call: Call, op: str, count_pad: bool) -> Result:
    fold = op == "avg_pool2d" and (count_pad or not any(call.ints("pads") or []))
    x, folded, size, rank = image(call, fold=fold and call.text("auto_pad", "NOTSET") == "NOTSET")
    no_dilation(call)
    kernel = pair(call.ints("kernel_shape"), rank - 1, 0, "kernel_shape")
    if 0 in kernel:
        raise Unsupported("kernel_shape is missing")
    stride = pair(call.ints("strides"), rank - 1, 1, "strides")
    pads = explicit_pads(call, size, kernel, stride, rank - 1)
    if call.flag("ceil_mode", False) and call.text("auto_pad", "NOTSET") == "NOTSET":
        wider = _ceil_pads(size, kernel, stride, pads)
        if count_pad and any(a > b for a, b in zip(wider, pads, strict=True)):
            raise Unsupported("ceil_mode with count_include_pad counts windows that reach past the padding")
        pads = wider
    attrs: dict[str, Any] = {"kernel": kernel, "stride": stride, "pads": add_pads(folded, pads)}
    if op == "avg_pool2d":
        attrs["count_pad"] = count_pad or any(folded)
    out = call.builder.emit(call, op, (x,), attrs)
    return channels_first(out.name, out.shape, rank)


@handles("MaxPool")
def max_pool(call: Call) -> Result:
    """MaxPool without indices."""
    return _pool(call, "max_pool2d", count_pad=False)


@handles("AveragePool")
def average_pool(call: Call) -> Result:
    """AveragePool, with or without the padding counted."""
    return _pool(call, "avg_pool2d", call.flag("count_include_pad", False))


@handles("GlobalAveragePool", "GlobalMaxPool")
def global_pool(call: Call) -> Result:
    """A pool whose window is the whole map."""
    x, _, size, rank = image(call, fold=False)
    attrs: dict[str, Any] = {"kernel": size, "stride": (1, 1), "pads": (0, 0, 0, 0)}
    if call.proto.op_type == "GlobalMaxPool":
        out = call.builder.emit(call, "max_pool2d", (x,), attrs)
    else:
        out = call.builder.emit(call, "avg_pool2d", (x,), attrs | {"count_pad": False})
    return channels_first(out.name, out.shape, rank)


@handles("ReduceMean")
def reduce_mean(call: Call) -> Result:
    """The mean over one or both axes of space, wherever they stand in the user's tensor."""
    return _reduced(call, "mean", "avg_pool2d", count_pad=False)


@handles("ReduceMax")
def reduce_max(call: Call) -> Result:
    """The largest over one or both axes of space, wherever they stand in the user's tensor."""
    return _reduced(call, "largest", "max_pool2d")


def _reduced(call: Call, what: str, op: str, **attrs: bool) -> Result:
    view = call.view()
    shape = view.user_shape
    listed = call.integers(1, "axes")
    if not listed:
        if call.flag("noop_with_empty_axes", False):
            return view
        raise Unsupported(f"it takes the {what} over all axes, the batch included")
    axes = {call.axis(axis, len(shape) + 1) for axis in listed}
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    keep = call.flag("keepdims", True)
    if any(shape[axis] > 1 for axis in axes):
        view = _pooled(call, view, sorted(axes), [axis for axis in kept if shape[axis] > 1], op, attrs)
    return View(view.tensor, view.shape, tuple(a for k, a in enumerate(view.axes) if keep or k not in axes))


def _pooled(call: Call, view: View, axes: list[int], kept: list[int], op: str, attrs: Mapping[str, bool]) -> View:
    """A reduction as a pool: reduced axes must be the map's height, width or both, and channels come last."""
    reduced = [axis for axis in axes if view.user_shape[axis] > 1]
    if len(kept) > 2 or len(reduced) > 2 or len(kept) + len(reduced) > 3:
        raise Unsupported(f"a reduction of axes {[a + 1 for a in reduced]} of {len(view.axes) + 1} is not supported")
    dims = {axis: view.dim_of(axis) for axis in (*reduced, *kept)}
    fits = len(view.shape) == 3 and None not in dims.values() and 2 not in [dims[axis] for axis in reduced]
    if fits:
        tensor, shape = view.tensor, view.shape
        places = {axis: dim for axis, dim in dims.items() if dim is not None}
    else:
        order = [*reduced, *kept] if len(kept) < 2 else [kept[0], *reduced, kept[1]]
        groups: list[list[int]] = [[], [], []]
        for dim, axis in zip(range(3 - len(order), 3), order, strict=True):
            groups[dim] = [axis]
        if not kept:
            groups = [*groups[1:], []]
        places = {axis: dim for dim, group in enumerate(groups) for axis in group}
        tensor = call.builder.arrange(call, view, groups)
        shape = call.builder.tensors[tensor].shape
    over = {places[axis] for axis in reduced}
    kernel = (shape[0] if 0 in over else 1, shape[1] if 1 in over else 1)
    window = {"kernel": kernel, "stride": (1, 1), "pads": (0, 0, 0, 0)}
    out = call.builder.emit(call, op, (tensor,), {**window, **attrs})
    axes_out: list[Axis] = [()] * len(view.axes)
    for axis in kept:
        dim = places[axis]
        axes_out[axis] = ((shape[dim], math.prod(out.shape[dim + 1 :])),)
    return View(out.name, out.shape, tuple(axes_out))
