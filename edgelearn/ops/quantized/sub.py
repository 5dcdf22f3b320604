"""Difference of two int8 maps: as `add_s8`, but the second operand's part is taken away.

y = clamp(y_zero + rescale(rescale(2^20 * (a - a_zero), a) - rescale(2^20 * (b - b_zero), b))); b may repeat over
positions. TensorFlow Lite for Microcontrollers makes these factors in single precision, those of a sum in double.
"""

from __future__ import annotations

import numpy as np

from edgelearn.formats import S8
from edgelearn.ops.base import Arrays, Attrs, Op, repeated
from edgelearn.ops.fixed_point import quantize_multiplier, rescale, saturate
from edgelearn.ops.parts import of_two
from edgelearn.ops.quantized.add import BITS, add_sizes, widened
from edgelearn.ops.quantized.base import Lowered, Site, whole


def _forward(attrs: Attrs, a: np.ndarray, b: np.ndarray) -> Arrays:
    wide_a, wide_b = widened(attrs, a, b)
    difference = rescale(wide_a - wide_b, attrs["y_multiplier"], attrs["y_shift"])
    return (saturate(attrs["y_zero"] + difference, attrs["min"], attrs["max"]).reshape(a.shape),)


def rule(site: Site) -> Lowered | None:
    """sub; None where the difference's scale is so much finer than the operands' that its factor reaches one."""
    if not whole(site.ins[1]):
        return None
    a, b, y = site.quant(0), site.quant(1), site.out_quant
    scales = {name: np.float32(quant.scale[0]) for name, quant in (("a", a), ("b", b), ("y", y))}
    largest = np.float32(2) * max(scales["a"], scales["b"])
    factors = {"a": scales["a"] / largest, "b": scales["b"] / largest}
    factors["y"] = largest / (np.float32(2**BITS) * scales["y"])
    attrs = {f"{name}_zero": quant.zero_point[0] for name, quant in (("a", a), ("b", b), ("y", y))}
    for name, factor in factors.items():
        attrs[f"{name}_multiplier"], attrs[f"{name}_shift"] = quantize_multiplier(float(factor))
    if attrs["y_shift"] > 0:
        return None
    return Lowered("sub_s8", {**attrs, **site.bounds})


OPS = (
    Op("sub_s8", _forward, repeated, add_sizes, "el_add_s8", fmt=S8, formats=(S8,), inplace=((0, 0),), split=of_two),
)
RULES = {"sub": rule}
