"""Between real numbers and int8: y = clamp(zero + round(x / scale)), ties away from zero, and scale * (x - zero).

A NaN becomes the zero point: int8 has nothing to say it with.
"""

from __future__ import annotations

import numpy as np

from edgelearn.formats import F32, S8
from edgelearn.ops.base import Arrays, Attrs, Op, count_sizes, same_shape
from edgelearn.ops.fixed_point import saturate


def _quantize(attrs: Attrs, x: np.ndarray) -> Arrays:
    with np.errstate(over="ignore", invalid="ignore"):
        ratio = np.nan_to_num(x.astype(np.float32) / np.float32(attrs["scale"]), nan=0.0).astype(np.float64)
    near = np.clip(ratio, -512, 512)
    rounded = np.copysign(np.floor(np.abs(near) + 0.5), near).astype(np.int64)
    return (saturate(attrs["zero"] + rounded),)


def _dequantize(attrs: Attrs, x: np.ndarray) -> Arrays:
    return ((x.astype(np.int32) - attrs["zero"]).astype(np.float32) * np.float32(attrs["scale"]),)


def _scalars(attrs: Attrs) -> dict[str, float]:
    return {"zero": attrs["zero"], "scale": float(attrs["scale"])}


OPS = (
    Op("quantize", _quantize, same_shape, count_sizes, scalars=_scalars, fmt=S8, formats=(S8,)),
    Op("dequantize", _dequantize, same_shape, count_sizes, scalars=_scalars, fmt=S8, formats=(F32,)),
)
