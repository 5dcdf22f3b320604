"""BatchNormalization with frozen statistics."""

from __future__ import annotations

import numpy as np

from edgelearn.importers.onnx.call import Call, Result, Unsupported, handles
from edgelearn.importers.onnx.constant import Const
from edgelearn.importers.onnx.conv import image
from edgelearn.importers.onnx.view import channels_first


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
    if view.shape[-1] != channels or (channels > 1 and view.axes[0] != ((channels, 1),)):
        rank = len(view.user_shape)
        if rank not in (2, 3):
            raise Unsupported(f"its channels do not lie last in the {rank + 1}-D input")
        tensor = image(call, fold=False)[0]
        view = channels_first(tensor, call.builder.tensors[tensor].shape, rank)
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
