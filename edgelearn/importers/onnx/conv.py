"""Conv, 1-D and 2-D."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from edgelearn.importers.dilation import Moves, convolved, line_of, reach
from edgelearn.importers.onnx.call import Call, Result, Unsupported, handles, spatial
from edgelearn.importers.onnx.view import Pads, Shape, View, channels_first

_SAME = ("SAME_UPPER", "SAME_LOWER")


def pair(values: Sequence[int] | None, rank: int, default: int, name: str) -> tuple[int, int]:
    """A list of one or two positive integers as (height, width)."""
    if values is None:
        return default, default
    if len(values) != rank or min(values) < 1:
        raise Unsupported(f"{name} {list(values)} does not fit {rank}-D maps")
    return (1, values[0]) if rank == 1 else (values[0], values[1])


def explicit_pads(call: Call, size: Shape, kernel: tuple[int, int], stride: tuple[int, int], rank: int) -> Pads:
    """(top, left, bottom, right) from `pads` or `auto_pad`, for the map size (H, W)."""
    mode = call.text("auto_pad", "NOTSET")
    if mode in _SAME:
        before, after = [], []
        for n, k, s in zip(size, kernel, stride, strict=True):
            total = max((math.ceil(n / s) - 1) * s + k - n, 0)
            small, large = total // 2, total - total // 2
            before.append(small if mode == "SAME_UPPER" else large)
            after.append(large if mode == "SAME_UPPER" else small)
        return before[0], before[1], after[0], after[1]
    if mode not in ("NOTSET", "VALID"):
        raise Unsupported(f"auto_pad {mode} is unknown")
    pads = call.ints("pads") if mode == "NOTSET" else None
    if pads is None:
        return 0, 0, 0, 0
    if len(pads) != 2 * rank:
        raise Unsupported(f"pads {pads} do not fit {rank}-D maps")
    if min(pads) < 0:
        raise Unsupported(f"pads {pads} crop the map")
    return (0, pads[0], 0, pads[1]) if rank == 1 else (pads[0], pads[1], pads[2], pads[3])


def no_dilation(call: Call) -> None:
    """Refuse dilated windows."""
    dilations = call.ints("dilations") or []
    if any(d != 1 for d in dilations):
        raise Unsupported(f"dilations {dilations} are not supported, only 1")


def add_pads(a: Pads, b: Pads) -> Pads:
    """The sum of two paddings."""
    return a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]


def image(call: Call, *, fold: bool) -> tuple[str, Pads, Shape, int]:
    """The first input as a device map: tensor, padding still to apply, size (H, W) with it, user rank.

    With `fold`, a pending padding with zeros is left to the caller; any other is put into memory.
    """
    view = call.view(padded=True)
    rank = len(view.user_shape)
    size, _ = spatial(view)
    groups: list[list[int]] = [[1], [2], [0]] if rank == 3 else [[], [1], [0]]
    inner = view.inner
    if inner is not None and fold and view.value == 0.0 and _in_place(inner, groups):
        return inner.tensor, view.pads, size, rank
    return call.builder.arrange(call, call.builder.settle(view, call), groups), (0, 0, 0, 0), size, rank


def _in_place(view: View, groups: Sequence[Sequence[int]]) -> bool:
    """Whether the device map already is (H, W, C) in the sense of `groups`."""
    sizes = tuple(math.prod(view.user_shape[axis] for axis in group) for group in groups)
    dims = [view.dim_of(group[0]) if group and view.user_shape[group[0]] > 1 else k for k, group in enumerate(groups)]
    return view.shape == sizes and dims == [0, 1, 2]


def _moves(call: Call) -> Moves:
    builder = call.builder

    def padded(x: str, pads: Pads) -> str:
        return builder.emit(call, "pad", (x,), {"pads": pads, "value": 0.0}, "pad").name

    def first(x: str, count: int) -> str:
        return builder.emit(call, "slice", (x,), {"axis": 0, "start": 0, "stop": count}, "cut").name

    return Moves(lambda x, shape: builder.reshaped(call, x, shape), padded, first)


@handles("Conv")
def conv(call: Call) -> Result:
    """Conv to conv2d, or depthwise_conv2d where every group is one input channel; dilated along one axis at most."""
    x, folded, size, rank = image(call, fold=True)
    builder = call.builder
    w = call.weight(1, "the kernel", rank + 1)
    channels, wide = builder.tensors[x].shape[2], w.array.shape[0]
    groups = call.integer("group", 1)
    window = (1, w.array.shape[2]) if rank == 2 else (w.array.shape[2], w.array.shape[3])
    stated = call.ints("kernel_shape")
    if stated is not None and tuple(stated) != w.array.shape[2:]:
        raise Unsupported(f"kernel_shape {stated} is not that of the kernel {w.array.shape}")
    if groups < 1 or w.array.shape[1] * groups != channels or wide % groups:
        raise Unsupported(f"kernel {w.array.shape} in {groups} groups does not fit {channels} input channels")
    stride = pair(call.ints("strides"), rank - 1, 1, "strides")
    dilation = pair(call.ints("dilations"), rank - 1, 1, "dilations")
    pads = add_pads(folded, explicit_pads(call, size, reach(window, dilation), stride, rank - 1))
    bare = (size[0] - folded[0] - folded[2], size[1] - folded[1] - folded[3])
    try:
        line = line_of(dilation, stride, bare, window, pads)
    except ValueError as error:
        raise Unsupported(str(error)) from None
    depthwise = groups == channels and channels > 1

    def layer(source: str, kernel: Shape, attrs: Mapping[str, Any]) -> str:
        placed = w.moved(lambda a: a.reshape(*a.shape[:2], *kernel))
        placed = placed.moved(lambda a: a[:, 0].transpose(1, 2, 0) if depthwise else a.transpose(0, 2, 3, 1))
        names = [source, builder.weight(call, "weight", placed), ""]
        if call.has(2):
            bias = call.weight(2, "the bias", 1)
            if bias.array.size != wide:
                raise Unsupported(f"bias {bias.array.shape} does not fit the kernel")
            names[2] = builder.weight(call, "bias", bias)
        own = {"multiplier": wide // channels} if depthwise else {"groups": groups}
        return builder.emit(call, "depthwise_conv2d" if depthwise else "conv2d", names, {**attrs, **own}).name

    if line is None:
        name = layer(x, window, {"kernel": window, "stride": stride, "pads": pads})
    else:
        name = convolved(x, line, (channels, wide), _moves(call), layer)
    return channels_first(name, builder.tensors[name].shape, rank)
