"""The same int8 elements under another shape."""

from __future__ import annotations

from edgelearn.formats import S8
from edgelearn.ops.base import Op, count_sizes
from edgelearn.ops.fixed_point import HIGHEST, LOWEST
from edgelearn.ops.quantized.base import Lowered, Site, same_quant


def rule(site: Site) -> Lowered | None:
    """reshape; None where a fused ReLU would have to clamp the copy."""
    copies = same_quant(site) and (site.low, site.high) == (LOWEST, HIGHEST)
    return Lowered("reshape_s8", site.node.attrs) if copies else None


OPS = (
    Op(
        "reshape_s8", lambda a, x: (x.reshape(a["shape"]),), lambda a, s: [tuple(a["shape"])], count_sizes, fmt=S8,
        formats=(S8,), inplace=((0, 0),),
    ),
)  # fmt: skip
RULES = {"reshape": rule}
