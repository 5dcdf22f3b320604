"""StableMax cross-entropy: the softmax with a function that grows linearly in the place of the exponential.

With s(x) = x + 1 from zero on and 1 / (1 - x) below, p = s / sum s. The gradient of a sample that is right falls as one
over its score, where that of the softmax falls exponentially until a half has no number so small. s rises everywhere,
so the largest score is the largest probability. (L. Prieto, M. Barsbey, P. Mediano, T. Birdal, ICLR 2025)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgelearn.ops.base import Arrays, Attrs, Op, Shape, count


def _classes(attrs: Attrs, ins: Sequence[Shape], outs: Sequence[Shape]) -> dict[str, int]:
    return {"classes": count(ins[0])}


def _parts(logits: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """s of all scores, that of the label (1,), and the sum of the others: a difference would cancel."""
    x = logits.reshape(-1)
    s = np.where(x < 0, 1 / (1 - np.minimum(x, 0)), x + 1)
    own = s[label]
    return s, own, np.delete(s, int(label[0])).sum(keepdims=True)


def _xent(attrs: Attrs, logits: np.ndarray, label: np.ndarray) -> Arrays:
    _, own, rest = _parts(logits, label)
    return (np.log1p(rest / own),)


def _xent_bwd(attrs: Attrs, logits: np.ndarray, label: np.ndarray) -> Arrays:
    s, own, rest = _parts(logits, label)
    slope = np.where(logits.reshape(-1) < 0, s * s, 1)
    d = np.ones_like(s)
    d[label] = -rest / own
    return ((d * slope / (own + rest) * s.dtype.type(attrs["scale"])).reshape(logits.shape).astype(logits.dtype),)


OPS = (
    Op("stablemax_xent", _xent, sizes=_classes, summary="StableMax cross-entropy"),
    Op("stablemax_xent_bwd", _xent_bwd, sizes=_classes, scalars=lambda attrs: {"scale": attrs["scale"]}),
)
