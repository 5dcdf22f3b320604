"""Ops that only move int8 elements: another shape, another order of axes, a part, two maps joined. No scale changes."""

from __future__ import annotations

from edgelearn.formats import S8
from edgelearn.ops import concat, reshape, transpose
from edgelearn.ops.base import Op, count_sizes
from edgelearn.ops.fixed_point import HIGHEST, LOWEST
from edgelearn.ops.parts import elements
from edgelearn.ops.quantized.base import Lowered, Rule, Site, same_quant


def _moving(op: str) -> Rule:
    def rule(site: Site) -> Lowered | None:
        alike = all(same_quant(site, k) for k in range(len(site.ins)))
        return Lowered(op, site.node.attrs) if alike and (site.low, site.high) == (LOWEST, HIGHEST) else None

    return rule


OPS = (
    Op(
        "reshape_s8", reshape.forward, reshape.infer, count_sizes, fmt=S8, formats=(S8,), inplace=((0, 0),),
        split=elements(1),
    ),
    Op("transpose_s8", transpose.forward, transpose.infer, transpose.sizes, "el_transpose", fmt=S8, formats=(S8,)),
    Op("slice_s8", concat.slice_forward, concat.slice_infer, concat.slice_sizes, fmt=S8, formats=(S8,)),
    Op("concat_s8", concat.forward, concat.infer, concat.sizes, fmt=S8, formats=(S8,)),
)  # fmt: skip
RULES = {op: _moving(f"{op}_s8") for op in ("reshape", "transpose", "slice", "concat")}
