"""Activation functions of one int8 value, tabulated at compile time: the device looks them up (`table_s8`).

Each table has the bits of TensorFlow Lite for Microcontrollers' own fixed-point formula for the function, or
where there is none the function itself, rounded once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgelearn.ops import clip as real_clip
from edgelearn.ops import gated, hard, smooth
from edgelearn.ops import relu as real_relu
from edgelearn.ops.fixed_point import HIGHEST, LOWEST, quantize_multiplier, rescale, saturate, to_integer
from edgelearn.ops.quantized import exponential
from edgelearn.ops.quantized.base import LARGEST_FACTOR, Lowered, Rule, Site
from edgelearn.ops.quantized.convert import quantized
from edgelearn.ops.quantized.table import DOMAIN, rescaling, tabulated

WIDE = 2**15 - 1  # what an int16 holds
FUNCTIONS = {op.name: op.compute for module in (gated, hard, real_clip, real_relu, smooth) for op in module.OPS}


def relu(site: Site) -> Lowered | None:
    """ReLU to any scale; ReLU6 on its input's integers; LeakyReLU with a positive slope."""
    attrs, x, y = site.node.attrs, site.quant(0), site.out_quant
    if attrs["slope"]:
        return _leaky(site)
    zero = y.zero_point[0]
    if np.isinf(attrs["max"]):
        return rescaling(site, zero)
    if x != y:
        return exact(site)
    return tabulated(site, np.clip(DOMAIN, zero, zero + to_integer(attrs["max"], x.scale[0])))


def clip(site: Site) -> Lowered | None:
    """RELU_N1_TO_1 on its input's integers, or to any scale."""
    x, y = site.quant(0), site.out_quant
    if x != y:
        return exact(site)
    low, high = (y.zero_point[0] + to_integer(site.node.attrs[end], x.scale[0]) for end in ("low", "high"))
    return tabulated(site, np.clip(DOMAIN, max(LOWEST, low), min(HIGHEST, high)))


def exact(site: Site) -> Lowered:
    """The op's own function at each of the 256 values, in single precision."""
    x = site.quant(0)
    real = (DOMAIN - x.zero_point[0]).astype(np.float32) * np.float32(x.scale[0])
    with np.errstate(over="ignore"):
        y = FUNCTIONS[site.node.op](site.node.attrs, real)[0]
    return tabulated(site, quantized(site.out_quant, y))


def _leaky(site: Site) -> Lowered | None:
    attrs, x, y = site.node.attrs, site.quant(0), site.out_quant
    if site.node.origin.op == "PRELU" or attrs["slope"] < 0:
        return None
    if site.node.origin.op != "LEAKY_RELU":
        return exact(site)
    step, slope = np.float32(x.scale[0]), np.float32(attrs["slope"])
    factors = [float(f / np.float32(y.scale[0])) for f in (step, step * slope)]
    if max(factors) >= LARGEST_FACTOR:
        return None
    centred = DOMAIN - x.zero_point[0]
    above, below = (rescale(centred, *quantize_multiplier(factor)) for factor in factors)
    return tabulated(site, y.zero_point[0] + np.where(centred >= 0, above, below))


def _short_multiplier(factor: float) -> tuple[int, int]:
    """A factor's multiplier in 15 bits, and its shift."""
    multiplier, shift = quantize_multiplier(factor)
    return (WIDE if multiplier >= 2**31 - 2**15 else (multiplier + 2**15) >> 16), shift


def hard_swish(site: Site) -> Lowered | None:
    """x * relu6(x + 3) / 6 in 16 bits: x with 7 bits behind the point, the second factor as a fraction of 2^15."""
    if site.node.origin.op != "HARD_SWISH":
        return exact(site)
    x, y = site.quant(0), site.out_quant
    fine = np.float32(1 / 128) * np.float32(x.scale[0])
    out_multiplier, out_shift = _short_multiplier(float(fine / np.float32(y.scale[0])))
    gate_multiplier, gate_shift = _short_multiplier(float(fine / np.float32(3 / 32768)))
    if out_shift > 0:
        return None
    centred = (DOMAIN - x.zero_point[0]) * 128
    gate = np.clip(centred << max(gate_shift - 1, 0), -WIDE - 1, WIDE)
    gate = (gate * gate_multiplier + 2**14) >> 15
    if gate_shift > 0:
        gate = np.clip(gate * 2, -WIDE - 1, WIDE)
    gate = (_halved(gate, max(-gate_shift, 0)) + 2**15) >> 1
    product = gate * ((centred * out_multiplier + 2**14) >> 15)
    return tabulated(site, y.zero_point[0] + _halved(np.sign(product) * (np.abs(product) >> 15), -out_shift))


def _halved(x: np.ndarray, times: int) -> np.ndarray:
    """x / 2^times to the nearest integer, ties away from zero."""
    half = (1 << times) >> 1
    return np.asarray(np.sign(x) * ((np.abs(x) + half) >> times))


def _curve(function: Callable[[int], int], zero: int, bits: int) -> Rule:
    """sigmoid and tanh: x with 27 bits behind the point, the result with 31, `bits` of which are kept."""

    def rule(site: Site) -> Lowered | None:
        x, y = site.quant(0), site.out_quant
        if y.zero_point[0] != zero or y.scale[0] != 2.0**-bits or y.even:
            return exact(site)
        factor = x.scale[0] * 2.0**27
        multiplier, shift = quantize_multiplier(factor)
        if shift > 30:
            return None
        # Beyond this radius the function is flat in int8.
        radius = int(15 * 2.0 ** (27 - shift))
        centred = DOMAIN - x.zero_point[0]
        values = np.array([function(int(v)) for v in rescale(np.clip(centred, -radius, radius), multiplier, shift)])
        near = saturate(zero + _halved(values, 31 - bits))
        table = np.where(centred <= -radius, LOWEST, np.where(centred >= radius, HIGHEST, near))
        return tabulated(site, table)

    return rule


RULES = {
    "relu": relu,
    "clip": clip,
    "hard_swish": hard_swish,
    "sigmoid": _curve(exponential.sigmoid, LOWEST, 8),
    "tanh": _curve(exponential.tanh, 0, 7),
    "hard_sigmoid": exact,
    "elu": exact,
    **dict.fromkeys(("silu", "gelu", "gelu_tanh", "softplus"), exact),
}
