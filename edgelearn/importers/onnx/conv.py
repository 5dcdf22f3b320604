"""Conv, 1-D and 2-D."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

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


@handles("Conv")
def conv(call: Call) -> Result:
    """Conv to conv2d, or depthwise_conv2d where every group is one input channel."""
    x, folded, size, rank = image(call, fold=True)
    spatial_rank = rank - 1
    w = call.weight(1, "the kernel", rank + 1)
    channels = call.builder.tensors[x].shape[2]
    groups = call.integer("group", 1)
    kernel = (1, w.array.shape[2]) if spatial_rank == 1 else (w.array.shape[2], w.array.shape[3])
    stated = call.ints("kernel_shape")
    if stated is not None and tuple(stated) != w.array.shape[2:]:
        raise Unsupported(f"kernel_shape {stated} is not that of the kernel {w.array.shape}")
    no_dilation(call)
    if groups < 1 or w.array.shape[1] * groups != channels or w.array.shape[0] % groups:
        raise Unsupported(f"kernel {w.array.shape} in {groups} groups does not fit {channels} input channels")
    stride = pair(call.ints("strides"), spatial_rank, 1, "strides")
    pads = add_pads(folded, explicit_pads(call, size, kernel, stride, spatial_rank))
    if spatial_rank == 1:
        w = w.moved(lambda a: a[:, :, None, :])
    depthwise = groups == channels and channels > 1
    w = w.moved(lambda a: a[:, 0].transpose(1, 2, 0) if depthwise else a.transpose(0, 2, 3, 1))
    names = [x, call.builder.weight(call, "weight", w), ""]
    if call.has(2):
        bias = call.weight(2, "the bias", 1)
        if bias.array.size != w.array.shape[2 if depthwise else 0]:
            raise Unsupported(f"bias {bias.array.shape} does not fit the kernel")
        names[2] = call.builder.weight(call, "bias", bias)
    attrs: dict[str, Any] = {"kernel": kernel, "stride": stride, "pads": pads}
    if depthwise:
        multiplier = int(np.prod(w.array.shape[2:])) // channels
        out = call.builder.emit(call, "depthwise_conv2d", names, attrs | {"multiplier": multiplier})
    else:
        out = call.builder.emit(call, "conv2d", names, attrs | {"groups": groups})
    return channels_first(out.name, out.shape, rank)
