"""Weights that are signed powers of two, and the real numbers they are trained by: sign-scale decomposition.

A weight of N bits is W = sgn * 2^S with sgn in {-1, 1} and S in {0..T}, T = 2^(N-1) - 1; there is no zero. It stands
for T + 1 latents, one for the sign and T for the scale:

    S_t = (S_{t-1} + 1) * [w_t > 0],  S_0 = 0,  S = S_T

so that S is how many of the last latents in a row are positive. The derivative of a step is taken to be that of the
identity, and that of 2^S to be that of sqrt(S + 1), which does not explode.

Source: Li et al., "DenseShift: Towards Accurate and Transferable Low-Bit Shift Network", ICCV 2023, section 4.
"""

from __future__ import annotations

import numpy as np

BITS = (2, 3, 4)
SPREAD = 1e-3  # standard deviation of the latents at first: with a larger one discrete weights freeze (section 4.3)


def largest(bits: int) -> int:
    """T, the largest exponent of weights of so many bits."""
    return (1 << (bits - 1)) - 1


def count(bits: int) -> int:
    """Latents a weight: the sign's and T of the scale."""
    return largest(bits) + 1


def fresh(shape: tuple[int, ...], bits: int, random: np.random.Generator, spread: float = SPREAD) -> np.ndarray:
    """Latents (T + 1, *shape) float32 with no knowledge of any weights, normal with this standard deviation."""
    return random.normal(0.0, spread, (count(bits), *shape)).astype(np.float32)


def near(weights: np.ndarray, bits: int, random: np.random.Generator, spread: float = SPREAD) -> tuple[np.ndarray, int]:
    """Latents whose discrete weights, times 2^-k, are those nearest to float weights; gives them and k.

    Signs keep the order of the float weights: the smallest ones turn first. k is that with the least squared error.
    """
    latents = np.abs(fresh(weights.shape, bits, random, spread))
    scale = float(np.std(weights)) or 1.0
    latents[0] = (weights / scale * spread).astype(np.float32)
    top, size = largest(bits), np.abs(weights, dtype=np.float64)
    middle = -round(float(np.log2(max(float(size.mean()), 1e-30))))
    errors = {k: float(np.square(size - _nearest(size, k, top)[1]).sum()) for k in range(middle - 1, middle + top + 2)}
    k = min(errors, key=lambda k: errors[k])
    exponents = _nearest(size, k, top)[0]
    for t in range(1, top + 1):
        latents[t] *= np.where(t > top - exponents, 1.0, -1.0)
    return latents, k


def _nearest(size: np.ndarray, k: int, top: int) -> tuple[np.ndarray, np.ndarray]:
    """The exponents S for which 2^(S - k) is nearest to positive numbers, and those powers."""
    with np.errstate(divide="ignore"):
        low = np.clip(np.floor(np.log2(size) + k), 0, top)
    low = np.where(size - np.exp2(low - k) > np.exp2(low - k) / 2, np.minimum(low + 1, top), low)
    return low, np.exp2(low - k)


def discrete(latents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signs, 1 or -1, and exponents of the weights that the latents (T + 1, *shape) stand for, both int8."""
    sign = np.where(latents[0] > 0, 1, -1).astype(np.int8)
    exponent = np.zeros(latents.shape[1:], np.int8)
    for latent in latents[1:]:
        exponent = np.where(latent > 0, exponent + 1, 0).astype(np.int8)
    return sign, exponent


def weights_of(latents: np.ndarray, k: int = 0) -> np.ndarray:
    """sgn * 2^(S - k), float32."""
    sign, exponent = discrete(latents)
    return np.ldexp(sign.astype(np.float32), exponent.astype(np.int32) - k)


def gradient(latents: np.ndarray, grad: np.ndarray) -> np.ndarray:
    """The gradient of the latents, given that of sgn * 2^S, straight through signs and steps."""
    positive = latents > 0
    sign = np.where(positive[0], np.float32(1), np.float32(-1))
    running = np.zeros((len(latents), *latents.shape[1:]), np.float32)  # S_t
    for t in range(1, len(latents)):
        running[t] = np.where(positive[t], running[t - 1] + 1, 0)
    root = np.sqrt(running[-1] + 1)
    out = np.empty_like(running)
    out[0] = grad * root
    d = grad * sign / (2 * root)
    for t in range(len(latents) - 1, 0, -1):
        out[t] = d * (running[t - 1] + 1)
        d = d * positive[t]
    return out
