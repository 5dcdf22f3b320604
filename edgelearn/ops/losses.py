"""Losses over one prediction: softmax cross-entropy of logits and a label, and mean squared error."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgelearn.ops.base import Arrays, Attrs, Op, Shape, count
from edgelearn.ops.softmax import log_softmax, softmax


def _classes(attrs: Attrs, ins: Sequence[Shape], outs: Sequence[Shape]) -> dict[str, int]:
    return {"classes": count(ins[0])}


def _elements(attrs: Attrs, ins: Sequence[Shape], outs: Sequence[Shape]) -> dict[str, int]:
    return {"count": count(ins[0])}


def _scale(attrs: Attrs) -> dict[str, float]:
    return {"scale": attrs["scale"]}


def _xent(attrs: Attrs, logits: np.ndarray, label: np.ndarray) -> Arrays:
    return (-log_softmax(logits.reshape(-1))[label],)


def _xent_bwd(attrs: Attrs, logits: np.ndarray, label: np.ndarray) -> Arrays:
    d = softmax(logits.reshape(-1))
    d[int(label[0])] -= 1
    return ((d * d.dtype.type(attrs["scale"])).reshape(logits.shape),)


def _mse(attrs: Attrs, y: np.ndarray, t: np.ndarray) -> Arrays:
    return (np.mean(np.square(y - t.reshape(y.shape)), keepdims=True).reshape(1),)


def _mse_bwd(attrs: Attrs, y: np.ndarray, t: np.ndarray) -> Arrays:
    return ((y - t.reshape(y.shape)) * y.dtype.type(2 * attrs["scale"] / y.size),)


OPS = (
    Op("softmax_xent", _xent, sizes=_classes, summary="softmax cross-entropy"),
    Op("softmax_xent_bwd", _xent_bwd, sizes=_classes, scalars=_scale),
    Op("mse", _mse, sizes=_elements, summary="mean squared error"),
    Op("mse_bwd", _mse_bwd, sizes=_elements, scalars=_scale, inplace=((0, 0),)),
)
