"""ConvTranspose, 1-D and 2-D."""

from __future__ import annotations

from typing import Any

from edgelearn.importers.onnx.call import Call, Result, Unsupported, handles
from edgelearn.importers.onnx.conv import image, no_dilation, pair
from edgelearn.importers.onnx.view import Pads, Shape, channels_first


def _pads(
    call: Call, size: Shape, kernel: tuple[int, int], stride: tuple[int, int], more: list[int], rank: int
) -> Pads:
    """(top, left, bottom, right), from `output_shape`, `auto_pad` or `pads`; what lacks is added to `more`."""
    mode = call.text("auto_pad", "NOTSET")
    listed = call.ints("output_shape")
    if listed is None and mode not in ("SAME_UPPER", "SAME_LOWER"):
        pads = call.ints("pads") if mode == "NOTSET" else None
        if pads is None:
            return 0, 0, 0, 0
        if len(pads) != 2 * rank or min(pads) < 0:
            raise Unsupported(f"pads {pads} do not fit {rank}-D maps")
        return (0, pads[0], 0, pads[1]) if rank == 1 else (pads[0], pads[1], pads[2], pads[3])
    wanted = tuple(n * s for n, s in zip(size, stride, strict=True))
    if listed is not None:
        wanted = pair(listed[-rank:], rank, 1, "output_shape")
    ends = []
    for dim, (n, k, s, out) in enumerate(zip(size, kernel, stride, wanted, strict=True)):
        total = (n - 1) * s + more[dim] + k - out
        more[dim] += max(-total, 0)
        total = max(total, 0)
        small = total // 2
        ends.append((small, total - small) if mode == "SAME_UPPER" else (total - small, small))
    (top, bottom), (left, right) = ends
    return top, left, bottom, right


@handles("ConvTranspose")
def conv_transpose(call: Call) -> Result:
    """ConvTranspose without dilation: the input gradient of a convolution as a layer.

    A group of one channel in and one out is depthwise. The bias is a layer of its own.
    """
    x, _, size, rank = image(call, fold=False)
    w = call.weight(1, "the kernel", rank + 1)
    channels, groups = call.builder.tensors[x].shape[2], call.integer("group", 1)
    if groups < 1 or w.array.shape[0] != channels or channels % groups:
        raise Unsupported(f"kernel {w.array.shape} in {groups} groups does not fit {channels} input channels")
    kernel = (1, w.array.shape[2]) if rank == 2 else (w.array.shape[2], w.array.shape[3])
    stated = call.ints("kernel_shape")
    if stated is not None and tuple(stated) != w.array.shape[2:]:
        raise Unsupported(f"kernel_shape {stated} is not that of the kernel {w.array.shape}")
    no_dilation(call)
    stride = pair(call.ints("strides"), rank - 1, 1, "strides")
    listed = call.ints("output_padding") or [0] * (rank - 1)
    more = [0, listed[0]] if rank == 2 else [listed[0], listed[1]]
    pads = _pads(call, size, kernel, stride, more, rank - 1)
    attrs: dict[str, Any] = {"kernel": kernel, "stride": stride, "pads": pads, "output_padding": tuple(more)}
    if rank == 2:
        w = w.moved(lambda a: a[:, :, None, :])
    depthwise = groups == channels > 1 and w.array.shape[1] == 1
    w = w.moved(lambda a: a[:, 0].transpose(1, 2, 0) if depthwise else a.transpose(0, 2, 3, 1))
    attrs |= {"multiplier": 1} if depthwise else {"groups": groups}
    op = "depthwise_conv_transpose2d" if depthwise else "conv_transpose2d"
    bias = call.weight(2, "the bias", 1) if call.has(2) else None
    out = call.builder.emit(call, op, (x, call.builder.weight(call, "weight", w)), attrs)
    if bias is not None:
        if bias.array.shape != out.shape[-1:]:
            raise Unsupported(f"bias {bias.array.shape} does not fit the kernel")
        out = call.builder.emit(call, "bias", (out.name, call.builder.weight(call, "bias", bias)), suffix="shift")
    return channels_first(out.name, out.shape, rank)
