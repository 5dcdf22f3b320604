"""Updates of weights that are signed powers of two by their latents; the truth is in `edgelearn.ops.shift_latents`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from edgelearn.ops import OPS
from edgelearn.ops.optimizers import Optim
from edgelearn.ops.shift_latents import latent_count, weights_of
from tests.support.kernel_cases import EPS, Case
from tests.support.kernel_cases_steps import settings
from tests.support.kernel_numbers import real

BITS = (3, 4, 2)


def latents(rng: np.random.Generator) -> Iterator[Case]:
    """Updates of weights by their latents, and where latents begin."""
    for n, bits in itertools.product((1, 7, 33, 130), BITS):
        held, k = latent_count(bits), bits + n % 3 - 1
        g = real(rng.normal(size=n))
        values, m, v = (real(rng.normal(size=(n, held)) + 0.1) for _ in range(3))
        sizes, v = {"count": n, "latents": held}, np.abs(v)
        lead = [n, held, k]
        w = weights_of(values.T, k)
        slope = np.abs(np.ldexp(g, -k))[:, None] * 8
        for rule, state in (("sgd", []), ("momentum", [m]), ("adam", [m, v]), ("adamw", [m, v])):
            for decay in (0.0, 0.0625):
                o = Optim(lr=0.125, momentum=0.875, beta2=0.96875, epsilon=2**-20, weight_decay=decay, grad_scale=0.5,
                          bias1=0.25, bias2=0.0625)  # fmt: skip
                step = f"shift_{rule}_step"
                arrays = [w, values, *state]
                want = OPS[step].compute(o, k, *(a.astype(np.float64) for a in (g, *arrays)))
                assert np.abs(want[1]).min() > 1e-5  # else rounding would decide what the weight is
                args = [*lead, settings(o), g, *arrays]
                first = len(args) - len(want)
                bound = EPS * (slope + slope**2 + np.abs(values) + np.abs(m) + 1)
                yield Case(
                    f"{step} {n} {bits} {decay}", step, sizes, args, {first + j: a for j, a in enumerate(want)},
                    {first + j: bound for j in range(1, len(want))},
                )  # fmt: skip
        start = np.ones(1, np.float32)
        (want_sum,) = OPS["shift_sumsq_step"].compute(Optim(), k, *(a.astype(np.float64) for a in (g, values, start)))
        yield Case(
            f"shift_sumsq {n} {bits}", "shift_sumsq_step", sizes, [*lead, g, values, start], {5: want_sum},
            {5: EPS * want_sum},
        )  # fmt: skip
        if n > 1:
            broken = values.copy()
            broken[:2, 0] = np.inf, np.nan
            o = Optim(lr=0.125, grad_scale=0.5)
            want = OPS["shift_sgd_step"].compute(o, k, g.astype(np.float64), w, broken.astype(np.float64))
            assert np.isnan(want[0][:2]).all()
            yield Case(
                f"shift_sgd_step {n} {bits} not finite", "shift_sgd_step", sizes, [*lead, settings(o), g, w, broken],
                {5: want[0]},
            )  # fmt: skip
        (first_of_all,) = OPS["shift_begin"].compute({"latents": held, "k": k, "span": 0.375}, w)
        args = [*lead, 0.375, w, np.full((n, held), 7, np.float32)]
        yield Case(f"shift_begin {n} {bits}", "shift_begin_fwd", sizes, args, {5: first_of_all})


FAMILIES = (latents,)
