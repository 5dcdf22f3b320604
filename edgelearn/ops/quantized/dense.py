"""Fully connected layer on int8 vectors, W [out, in] with one scale for all or one a row; like conv2d_s8."""

from __future__ import annotations

import numpy as np

from edgelearn.formats import S8
from edgelearn.ops import dense
from edgelearn.ops.base import Arrays, Attrs, Op
from edgelearn.ops.fixed_point import rescale, saturate
from edgelearn.ops.parts import along
from edgelearn.ops.quantized.base import Lowered, Site, offsets, weighted


def _forward(
    attrs: Attrs, x: np.ndarray, w: np.ndarray, b: np.ndarray | None, multiplier: np.ndarray, shift: np.ndarray
) -> Arrays:
    centred = x.astype(np.float64) - attrs["x_zero"]
    total = dense.forward(attrs, centred, w.astype(np.float64), b)[0].astype(np.int64)
    return (saturate(attrs["y_zero"] + rescale(total, multiplier, shift), attrs["min"], attrs["max"]),)


def rule(site: Site) -> Lowered | None:
    """dense with int8 weights [out, in]."""
    return weighted(site, "dense_s8", 0)


OPS = (Op("dense_s8", _forward, dense.infer, dense.sizes, scalars=offsets, fmt=S8, formats=(S8,), macs=dense.macs,
          split=along("out", (0, "in", 1, 1, 1), (1,), 4)),)  # fmt: skip
RULES = {"dense": rule}
