"""Weights that are signed powers of two and train by the real numbers behind them: sign-scale decomposition.

A weight of N bits is W = sgn * 2^(S - k) with sgn in {-1, 1} and S in {0..T}, T = 2^(N-1) - 1; there is no zero. It
stands for T + 1 latents, one for the sign and T for the scale:

    S_t = (S_{t-1} + 1) * [w_t > 0],  S_0 = 0,  S = S_T

so that S is how many of the last latents in a row are positive. The derivative of a step is taken to be that of the
identity, and that of 2^S to be that of sqrt(S + 1), which does not explode.

On the device the latents of a weight lie side by side, (*shape, T + 1). An update turns the gradient of the weight into
theirs, takes the optimizer's step with each, and writes the weight that they stand for then, which is what layers read.

Source: Li et al., "DenseShift: Towards Accurate and Transferable Low-Bit Shift Network", ICCV 2023, section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from edgelearn.ops.base import Arrays, Attrs, Kind, Op, Shape, count
from edgelearn.ops.optimizers import OPS as RULES
from edgelearn.ops.optimizers import Optim
from edgelearn.ops.parts import BITS, along

SPREAD = 1e-3  # standard deviation of latents at first: with a larger one discrete weights freeze (section 4.3)
_ROOTS = np.sqrt(np.arange(1, 9)).astype(np.float32)  # of S + 1
_SLOPES = (0.5 / np.sqrt(np.arange(1, 9))).astype(np.float32)  # and its derivative


def largest(bits: int) -> int:
    """T, the largest exponent of weights of so many bits."""
    return (1 << (bits - 1)) - 1


def span_of(size: float) -> float:
    """Up to where numbers are evenly spread that have this root mean square, as a float32."""
    return float(np.float32(size * 3**0.5))


def latent_count(bits: int) -> int:
    """Latents a weight: the sign's and T of the scale."""
    return largest(bits) + 1


def discrete(latents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signs, 1 or -1, and exponents of the weights that the latents (T + 1, *shape) stand for, both int8."""
    sign = np.where(latents[0] > 0, 1, -1).astype(np.int8)
    exponent = np.zeros(latents.shape[1:], np.int8)
    for latent in latents[1:]:
        exponent = np.where(latent > 0, exponent + 1, 0).astype(np.int8)
    return sign, exponent


def weights_of(latents: np.ndarray, k: int = 0, dtype: np.typing.DTypeLike = np.float32) -> np.ndarray:
    """sgn * 2^(S - k) of latents (T + 1, *shape); NaN where the sign's is not finite, so that a loss shows it."""
    sign, exponent = discrete(latents)
    found = np.ldexp(sign.astype(dtype), exponent.astype(np.int32) - k)
    return np.asarray(np.where(np.isfinite(latents[0]), found, found.dtype.type(np.nan)))


def gradient(latents: np.ndarray, grad: np.ndarray) -> np.ndarray:
    """The gradient of the latents (T + 1, *shape), given that of sgn * 2^S, straight through signs and steps."""
    positive = latents > 0
    sign = np.where(positive[0], grad.dtype.type(1), grad.dtype.type(-1))
    running = np.zeros(latents.shape, grad.dtype)  # S_t
    for t in range(1, len(latents)):
        running[t] = np.where(positive[t], running[t - 1] + 1, 0)
    exponent = running[-1].astype(np.intp)
    out = np.empty_like(running)
    out[0] = grad * _ROOTS[exponent]
    d = grad * sign * _SLOPES[exponent]
    for t in range(len(latents) - 1, 0, -1):
        out[t] = d * (running[t - 1] + 1)
        d = d * positive[t]
    return out


def begin(weights: np.ndarray, latents: int, k: int, span: float) -> np.ndarray:
    """Latents (*shape, T + 1), float32, of weights that are such powers already, as a board has them before training.

    Their signs follow from the weight: of the scale's, the last S are positive. Their sizes are evenly spread up to
    `span`, and depend on nothing but their place.
    """
    exponent = np.frexp(np.abs(weights))[1] - 1 + k
    on = np.arange(latents) >= latents - exponent[..., None]
    on[..., 0] = weights > 0
    sizes = (_mixed(np.arange(weights.size * latents, dtype=np.uint32)) >> 8).astype(np.float32) + np.float32(1)
    sizes = sizes * np.float32(2.0**-24) * np.float32(span)
    return np.asarray(np.where(on, 1, -1) * sizes.reshape(on.shape), np.float32)


def _mixed(x: np.ndarray) -> np.ndarray:
    """32 bits that each depend on all bits of a number, as the C has them."""
    x = x + np.uint32(0x9E3779B9)  # zero would stay zero
    x = (x ^ x >> 16) * np.uint32(0x7FEB352D)
    x = (x ^ x >> 15) * np.uint32(0x846CA68B)
    return np.asarray(x ^ x >> 16)


def _of_device(latents: np.ndarray, grad: np.ndarray, k: int) -> np.ndarray:
    """The gradient of latents (*shape, T + 1), given that of the weight."""
    return np.moveaxis(gradient(np.moveaxis(latents, -1, 0), np.ldexp(grad, -k)), 0, -1)


def _stepped(rule: Op) -> Callable[..., Arrays]:
    def compute(o: Optim, k: int, grad: np.ndarray, w: np.ndarray, latents: np.ndarray, *state: np.ndarray) -> Arrays:
        moved, *state_then = rule.compute(o, _of_device(latents, grad, k), latents, *state)
        return weights_of(np.moveaxis(moved, -1, 0), k, w.dtype), moved, *state_then

    return compute


def _sumsq(o: Optim, k: int, grad: np.ndarray, latents: np.ndarray, acc: np.ndarray) -> Arrays:
    return (acc + np.sum(np.square(_of_device(latents, grad, k))),)


def _scalars(attrs: Attrs) -> Mapping[str, int]:
    return {"k": attrs["k"]}


def _step_sizes(attrs: Attrs, ins: Sequence[Shape], outs: Sequence[Shape]) -> dict[str, int]:
    return {"count": count(outs[0]), "latents": outs[1][-1]}


def _sum_sizes(attrs: Attrs, ins: Sequence[Shape], outs: Sequence[Shape]) -> dict[str, int]:
    return {"count": count(ins[0]), "latents": ins[1][-1]}


def _begin_sizes(attrs: Attrs, ins: Sequence[Shape], outs: Sequence[Shape]) -> dict[str, int]:
    return {"count": count(ins[0]), "latents": outs[0][-1]}


def _steps() -> tuple[Op, ...]:
    """Each update rule for latents, with the state tensors that the rule has for weights."""
    states = {"sgd_step": 0, "momentum_step": 1, "adam_step": 2, "adamw_step": 2}
    return tuple(
        Op(
            f"shift_{rule.name}", _stepped(rule), sizes=_step_sizes, scalars=_scalars, kind=Kind.STEP,
            split=along("count", (1,), (1, *["latents"] * (1 + states[rule.name])), BITS),
        )
        for rule in RULES if rule.name in states
    )  # fmt: skip


OPS = (
    *_steps(),
    Op("shift_sumsq_step", _sumsq, sizes=_sum_sizes, scalars=_scalars, kind=Kind.STEP, uses_optim=False),
    Op(
        "shift_begin", lambda a, w: (begin(w, a["latents"], a["k"], a["span"]),), sizes=_begin_sizes,
        scalars=lambda a: {"k": a["k"], "span": a["span"]},
    ),
)  # fmt: skip
