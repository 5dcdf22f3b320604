"""Sum of two int8 maps with scales of their own: both come to twice the larger scale, with 20 bits behind the point.

y = clamp(y_zero + rescale(rescale(2^20 * (a - a_zero), a) + rescale(2^20 * (b - b_zero), b), y)); b may repeat over
positions, as in `bias`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgelearn.formats import S8
from edgelearn.ops.base import Arrays, Attrs, Op, Shape, as_rows, repeated, repeats
from edgelearn.ops.fixed_point import quantize_multiplier, rescale, saturate
from edgelearn.ops.parts import of_two
from edgelearn.ops.quantized.base import Lowered, Site, whole

BITS = 20
FIELDS = (
    "a_zero", "b_zero", "y_zero", "a_multiplier", "a_shift", "b_multiplier", "b_shift", "y_multiplier", "y_shift",
    "min", "max",
)  # fmt: skip


def widened(attrs: Attrs, a: np.ndarray, b: np.ndarray) -> list[np.ndarray]:
    """Both operands on the scale that they share, as rows of b."""
    return [
        rescale((x.astype(np.int64) - attrs[f"{n}_zero"]) << BITS, attrs[f"{n}_multiplier"], attrs[f"{n}_shift"])
        for n, x in (("a", as_rows(a, b.shape)), ("b", b.reshape(-1)))
    ]


def _forward(attrs: Attrs, a: np.ndarray, b: np.ndarray) -> Arrays:
    wide_a, wide_b = widened(attrs, a, b)
    total = rescale(wide_a + wide_b, attrs["y_multiplier"], attrs["y_shift"])
    return (saturate(attrs["y_zero"] + total, attrs["min"], attrs["max"]).reshape(a.shape),)


def add_sizes(attrs: Attrs, ins: Sequence[Shape], outs: Sequence[Shape]) -> dict[str, int]:
    """The fields of `el_add_s8`."""
    return {**repeats(attrs, ins, outs), **{name: attrs[name] for name in FIELDS}}


def rule(site: Site) -> Lowered | None:
    """add and bias; None where the sum's scale is so much finer than the operands' that its factor reaches one."""
    if not whole(site.ins[1]):
        return None
    a, b, y = site.quant(0), site.quant(1), site.out_quant
    largest = 2 * max(a.scale[0], b.scale[0])
    factors = {"a": a.scale[0] / largest, "b": b.scale[0] / largest, "y": largest / (2**BITS * y.scale[0])}
    attrs = {f"{name}_zero": quant.zero_point[0] for name, quant in (("a", a), ("b", b), ("y", y))}
    for name, factor in factors.items():
        attrs[f"{name}_multiplier"], attrs[f"{name}_shift"] = quantize_multiplier(factor)
    if attrs["y_shift"] > 0:
        return None
    return Lowered("add_s8", {**attrs, **site.bounds})


OPS = (
    Op("add_s8", _forward, repeated, add_sizes, "el_add_s8", fmt=S8, formats=(S8,), inplace=((0, 0),), split=of_two),
)
RULES = {"add": rule, "bias": rule}
