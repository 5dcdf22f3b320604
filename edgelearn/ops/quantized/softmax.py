"""Softmax of int8 rows into steps of 1/256. e^(x - max) takes one of 256 values: a table, made at compile time.

The sum has 12 bits in front of the point; its reciprocal comes from three Newton steps, in numpy as on the device.
"""

from __future__ import annotations

import numpy as np

from edgelearn.formats import S8
from edgelearn.ops.base import Arrays, Attrs, Op, row_sizes, same_shape
from edgelearn.ops.fixed_point import HIGHEST, LOWEST, quantize_multiplier, rescale, saturate
from edgelearn.ops.quantized.base import Lowered, Site
from edgelearn.ops.quantized.exponential import exp, halved, over_one_plus, times

IN_FRONT = 12
BEHIND = 26  # bits behind the point of x - max
MOST = 512  # from here on a result could be shifted by more than 31 bits


def _row(x: np.ndarray, exps: np.ndarray) -> list[int]:
    values = [int(e) for e in exps[int(x.max()) - x.astype(np.int64)]]
    total = sum(halved(e, IN_FRONT) for e in values)
    headroom = 32 - total.bit_length()
    scale = over_one_plus((total << headroom) - 2**31)
    return [halved(times(scale, e), IN_FRONT - headroom + 23) + LOWEST for e in values]


def _forward(attrs: Attrs, x: np.ndarray, exps: np.ndarray) -> Arrays:
    rows = [_row(row, exps) for row in x.reshape(-1, x.shape[-1])]
    return (saturate(np.array(rows)).reshape(x.shape),)


def rule(site: Site) -> Lowered | None:
    """softmax into steps of 1/256 from zero on, as TensorFlow Lite always has it."""
    x, y = site.quant(0), site.out_quant
    factor = min(x.scale[0] * 2.0**BEHIND, 2.0**31 - 1)
    if y.scale[0] != 1 / 256 or y.zero_point[0] != LOWEST or factor <= 1 or site.out.shape[-1] >= MOST:
        return None
    if (site.low, site.high) != (LOWEST, HIGHEST):
        return None
    multiplier, shift = quantize_multiplier(factor)
    least = int(31 * 2.0 ** (BEHIND - shift))
    below = np.arange(min(least, HIGHEST - LOWEST) + 1)
    exps = np.zeros(256, np.int32)
    exps[: len(below)] = [exp(int(v), BEHIND) for v in rescale(-below, multiplier, shift)]
    return Lowered("softmax_s8", {}, {"exps": exps})


OPS = (Op("softmax_s8", _forward, same_shape, row_sizes, fmt=S8, formats=(S8,), inplace=((0, 0),)),)
RULES = {"softmax": rule}
