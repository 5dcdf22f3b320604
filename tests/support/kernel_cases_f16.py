"""Kernel cases in half precision: those of float32 on numbers that halves can be, casts, scaling and updates.

A result may differ from the truth by what the float32 kernel may, by half a step of a half (2^-11 of it, or 2^-25
where it is subnormal) for being rounded once, and by nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from edgelearn import kernels
from edgelearn.config import LEAST_SCALE, MOST_SCALE
from edgelearn.ops import OPS, scaling
from edgelearn.ops.half import random_bits, rounded_at_random
from edgelearn.ops.optimizers import Optim
from tests.support.kernel_cases import EPS, Case
from tests.support.kernel_numbers import in_halves
from tools.bench import probe

HALF_STEP, SUBNORMAL, SUM_STEPS = 2.0**-11, 2.0**-25, 5
EDGES = np.float32(
    [0, -0.0, 65504, 65519.996, 65520, -1e6, np.inf, -np.inf, np.nan, 6e-8, 2.9e-8, -3.1e-8, 6.1e-5, 0.1]
)
Family = Callable[[np.random.Generator], Iterator[Case]]


def all_cases(families: Sequence[Family]) -> list[Case]:
    """Every case; `families` are those of float32."""
    rng = np.random.default_rng(16)
    with in_halves():
        same = [case for family in families for case in family(rng)]
    types = probe.signatures("cc")
    found = []
    for case in same:
        entry = kernels.find(case.step, "f16", kernels.REF)
        if entry is not None:
            found.append(_narrowed(case, types[entry.symbol]))
    return [*found, *casts(rng), *scales(), *updates(rng)]


def _half(array: np.ndarray) -> np.ndarray:
    half = array.astype(np.float16)
    np.testing.assert_array_equal(half.astype(np.float32), array)
    return half


def _narrowed(case: Case, types: Sequence[str]) -> Case:
    """The same call with halves wherever the kernel takes them."""
    halves = {k for k, ctype in enumerate(types) if "el_f16" in ctype}
    args = [_half(a) if k in halves and isinstance(a, np.ndarray) else a for k, a in enumerate(case.args)]
    bound = dict(case.bound)
    with np.errstate(invalid="ignore"):
        for k in case.want.keys() & halves:
            own = np.where(np.isfinite(case.want[k]), np.abs(case.want[k]), 0) * HALF_STEP + SUBNORMAL
            bound[k] = bound.get(k, 0.0) * (1 + HALF_STEP) + own
    return replace(case, name=f"{case.name} in halves", args=args, bound=bound, fmt="f16")


def summed_in_halves(case: Case) -> Case:
    """The same with what sums may lose that are rounded to halves for short blocks: SUM_STEPS half steps of the sum of
    their terms' absolute values. The worst of all cases loses 3.4, and the sums of a layer 1.3e-3 of their size."""
    bound = {}
    for k, narrow in case.bound.items():
        size = np.where(np.isfinite(case.want[k]), np.abs(case.want[k]), 0)
        terms = np.maximum(narrow - size * HALF_STEP - SUBNORMAL, 0) / EPS
        bound[k] = narrow + terms * SUM_STEPS * HALF_STEP
    return replace(case, bound=bound)


def casts(rng: np.random.Generator) -> Iterator[Case]:
    for n in (1, 7, 33):
        x = np.concatenate([EDGES, rng.normal(size=n).astype(np.float32)])
        size = len(x)
        with np.errstate(over="ignore"):
            y = x.astype(np.float16)
        yield Case(
            f"narrow {n}", "narrow_fwd", {"count": size}, [size, x, np.zeros(size, np.float16)], {2: y}, fmt="f16"
        )
        args: list[Any] = [size, y, np.zeros(size, np.float32)]
        yield Case(f"widen {n}", "widen_fwd", {"count": size}, args, {2: y.astype(np.float32)}, fmt="f16")
        for even in (0, 1):
            attrs = {"scale": np.float32(0.0371), "zero": -3, "even": even}
            (q,) = OPS["quantize_f16"].compute(attrs, y)
            args = [size, -3, even, attrs["scale"], y, np.zeros(size, np.int8)]
            yield Case(f"quantize {n} {even}", "quantize_fwd", {"count": size}, args, {5: q}, fmt="f16")
        (back,) = OPS["dequantize_f16"].compute(attrs, q)
        args = [size, -3, attrs["scale"], q, np.zeros(size, np.float16)]
        yield Case(f"dequantize {n}", "dequantize_fwd", {"count": size}, args, {4: back}, fmt="f16")


def _state(overflow: float = 0, **other: float) -> np.ndarray:
    values = {"scale": 1024, "overflow": overflow, "clean": 3, "skipped": 2, "updates": 77, **other}
    return np.array(list(values.values()), np.float32)


def scales() -> Iterator[Case]:
    x = np.float32([0.5, -3e-6, 1e30, np.nan])
    args: list[Any] = [4, x, _state(), np.zeros(4, np.float32)]
    yield Case("loss scale", "loss_scale_fwd", {"count": 4}, args, {3: x * np.float32(1024)})
    for name, state in {
        "clean": _state(), "grows": _state(clean=4), "largest": _state(clean=4, scale=MOST_SCALE),
        "overflow": _state(1), "least": _state(1, scale=LEAST_SCALE), "wraps": _state(updates=scaling.MOST_UPDATES),
    }.items():  # fmt: skip
        for every in (5, 0):
            (after,) = OPS["loss_scale_step"].compute(Optim(), every, state)
            yield Case(f"next scale, {name} {every}", "loss_scale_step", {}, [every, state], {1: after})
    for n in (1, 8, 33):
        for bad in (None, np.nan, np.inf, -np.inf):
            g = np.full(n, 65504, np.float16)
            g[-1] = -6e-8 if bad is None else bad
            (after,) = OPS["finite_step_f16"].compute(Optim(), g, _state())
            yield Case(f"finite {n} {bad}", "finite_step", {"count": n}, [n, g, _state()], {2: after}, fmt="f16")
        g = np.linspace(-3, 3, n).astype(np.float16)
        want = 1 + np.square(g.astype(np.float64)).sum(keepdims=True)
        args = [n, g, np.ones(1, np.float32)]
        yield Case(f"sumsq {n}", "sumsq_step", {"count": n}, args, {2: want}, {2: 2e-6 * want}, fmt="f16")


def updates(rng: np.random.Generator) -> Iterator[Case]:
    """Every rule, weights in halves to the nearest and at random and in floats, taken and left out."""
    for n in (1, 33, 130):
        g, w, m = (rng.normal(size=n).astype(np.float16) for _ in range(3))
        v = np.abs(rng.normal(size=n)).astype(np.float32)
        w[n // 2], g[n // 2] = 3e-5, 0.125  # a weight that is no normal half, in the middle of others
        for decay, overflow in ((0.0, 0), (0.0625, 0), (0.0, 1)):
            o = Optim(lr=0.125, momentum=0.875, beta2=0.96875, epsilon=2**-20, weight_decay=decay, grad_scale=2**-10,
                      bias1=0.25, bias2=0.0625)  # fmt: skip
            for rule, state in {"sgd": [], "momentum": [m], "adam": [m, v], "adamw": [m, v]}.items():
                kept = [a.astype(np.float32) if rule.startswith("adam") else a for a in state]
                for salt in (0, 3):
                    yield _updated(o, rule, f"{rule}_step", n, salt, g, _state(overflow), [w, *kept])
                wide = [w.astype(np.float32), *(a.astype(np.float32) for a in state)]
                yield _updated(o, rule, f"{rule}_mixed_step", n, 0, g, _state(overflow), wide)


def _chosen(value: np.ndarray, error: np.ndarray, random: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The half that a value off by `error` is rounded to, and how far away another one is that it may be as well."""
    first, second = (rounded_at_random(value + e, random).astype(np.float64) for e in (-error, error))
    return first, np.abs(second - first)


def _updated(o: Optim, rule: str, step: str, n: int, salt: int, g: np.ndarray, state: np.ndarray,
             rewritten: list[np.ndarray]) -> Case:  # fmt: skip
    settings = np.array(list(vars(o).values()), np.float32)
    truth = OPS[f"{rule}_step"].compute(o, *(a.astype(np.float64) for a in (g, *rewritten)))
    if state[scaling.OVERFLOW]:
        truth = tuple(a.astype(np.float64) for a in rewritten)
    args = [n, salt, settings, g, state, *rewritten]
    want, bound = {}, {}
    for k, (value, array) in enumerate(zip(truth, rewritten, strict=True)):
        size = 1.6e-6 * (np.abs(value) + 1)
        if array.dtype == np.float16:
            size += HALF_STEP * np.abs(value) + SUBNORMAL
        if salt and k == 0 and not state[scaling.OVERFLOW]:
            value, size = _chosen(value, 1.6e-6 * (np.abs(value) + 1), random_bits(state[scaling.UPDATES], salt, n))
        want[5 + k], bound[5 + k] = value, size
    return Case(f"{step} {n} {o.weight_decay} {salt}", step, {"count": n}, args, want, bound, fmt="f16")
