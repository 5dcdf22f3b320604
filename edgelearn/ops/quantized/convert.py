"""Between real numbers and int8: y = clamp(zero + round(x / scale)), and scale * (x - zero).

Ties are rounded away from zero, as TensorFlow Lite does, or to the even integer, as ONNX does (`even`). A NaN becomes
the zero point: int8 has nothing to say it with.
"""

from __future__ import annotations

import numpy as np

from edgelearn.formats import F32, S8
from edgelearn.graph import Quant
from edgelearn.ops.base import Arrays, Attrs, Op, count_sizes, same_shape
from edgelearn.ops.fixed_point import HIGHEST, LOWEST, saturate
from edgelearn.ops.parts import elements


def _quantize(attrs: Attrs, x: np.ndarray) -> Arrays:
    with np.errstate(over="ignore", invalid="ignore"):
        ratio = np.nan_to_num(x.astype(np.float32) / np.float32(attrs["scale"]), nan=0.0).astype(np.float64)
    near = np.clip(ratio, -512, 512)
    rounded = np.rint(near) if attrs.get("even") else np.copysign(np.floor(np.abs(near) + 0.5), near)
    return (saturate(attrs["zero"] + rounded.astype(np.int64)),)


def _dequantize(attrs: Attrs, x: np.ndarray) -> Arrays:
    return ((x.astype(np.int32) - attrs["zero"]).astype(np.float32) * np.float32(attrs["scale"]),)


def _scalars(attrs: Attrs) -> dict[str, float]:
    return {"zero": attrs["zero"], "scale": float(attrs["scale"])}


def _rounding(attrs: Attrs) -> dict[str, float]:
    return {"zero": attrs["zero"], "even": int(attrs.get("even", False)), "scale": float(attrs["scale"])}


def cast_attrs(quant: Quant) -> dict[str, float]:
    """The attributes of a `quantize` or `dequantize` of one scale."""
    return {"scale": quant.scale[0], "zero": quant.zero_point[0], "even": quant.even}


def quantized(quant: Quant, x: np.ndarray) -> np.ndarray:
    """Real numbers as int8 of one scale."""
    return _quantize(cast_attrs(quant), x)[0]


def quant_between(low: float, high: float) -> Quant:
    """The quantisation whose integers reach from `low` to `high` and to zero, which one of them stands for exactly.

    The scale is a float32 number. Where there is nothing but zero it is one.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    step = (high - low) / (HIGHEST - LOWEST)
    scale = float(np.float32(step)) if step else 1.0
    scale = max(scale, float(np.finfo(np.float32).tiny))
    zero = round(LOWEST - low / scale)
    return Quant((scale,), (max(LOWEST, min(HIGHEST, zero)),))


def dequantized(quant: Quant, x: np.ndarray) -> np.ndarray:
    """The real numbers that int8 of one scale stand for."""
    return _dequantize(cast_attrs(quant), x)[0]


OPS = (
    Op("quantize", _quantize, same_shape, count_sizes, scalars=_rounding, fmt=S8, formats=(S8,), split=elements(1)),
    Op("dequantize", _dequantize, same_shape, count_sizes, scalars=_scalars, fmt=S8, formats=(F32,), split=elements(1)),
)
