"""Product of two int8 maps: y = clamp(y_zero + rescale((x - x_zero) * (b - b_zero))); b may repeat over positions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgelearn.formats import S8
from edgelearn.ops.base import Arrays, Attrs, Op, Shape, as_rows, repeated, repeats
from edgelearn.ops.fixed_point import quantize_multiplier, rescale, saturate
from edgelearn.ops.parts import of_two
from edgelearn.ops.quantized.base import LARGEST_FACTOR, Lowered, Site, whole

FIELDS = ("x_zero", "b_zero", "y_zero", "multiplier", "shift", "min", "max")


def _forward(attrs: Attrs, x: np.ndarray, b: np.ndarray) -> Arrays:
    other = b.reshape(-1).astype(np.int64) - attrs["b_zero"]
    product = (as_rows(x.astype(np.int64), b.shape) - attrs["x_zero"]) * other
    y = attrs["y_zero"] + rescale(product, attrs["multiplier"], attrs["shift"])
    return (saturate(y, attrs["min"], attrs["max"]).reshape(x.shape),)


def _sizes(attrs: Attrs, ins: Sequence[Shape], outs: Sequence[Shape]) -> dict[str, int]:
    return {**repeats(attrs, ins, outs), **{name: attrs[name] for name in FIELDS}}


def rule(site: Site) -> Lowered | None:
    """mul with an int8 map or constant."""
    if not whole(site.ins[1]):
        return None
    x, b, y = site.quant(0), site.quant(1), site.out_quant
    factor = x.scale[0] * b.scale[0] / y.scale[0]
    if factor >= LARGEST_FACTOR:
        return None
    multiplier, shift = quantize_multiplier(factor)
    zeros = {"x_zero": x.zero_point[0], "b_zero": b.zero_point[0], "y_zero": y.zero_point[0]}
    return Lowered("mul_s8", {**zeros, "multiplier": multiplier, "shift": shift, **site.bounds})


OPS = (Op("mul_s8", _forward, repeated, _sizes, "el_mul_s8", fmt=S8, formats=(S8,), inplace=((0, 0),), split=of_two),)
RULES = {"mul": rule}
