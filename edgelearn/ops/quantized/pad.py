"""Constant padding of an int8 map: the frame is the integer of the padding's value."""

from __future__ import annotations

import numpy as np

from edgelearn.formats import S8
from edgelearn.ops import pad
from edgelearn.ops.base import Arrays, Attrs, Op
from edgelearn.ops.fixed_point import HIGHEST, LOWEST, to_integer
from edgelearn.ops.quantized.base import Lowered, Site, same_quant


def _forward(attrs: Attrs, x: np.ndarray) -> Arrays:
    return (pad.forward(attrs, x)[0],)


def rule(site: Site) -> Lowered | None:
    """pad; None where the value is no int8 of this scale, or a fused ReLU would have to clamp the copy."""
    quant = site.out_quant
    value = quant.zero_point[0] + to_integer(site.node.attrs["value"], quant.scale[0])
    copies = same_quant(site) and (site.low, site.high) == (LOWEST, HIGHEST)
    if not copies or not LOWEST <= value <= HIGHEST:
        return None
    return Lowered("pad_s8", {**site.node.attrs, "value": value})


OPS = (
    Op("pad_s8", _forward, pad.infer, pad.sizes, pad.STRUCT, lambda a: {"value": a["value"]}, fmt=S8, formats=(S8,)),
)
RULES = {"pad": rule}
