"""The loss scale of training in half precision: the loss gradient is multiplied by it before it becomes a half.

An update that sees a gradient that is not finite is left out and halves the scale; after `every` clean updates in a
row it doubles (P. Micikevicius et al., "Mixed Precision Training", ICLR 2018). With `every` 0 it stays. Powers of two
change no digit of what they multiply. All that is kept from one update to the next are five numbers, EL_SCALING of
el/model.h.
"""

from __future__ import annotations

import numpy as np

from edgelearn.config import LEAST_SCALE, MOST_SCALE
from edgelearn.ops.base import Arrays, Kind, Op, count_sizes
from edgelearn.ops.optimizers import Optim

SCALE, OVERFLOW, CLEAN, SKIPPED, UPDATES = range(5)
FIELDS = 5
MOST_UPDATES = 2.0**24 - 1


def start(scale: float) -> np.ndarray:
    """The numbers before the first update."""
    return np.array([scale, 0, 0, 0, 0], np.float32)


def _next(o: Optim, every: int, scaling: np.ndarray) -> Arrays:
    s = scaling.copy()
    s[UPDATES] = s[UPDATES] + 1 if s[UPDATES] < MOST_UPDATES else 0
    if s[OVERFLOW]:
        s[SKIPPED] += 1
        s[CLEAN] = 0
        if every and s[SCALE] > LEAST_SCALE:
            s[SCALE] /= 2
    else:
        s[CLEAN] += 1
        if every and s[CLEAN] >= every:
            s[CLEAN] = 0
            s[SCALE] *= 2 if s[SCALE] < MOST_SCALE else 1
    s[OVERFLOW] = 0
    return (s,)


OPS = (
    Op("loss_scale", lambda a, x, scaling: (x * scaling[SCALE],), sizes=count_sizes, inplace=((0, 0),)),
    Op("loss_scale_step", _next, scalars=lambda a: {"every": a["every"]}, kind=Kind.STEP, uses_optim=False),
)
