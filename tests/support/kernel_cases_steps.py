"""Kernel cases of what a step ends with: losses, and the rules by which weights change."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from edgelearn.ops import OPS
from edgelearn.ops.optimizers import Optim
from tests.support.kernel_cases import EPS, Case
from tests.support.kernel_cases_wide import random, wide


def losses(rng: np.random.Generator) -> Iterator[Case]:
    for n in (2, 7, 10, 101):
        logits = 4 * random(rng, n)
        logits[1] = 300  # exp would overflow
        label = np.array([n // 2], np.uint32)
        sizes, attrs = {"classes": n}, {"scale": 0.125}
        (loss,) = OPS["softmax_xent"].compute({}, logits.astype(np.float64), label)
        args = [n, logits, label, np.zeros(1, np.float32)]
        yield Case(f"xent {n}", "softmax_xent_fwd", sizes, args, {3: loss}, {3: EPS * (np.abs(loss) + 1)})
        (d,) = OPS["softmax_xent_bwd"].compute(attrs, logits.astype(np.float64), label)
        args = [n, 0.125, logits, label, np.zeros(n, np.float32)]
        yield Case(f"xent_bwd {n}", "softmax_xent_bwd", sizes, args, {4: d}, {4: 1e-5 * np.abs(d) + 2e-8})
    for n, top in itertools.product((2, 7, 10, 101), (0.5, 300, 1e4)):
        logits = 4 * random(rng, n)
        logits[1] = top
        sizes, attrs = {"classes": n}, {"scale": 0.125}
        for own in (0, 1, n - 1):
            label = np.array([own], np.uint32)
            (loss,) = OPS["stablemax_xent"].compute({}, logits.astype(np.float64), label)
            args = [n, logits, label, np.zeros(1, np.float32)]
            name = f"stablemax {n} {top} {own}"
            yield Case(name, "stablemax_xent_fwd", sizes, args, {3: loss}, {3: 2 * EPS * np.abs(loss)})
            (d,) = OPS["stablemax_xent_bwd"].compute(attrs, logits.astype(np.float64), label)
            args = [n, 0.125, logits, label, np.zeros(n, np.float32)]
            yield Case(f"{name} bwd", "stablemax_xent_bwd", sizes, args, {4: d}, {4: 2 * EPS * np.abs(d)})
    for z, y in itertools.product((0.0, -0.4, 3.7, -300.0, 300.0, 1e-30), (0, 1)):
        logit, label, attrs = np.array([z], np.float32), np.array([y], np.uint32), {"scale": 0.125}
        (loss,) = OPS["sigmoid_xent"].compute({}, logit.astype(np.float64), label)
        args = [logit, label, np.zeros(1, np.float32)]
        yield Case(f"binary {z} {y}", "sigmoid_xent_fwd", {}, args, {2: loss}, {2: EPS * np.abs(loss) + 1e-30})
        (d,) = OPS["sigmoid_xent_bwd"].compute(attrs, logit.astype(np.float64), label)
        args = [0.125, logit, label, np.zeros(1, np.float32)]
        yield Case(f"binary_bwd {z} {y}", "sigmoid_xent_bwd", {}, args, {3: d}, {3: EPS * np.abs(d) + 1e-30})
    for z, y in ((0.5, 2), (np.nan, 0), (np.nan, 1)):
        args = [np.array([z], np.float32), np.array([y], np.uint32), np.zeros(1, np.float32)]
        yield Case(f"binary {z} {y} is no loss", "sigmoid_xent_fwd", {}, args, {2: np.array([np.nan])})
    wrong = [7, 4 * random(rng, 7), np.array([7], np.uint32), np.zeros(1, np.float32)]
    for op in ("softmax", "stablemax"):
        yield Case(f"{op}, label out of range", f"{op}_xent_fwd", {"classes": 7}, wrong, {3: np.array([np.nan])})


def settings(o: Optim) -> np.ndarray:
    return np.array(list(vars(o).values()), np.float32)


def optimizers(rng: np.random.Generator) -> Iterator[Case]:
    for n in (1, 6, 33, 128):
        sizes = {"count": n}
        g, w, m = (random(rng, n) for _ in range(3))
        v = np.abs(random(rng, n))
        v[0] = 0
        for decay in (0.0, 0.0625):
            o = Optim(lr=0.125, momentum=0.875, beta2=0.96875, epsilon=2**-20, weight_decay=decay, grad_scale=0.5,
                      bias1=0.25, bias2=0.0625)  # fmt: skip
            size = 4e-7 * (np.abs(g) + np.abs(w) + np.abs(m) + 1)
            table = {
                "sgd_step": [g, w], "momentum_step": [g, w, m], "adam_step": [g, w, m, v], "adamw_step": [g, w, m, v],
                "weight_decay_step": [w],
            }  # fmt: skip
            for step, arrays in table.items():
                variants = [arrays] + ([[None, w, m]] if step == "momentum_step" else [])
                for variant in variants:
                    want = OPS[step].compute(o, *wide(variant))
                    args = [n, settings(o), *variant]
                    first = len(args) - len(want)
                    yield Case(
                        f"{step} {n} {decay}", step, sizes, args, {first + k: a for k, a in enumerate(want)},
                        {first + k: 4 * size for k in range(len(want))},
                    )  # fmt: skip
        (want,) = OPS["sumsq_step"].compute(Optim(), g.astype(np.float64), np.ones(1))
        yield Case(f"sumsq {n}", "sumsq_step", sizes, [n, g, np.ones(1, np.float32)], {2: want}, {2: EPS * want})
    for limit, total in ((1.0, 16.0), (8.0, 16.0), (0.0, 16.0), (1.0, 0.0), (1.0, np.nan)):
        o = Optim(clip_norm=limit, grad_scale=3.0)
        acc = np.array([total])
        args = [settings(o), acc.astype(np.float32)]
        zero = OPS["clip_step"].compute(o, acc)
        after = np.array(list(vars(o).values()))
        if np.isnan(total):
            after[6] = 3.0  # Python's min() and C agree on this only by the order of its arguments
        yield Case(f"clip {limit} {total}", "clip_step", {}, args, {0: after, 1: zero[0]}, {0: EPS * np.abs(after)})
