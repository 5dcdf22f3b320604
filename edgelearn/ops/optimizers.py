"""Update rules. A STEP op reads the running settings (`Optim`) and rewrites its outputs.

SGD with momentum keeps v = momentum * (v + g + wd*w) between updates, so that gradients can be accumulated straight
into v; the weights get the same values as with the usual v = momentum*v + g + wd*w; w -= lr*v (Sutskever et al. 2013,
as in torch.optim.SGD). Adam: Kingma & Ba 2015, algorithm 1; AdamW: Loshchilov & Hutter 2019, algorithm 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgelearn.ops.base import Arrays, Attrs, Kind, Op, count_sizes
from edgelearn.ops.parts import elements

CLIP_EPSILON = 1e-6  # added to the norm before dividing, as torch.nn.utils.clip_grad_norm_ does


@dataclass
class Optim:
    """The settings and running values of one update: `el_optim` in firmware/include/el/model.h."""

    lr: float = 0.01
    momentum: float = 0.0
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    clip_norm: float = 0.0
    grad_scale: float = 1.0
    grad_norm: float = 0.0
    bias1: float = 1.0
    bias2: float = 1.0


def _sgd(o: Optim, g: np.ndarray, w: np.ndarray) -> Arrays:
    return (w - o.lr * (o.grad_scale * g + o.weight_decay * w),)


def _momentum(o: Optim, g: np.ndarray | None, w: np.ndarray, v: np.ndarray) -> Arrays:
    t = v + o.weight_decay * w
    if g is not None:
        t = t + o.grad_scale * g
    return w - o.lr * t, o.momentum * t


def _adam_moments(o: Optim, g: np.ndarray, w: np.ndarray, m: np.ndarray, v: np.ndarray) -> Arrays:
    m = o.momentum * m + (1 - o.momentum) * g
    v = o.beta2 * v + (1 - o.beta2) * g * g
    return w - (o.lr / o.bias1) * m / (np.sqrt(v * (1 / o.bias2)) + o.epsilon), m, v


def _adam(o: Optim, g: np.ndarray, w: np.ndarray, m: np.ndarray, v: np.ndarray) -> Arrays:
    return _adam_moments(o, o.grad_scale * g + o.weight_decay * w, w, m, v)


def _adamw(o: Optim, g: np.ndarray, w: np.ndarray, m: np.ndarray, v: np.ndarray) -> Arrays:
    return _adam_moments(o, o.grad_scale * g, w * (1 - o.lr * o.weight_decay), m, v)


def _clip(o: Optim, acc: np.ndarray) -> Arrays:
    o.grad_norm = float(np.sqrt(acc[0])) * o.grad_scale
    o.grad_scale *= min(1.0, o.clip_norm / (o.grad_norm + CLIP_EPSILON)) if o.clip_norm > 0 else 1.0
    return (np.zeros_like(acc),)


def _zero(attrs: Attrs) -> Arrays:
    return (np.zeros(attrs["shape"], np.float32),)


OPS = (
    Op("zero", _zero, sizes=count_sizes, split=elements(0, 1)),
    Op("sgd_step", _sgd, sizes=count_sizes, kind=Kind.STEP, split=elements(1, 1)),
    Op("momentum_step", _momentum, sizes=count_sizes, kind=Kind.STEP, split=elements(1, 2)),
    Op("adam_step", _adam, sizes=count_sizes, kind=Kind.STEP, split=elements(1, 3)),
    Op("adamw_step", _adamw, sizes=count_sizes, kind=Kind.STEP, split=elements(1, 3)),
    Op(
        "weight_decay_step", lambda o, w: (w * (1 - o.lr * o.weight_decay),), sizes=count_sizes, kind=Kind.STEP,
        split=elements(0, 1),
    ),
    Op(
        "sumsq_step", lambda o, g, acc: (acc + np.sum(g * g),), sizes=lambda a, i, o: {"count": int(np.prod(i[0]))},
        kind=Kind.STEP, uses_optim=False,
    ),
    Op("clip_step", _clip, kind=Kind.STEP),
)  # fmt: skip
