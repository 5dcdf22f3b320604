"""Non-negative least squares: which traits of a shape a kernel's count grows with, and by how much."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgelearn.predict import Fitted
from edgelearn.traits import Traits

HELD_OUT = 4  # every fourth shape tells the error, and is not fitted to
DIGITS = 5


def nnls(a: np.ndarray, b: np.ndarray, rounds: int = 300) -> np.ndarray:
    """x >= 0 with the least |a x - b| (C. Lawson, R. Hanson, "Solving Least Squares Problems", 1974, chapter 23)."""
    x, free = np.zeros(a.shape[1]), np.zeros(a.shape[1], bool)
    for _ in range(rounds):
        slope = a.T @ (b - a @ x)
        slope[free] = -np.inf
        if slope.max() <= 1e-9 * len(b):
            break
        free[int(np.argmax(slope))] = True
        while True:
            wanted = np.zeros_like(x)
            wanted[free] = np.linalg.lstsq(a[:, free], b, rcond=None)[0]
            below = free & (wanted <= 0)
            if not below.any():
                break
            step = np.min(x[below] / np.maximum(x[below] - wanted[below], 1e-300))
            x += step * (wanted - x)
            free &= x > 1e-12
            x[~free] = 0
        x = wanted
    return x


def fit(rows: Sequence[Traits], counts: Sequence[int]) -> Fitted:
    """Factors with the least sum of squared relative errors, and the errors for every fourth shape."""
    names = sorted({name for row in rows for name in row})
    a = np.array([[row.get(name, 0.0) for name in names] for row in rows]) / np.array(counts, float)[:, None]
    size = np.linalg.norm(a, axis=0)
    keep = size > 0
    names, a = [n for n, k in zip(names, keep, strict=True) if k], a[:, keep] / size[keep]
    held = np.arange(len(rows)) % HELD_OUT == HELD_OUT - 1
    x = nnls(a[~held], np.ones(int((~held).sum())))
    errors = np.abs(a[held] @ x - 1)
    factors = {n: float(f"{v:.{DIGITS}g}") for n, v in zip(names, x / size[keep], strict=True) if v > 0}
    return Fitted(factors, round(float(errors.max()), 4), round(float(np.median(errors)), 4))
