"""Any function of one int8 value, tabulated at compile time: y = table[x + 128].

Here the function is a change of scale; activation.py has the others.
"""

from __future__ import annotations

import numpy as np

from edgelearn.formats import S8
from edgelearn.ops.base import Arrays, Attrs, Op, count_sizes, same_shape
from edgelearn.ops.fixed_point import HIGHEST, LOWEST, quantize_multiplier, rescale, saturate
from edgelearn.ops.parts import BITS, along
from edgelearn.ops.quantized.base import Lowered, Site, factor_of

DOMAIN = np.arange(LOWEST, HIGHEST + 1)


def _forward(attrs: Attrs, x: np.ndarray, table: np.ndarray) -> Arrays:
    return (table[x.astype(np.int64) - LOWEST],)


def tabulated(site: Site, values: np.ndarray) -> Lowered:
    """The op that looks up `values`, one for each int8 value."""
    return Lowered("table_s8", {}, {"table": saturate(values, site.low, site.high)})


def rescaling(site: Site, low: int = LOWEST) -> Lowered | None:
    """From one scale to another, at least `low`: QUANTIZE of int8, and a ReLU with a scale of its own."""
    x, y = site.quant(0), site.out_quant
    factor = factor_of(site)
    if factor is None:
        return None
    values = y.zero_point[0] + rescale(DOMAIN - x.zero_point[0], *quantize_multiplier(factor))
    return tabulated(site, np.maximum(values, low))


OPS = (Op("table_s8", _forward, same_shape, count_sizes, fmt=S8, formats=(S8,), inplace=((0, 0),),
          split=along("count", (1, 0), (1,), BITS)),)  # fmt: skip
RULES = {"quantize": rescaling}
