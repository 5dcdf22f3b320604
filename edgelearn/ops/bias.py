"""Gradient of a per-channel bias: the sum of the output gradient over all positions."""

from __future__ import annotations

import numpy as np

from edgelearn.ops.base import Arrays, Attrs, Kind, Op, row_sizes


def _bias_bwd(attrs: Attrs, dy: np.ndarray) -> Arrays:
    return (dy.reshape(-1, dy.shape[-1]).sum(axis=0),)


OPS = (Op("bias_bwd", _bias_bwd, sizes=row_sizes, kind=Kind.ACCUMULATE),)
