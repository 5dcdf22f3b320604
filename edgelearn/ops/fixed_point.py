"""Fixed-point arithmetic of quantised kernels: what TensorFlow Lite for Microcontrollers computes, to the last bit.

A real factor becomes a multiplier m in [2^30, 2^31) and a shift e: factor = m * 2^(e - 31). firmware/include/el/quant.h
has the same functions in C. Integer arrays are int64 here and hold what an int32 holds on the device.
"""

from __future__ import annotations

import math

import numpy as np

LOWEST, HIGHEST = -128, 127


def quantize_multiplier(factor: float) -> tuple[int, int]:
    """The multiplier and shift of a factor that is not negative; 0, 0 where it is below 2^-32."""
    if factor == 0:
        return 0, 0
    fraction, shift = math.frexp(factor)
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier, shift = 2**30, shift + 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def rescale(x: np.ndarray, multiplier: np.ndarray | int, shift: np.ndarray | int) -> np.ndarray:
    """x times the factor, rounded twice: the product to nearest, ties up; the shift to nearest, ties away from zero."""
    left, right = np.maximum(shift, 0), np.maximum(np.negative(shift), 0)
    wide = np.asarray(x, np.int64) << left
    wrapped = (wide + 2**31) % 2**32 - 2**31
    high = (wrapped * np.asarray(multiplier, np.int64) + 2**30) >> 31
    mask = (np.int64(1) << right) - 1
    return np.asarray((high >> right) + ((high & mask) > (mask >> 1) + (high < 0)))


def saturate(x: np.ndarray, low: int = LOWEST, high: int = HIGHEST) -> np.ndarray:
    """x as int8 within [low, high]."""
    return np.asarray(np.clip(x, low, high), np.int8)


def to_integer(value: float, scale: float) -> int:
    """value / scale in float32, to the nearest integer, ties away from zero."""
    with np.errstate(over="ignore"):
        ratio = float(np.clip(np.float32(value) / np.float32(scale), -(2**31), 2**31))
    return int(math.copysign(math.floor(abs(ratio) + 0.5), ratio))
