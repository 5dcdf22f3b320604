"""Pools of int8 maps. Maximum and average keep their input's scale; the mean (TensorFlow Lite's MEAN) has its own.

An average divides the sum of the integers, rounding to nearest with ties away from zero; a mean rescales the sum of
x - x_zero by x_scale / (n * y_scale).
"""

from __future__ import annotations

import numpy as np

from edgelearn.formats import S8
from edgelearn.ops import pool, windows
from edgelearn.ops.base import Arrays, Attrs, Op
from edgelearn.ops.fixed_point import LOWEST, quantize_multiplier, rescale, saturate
from edgelearn.ops.parts import positions
from edgelearn.ops.quantized.base import Lowered, Site, bounds, factor_of, offsets, same_quant

MOST = 2**23  # elements of a window: times 255 they fit an int32


def _max(attrs: Attrs, x: np.ndarray) -> Arrays:
    return (saturate(windows.patches(attrs, x, fill=LOWEST).max(axis=(2, 3)), attrs["min"], attrs["max"]),)


def _average(attrs: Attrs, x: np.ndarray) -> Arrays:
    total = windows.patches(attrs, x.astype(np.int64)).sum(axis=(2, 3))
    n = pool.divisor(attrs, x.shape, total.dtype)
    quotient = (np.abs(total) + n // 2) // n
    return (saturate(np.sign(total) * quotient, attrs["min"], attrs["max"]),)


def _mean(attrs: Attrs, x: np.ndarray) -> Arrays:
    total = windows.patches(attrs, x.astype(np.int64) - attrs["x_zero"]).sum(axis=(2, 3))
    y = attrs["y_zero"] + rescale(total, attrs["multiplier"], attrs["shift"])
    return (saturate(y, attrs["min"], attrs["max"]),)


def _countable(attrs: Attrs) -> bool:
    """Whether a window's sum stays within 32 bits."""
    return bool(np.prod(attrs["kernel"], dtype=np.int64) < MOST)


def max_rule(site: Site) -> Lowered | None:
    """max_pool2d; TensorFlow Lite gives its output the input's scale."""
    return Lowered("max_pool2d_s8", {**site.node.attrs, **site.bounds}) if same_quant(site) else None


def average_rule(site: Site) -> Lowered | None:
    """avg_pool2d: a mean if the user's file calls it so or it changes the scale, else an average that does not count
    padding.
    """
    attrs = site.node.attrs
    if site.node.origin.op == "MEAN" or not same_quant(site):
        return _mean_of(site) if _countable(attrs) and not any(attrs["pads"]) else None
    if not _countable(attrs) or (attrs.get("count_pad", False) and any(attrs["pads"])):
        return None
    return Lowered("avg_pool2d_s8", {**attrs, "count_pad": False, **site.bounds})


def _mean_of(site: Site) -> Lowered | None:
    x, y, (kh, kw) = site.quant(0), site.out_quant, site.node.attrs["kernel"]
    n = kh * kw
    factor = factor_of(site)
    if factor is None:
        return None
    multiplier, shift = quantize_multiplier(factor)
    extra = min(n.bit_length() - 1, 32, 31 + shift)
    scaling = {"multiplier": (multiplier << extra) // n, "shift": shift - extra}
    zeros = {"x_zero": x.zero_point[0], "y_zero": y.zero_point[0]}
    return Lowered("mean_s8", {**site.node.attrs, **zeros, **scaling, **site.bounds})


def _mean_scalars(attrs: Attrs) -> dict[str, int]:
    return {"multiplier": attrs["multiplier"], "shift": attrs["shift"], **offsets(attrs)}


OPS = (
    Op(
        "max_pool2d_s8", _max, pool.infer, windows.forward_sizes, windows.STRUCT, bounds, fmt=S8, formats=(S8,),
        split=positions,
    ),
    Op(
        "avg_pool2d_s8", _average, pool.infer, windows.forward_sizes, windows.STRUCT, bounds, fmt=S8, formats=(S8,),
        split=positions,
    ),
    Op("mean_s8", _mean, pool.infer, windows.forward_sizes, windows.STRUCT, _mean_scalars, fmt=S8, formats=(S8,)),
)  # fmt: skip
RULES = {"max_pool2d": max_rule, "avg_pool2d": average_rule}
