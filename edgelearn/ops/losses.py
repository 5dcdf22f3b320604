"""Losses over one prediction: cross-entropy of a label and the logits of a softmax or a sigmoid, mean squared error."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgelearn.ops.base import Arrays, Attrs, Op, Shape, count
from edgelearn.ops.smooth import sigmoid
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


def _turned(logit: np.ndarray, label: np.ndarray) -> np.ndarray:
    """The logit of the class that the label is not; NaN for a label that is neither 0 nor 1."""
    if int(label[0]) > 1:
        return np.full_like(logit, np.nan)
    return -logit if int(label[0]) else logit


def _sigmoid_xent(attrs: Attrs, logit: np.ndarray, label: np.ndarray) -> Arrays:
    z = _turned(logit.reshape(1), label)
    return (np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))),)


def _sigmoid_xent_bwd(attrs: Attrs, logit: np.ndarray, label: np.ndarray) -> Arrays:
    p = sigmoid(_turned(logit, label))
    return (_turned(p * p.dtype.type(attrs["scale"]), label),)


def _mse(attrs: Attrs, y: np.ndarray, t: np.ndarray) -> Arrays:
    return (np.mean(np.square(y - t.reshape(y.shape)), keepdims=True).reshape(1),)


def _mse_bwd(attrs: Attrs, y: np.ndarray, t: np.ndarray) -> Arrays:
    return ((y - t.reshape(y.shape)) * y.dtype.type(2 * attrs["scale"] / y.size),)


OPS = (
    Op("softmax_xent", _xent, sizes=_classes, summary="softmax cross-entropy"),
    Op("softmax_xent_bwd", _xent_bwd, sizes=_classes, scalars=_scale),
    Op("sigmoid_xent", _sigmoid_xent, summary="binary cross-entropy of a sigmoid"),
    Op("sigmoid_xent_bwd", _sigmoid_xent_bwd, scalars=_scale),
    Op("mse", _mse, sizes=_elements, summary="mean squared error"),
    Op("mse_bwd", _mse_bwd, sizes=_elements, scalars=_scale, inplace=((0, 0),)),
)
