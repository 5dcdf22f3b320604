"""AVERAGE_POOL_2D, MAX_POOL_2D and MEAN over space."""

from __future__ import annotations

from edgelearn.importers.tflite.call import NO_PADS, Call, Result, Unsupported, Value, handles
from edgelearn.importers.tflite.conv import image, window
from edgelearn.importers.tflite.fused import fused


@handles("AVERAGE_POOL_2D", "MAX_POOL_2D")
def pool(call: Call) -> Result:
    """A pool; padding takes no part in an average."""
    x, size, _ = image(call, fold=False)
    attrs = window(call, (size[0], size[1]), (call.option("FilterHeight"), call.option("FilterWidth")))
    op = "max_pool2d" if call.op == "MAX_POOL_2D" else "avg_pool2d"
    out = call.builder.emit(call, op, (x,), attrs | {"count_pad": False})
    return fused(call, Value(out.name, (1, *out.shape)))


@handles("MEAN")
def mean(call: Call) -> Result:
    """The mean over height, width or both."""
    value = call.value()
    rank = len(value.shape)
    keep = bool(call.option("KeepDims"))
    axes = call.axes(call.integers(1, "the axes"), rank)
    shape = tuple(1 if k in axes else n for k, n in enumerate(value.shape) if keep or k not in axes)
    if rank not in (3, 4) or (rank - 1 in axes and value.shape[-1] > 1):
        raise Unsupported(f"a mean of {value.shape} over axes {axes} is not supported, only over height and width")
    h, w, c = (1, *value.shape[1:]) if rank == 3 else value.shape[1:]
    over = {axis + (4 - rank) for axis in axes}
    x = call.builder.shaped(call, value.tensor, (h, w, c))
    kernel = (h if 1 in over else 1, w if 2 in over else 1)
    attrs = {"kernel": kernel, "stride": (1, 1), "pads": NO_PADS, "count_pad": False}
    return Value(call.builder.emit(call, "avg_pool2d", (x,), attrs).name, shape)
