"""Exponential, sigmoid and tanh in fixed point, as int8 kernels of TensorFlow Lite compute them, one integer at a time.

Results have 31 bits behind the point, the arguments of sigmoid and tanh 27. e^x is a polynomial on [-1/4, 0)
times constants for the rest of x, quotients come from three Newton steps.
"""

from __future__ import annotations

import math

ONE = 2**31 - 1
ARGUMENT = 27  # bits behind the point


def _saturate(x: int) -> int:
    return max(-(2**31), min(ONE, x))


def times(a: int, b: int) -> int:
    """a * b / 2^31, to the nearest integer, ties up."""
    return _saturate((a * b + 2**30) >> 31)


def halved(x: int, bits: int) -> int:
    """x / 2^bits to the nearest integer, ties away from zero."""
    half = 1 << (bits - 1)
    return (x + half) >> bits if x >= 0 else -((-x + half) >> bits)


def _fixed(value: float, bits: int = 31) -> int:
    """A constant with `bits` behind the point."""
    return _saturate(math.floor(value * 2**bits + 0.5))


def _exp_near(a: int) -> int:
    """e^a for a in [-1/4, 0): the series around -1/8, up to the fourth power."""
    x = a + 2**28
    square = times(x, x)
    cube, fourth = times(square, x), times(square, square)
    series = halved(times(halved(fourth, 2) + cube, _fixed(1 / 3)) + square, 1)
    centre = _fixed(math.exp(-1 / 8))
    return _saturate(centre + times(centre, x + series))


def exp(a: int, bits: int) -> int:
    """e^a for a <= 0 with `bits` behind the point."""
    if a == 0:
        return ONE
    quarter = 1 << (bits - 2)
    near = (a & (quarter - 1)) - quarter
    result = _exp_near(near << (31 - bits))
    for exponent in range(-2, 31 - bits):
        if (near - a) & (1 << (bits + exponent)):
            result = times(result, _fixed(math.exp(-(2.0**exponent))))
    return result


def _two_over_one_plus(a: int) -> int:
    """2 / (1 + a) for a in [0, 1], with 29 bits behind the point."""
    half = (a + ONE + 1) >> 1
    x = _fixed(48 / 17, 29) + times(half, _fixed(-32 / 17, 29))
    for _ in range(3):
        rest = 2**29 - times(half, x)
        x += _saturate(times(x, rest) << 2)
    return x


def over_one_plus(a: int) -> int:
    """1 / (1 + a) for a in [0, 1], both with 31 bits behind the point."""
    return _saturate(_two_over_one_plus(a) << 1)


def sigmoid(x: int) -> int:
    """1 / (1 + e^-x)."""
    if x == 0:
        return 2**30
    positive = over_one_plus(exp(-abs(x), ARGUMENT))
    return positive if x > 0 else ONE - positive


def tanh(x: int) -> int:
    """(1 - e^-2x) / (1 + e^-2x)."""
    if x == 0:
        return 0
    positive = _saturate((_two_over_one_plus(exp(-abs(x), ARGUMENT - 1)) - 2**29) << 2)
    return positive if x > 0 else -positive
