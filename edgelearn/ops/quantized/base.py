"""What a rule sees of a quantised node, and what it makes of it.

A rule turns one op of the imported graph, whose tensors are int8, into the op that computes it with integers. It does
at compile time what TensorFlow Lite does when it prepares a node, double and single precision included: a factor that
differs in its last bit gives other outputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgelearn.formats import S8, S32, SHIFTS
from edgelearn.graph import Node, Quant, Tensor
from edgelearn.ops.base import Attrs
from edgelearn.ops.fixed_point import HIGHEST, LOWEST, quantize_multiplier
from edgelearn.ops.shift import integers

LARGEST_FACTOR = 2.0**29  # a shift of 30 bits keeps an int32 within an int64


@dataclass(frozen=True)
class Site:
    """A node with the tensors that it reads and writes; `low` and `high` bound its output, a fused ReLU included."""

    node: Node
    ins: tuple[Tensor | None, ...]
    out: Tensor
    low: int = LOWEST
    high: int = HIGHEST

    def quant(self, index: int) -> Quant:
        """The quantisation of an operand."""
        tensor = self.ins[index]
        assert tensor is not None
        assert tensor.quant is not None
        return tensor.quant

    @property
    def out_quant(self) -> Quant:
        """The quantisation of the result."""
        assert self.out.quant is not None
        return self.out.quant

    @property
    def bounds(self) -> dict[str, int]:
        """`low` and `high` as attributes."""
        return {"min": self.low, "max": self.high}


@dataclass(frozen=True)
class Lowered:
    """An op on integers: `consts` are further operands, behind the node's own; `replaced` stand for some of those."""

    op: str
    attrs: Mapping[str, Any]
    consts: Mapping[str, np.ndarray] = field(default_factory=dict)
    replaced: Mapping[int, np.ndarray] = field(default_factory=dict)


Rule = Callable[[Site], Lowered | None]


def whole(tensor: Tensor | None) -> bool:
    """Whether a tensor is int8 with one scale and one zero point."""
    if tensor is None or tensor.format is not S8 or tensor.quant is None:
        return False
    scale, zero_point = tensor.quant.scale, tensor.quant.zero_point
    single = len(scale) == 1 and len(zero_point) == 1
    return single and 0 < scale[0] < math.inf and LOWEST <= zero_point[0] <= HIGHEST


def factor_of(site: Site) -> float | None:
    """What one step of the input's integer is in steps of the output's; None where no shift can express it."""
    factor = site.quant(0).scale[0] / site.out_quant.scale[0]
    return factor if factor < LARGEST_FACTOR else None


def same_quant(site: Site, index: int = 0) -> bool:
    """Whether the integers of an operand and of the output stand for the same numbers."""
    tensor, b = site.ins[index], site.out_quant
    if tensor is None or not whole(tensor):
        return False
    a = site.quant(index)
    return a.scale == b.scale and a.zero_point == b.zero_point


def bounds(attrs: Attrs) -> dict[str, int]:
    """By-value arguments: what the output is clamped to."""
    return {"min": attrs["min"], "max": attrs["max"]}


def offsets(attrs: Attrs) -> dict[str, int]:
    """By-value arguments of a weighted sum: zero points and bounds."""
    return {"x_zero": attrs["x_zero"], "y_zero": attrs["y_zero"], **bounds(attrs)}


def shifted_name(op: str) -> str:
    """The op whose weights are codes: `conv2d_shift_s8` for `conv2d_s8`."""
    return f"{op.removesuffix('_s8')}_shift_s8"


def _bits(tensor: Tensor) -> int:
    """The bits of each code; 0 where weights are none."""
    return next((bits for bits, fmt in SHIFTS.items() if tensor.format is fmt), 0)


def weighted(site: Site, op: str, axis: int) -> Lowered | None:
    """The rule of ops with weights, integers or codes, along whose `axis` the output channels lie.

    A fully connected layer with one scale for all weights rounds the product of scales to single precision first.
    None where the weights have a zero point, or a channel's sum may leave 32 bits. A fully connected layer has no
    padding: what its input's zero point adds to every sum goes into the bias, the zero point becomes 0.
    """
    w, b = site.ins[1], site.ins[2] if len(site.ins) > 2 else None
    if w is None or w.quant is None or w.data is None or any(w.quant.zero_point):
        return None
    bits = _bits(w)
    if not bits and w.format is not S8:
        return None
    weights = integers(np.asarray(w.data), bits) if bits else w.data.astype(np.int64)
    if b is not None and b.data is None:
        return None
    channels, scales = w.shape[axis], w.quant.scale
    if len(scales) not in (1, channels) or (len(scales) > 1 and w.quant.axis != axis):
        return None
    x_scale, y_scale = site.quant(0).scale[0], site.out_quant.scale[0]
    added = None if b is None else _added(b, x_scale * np.asarray(scales, np.float64))
    sums = np.abs(weights).sum(axis=tuple(k for k in range(weights.ndim) if k != axis))
    largest = sums * 256 + (0 if added is None else np.abs(added))
    if not largest.max() < 2**31:
        return None
    x_zero = site.quant(0).zero_point[0]
    if op == "dense_s8" and added is not None:
        added, x_zero = added - x_zero * weights.sum(axis=1 - axis), 0
    if len(scales) == 1 and (op == "dense_s8" or site.node.origin.op == "FULLY_CONNECTED"):
        factors = [float(np.float32(x_scale) * np.float32(scales[0])) / y_scale] * channels
    else:
        factors = [x_scale * scale / y_scale for scale in np.resize(scales, channels).tolist()]
    if not all(0 <= factor < LARGEST_FACTOR for factor in factors):
        return None
    pairs = np.array([quantize_multiplier(factor) for factor in factors], np.int32)
    attrs = {
        **site.node.attrs,
        "x_zero": x_zero,
        "y_zero": site.out_quant.zero_point[0],
        **site.bounds,
        **({"bits": bits} if bits else {}),
    }
    consts = {"multiplier": pairs[:, 0].copy(), "shift": pairs[:, 1].copy()}
    own = added is None or (b is not None and b.format is S32 and np.array_equal(added, np.asarray(b.data)))
    return Lowered(
        shifted_name(op) if bits else op, attrs, consts, {} if own or added is None else {2: added.astype(np.int32)}
    )


def _added(bias: Tensor, scale: np.ndarray) -> np.ndarray:
    """A bias in steps of the sum's scale, input times weight: as it stands where it has that scale, else rounded."""
    data, quant = np.asarray(bias.data, np.float64), bias.quant
    if bias.format is S32 and (quant is None or np.allclose(quant.scale, scale, rtol=1e-6, atol=0)):
        return data
    if quant is not None:
        data = (data - np.asarray(quant.zero_point)) * np.asarray(quant.scale)
    with np.errstate(all="ignore"):
        return np.asarray(np.rint(data / scale))
