"""Latents of a network that is trained on a host: where they begin. What they stand for is in ops/shift_latents.py.

Here they are (T + 1, *shape), the sign's first.

Source: Li et al., "DenseShift: Towards Accurate and Transferable Low-Bit Shift Network", ICCV 2023, section 4.
"""

from __future__ import annotations

import numpy as np

from edgelearn.ops.shift_latents import SPREAD, discrete, gradient, largest, weights_of
from edgelearn.ops.shift_latents import latent_count as count

BITS = (2, 3, 4)

__all__ = ["BITS", "SPREAD", "count", "discrete", "fresh", "gradient", "largest", "near", "weights_of"]


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
