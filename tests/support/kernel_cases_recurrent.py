"""Kernel cases of recurrent layers: operands left out, both directions, one step and more, odd sizes, in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

from edgelearn.ops import OPS, Kind
from tests.support.kernel_cases import EPS, Case
from tests.support.kernel_cases_wide import Arrays, absolute, random, wide
from tools.bench.probe import Alias

SIZES = ((1, 1), (1, 6), (2, 5), (5, 8), (9, 13))  # steps, hidden
FLAGS = {"rnn": "relu", "gru": "linear_before_reset"}
GATES = {"rnn": 1, "lstm": 4, "gru": 3}


def calls(op: str, name: str, attrs: dict[str, Any], ins: Arrays, bound: float | np.ndarray, outputs: Sequence[int],
          scale: float = 0.25) -> Iterator[Case]:  # fmt: skip
    """A call with fresh arrays for the wanted outputs (others are NULL), and one in place for each way."""
    made = OPS[op].compute(attrs, *wide(ins))
    shapes = [() if a is None else a.shape for a in ins]
    sizes = OPS[op].sizes(attrs, shapes, [a.shape for a in made])
    lead: list[Any] = list(sizes.values())
    arrays: list[Any] = [np.full(a.shape, 7, np.float32) if k in outputs else None for k, a in enumerate(made)]
    if OPS[op].kind is Kind.ACCUMULATE:
        lead.append(scale)
        made, bound = (7 + scale * made[0],), EPS * 7 + scale * bound
    first = len(lead) + len(ins)
    want = {first + k: made[k] for k in outputs}
    bounds = {k: np.broadcast_to(bound, truth.shape) for k, truth in want.items()}
    yield Case(f"{op} {name}", OPS[op].kernel, sizes, [*lead, *ins, *arrays], want, bounds)
    shared = [(out, len(lead) + source) for out, source in OPS[op].inplace if out in outputs]
    if shared:
        places = dict(shared)
        args = [*lead, *ins, *(Alias(places[k]) if k in places else a for k, a in enumerate(arrays))]
        want = {places.get(k, first + k): made[k] for k in outputs}
        bounds = {k: np.broadcast_to(bound, truth.shape) for k, truth in want.items()}
        yield Case(f"{op} {name} in place", OPS[op].kernel, sizes, args, want, bounds)


def layers(rng: np.random.Generator) -> Iterator[Case]:
    """Forward and backward. Rounding grows from step to step: the bound is one for all elements, for these sizes."""
    for k, ((op, gates), (steps, n), flag) in enumerate(product(GATES.items(), SIZES, (False, True))):
        attrs = {"reverse": k % 3 == 1, FLAGS.get(op, "unused"): flag}
        x, r = random(rng, steps, gates * n), random(rng, gates * n, n) / np.float32(np.sqrt(n))
        b = random(rng, gates * n) if k % 4 else None
        start, cell = random(rng, n) if k % 2 else None, random(rng, n) if k % 5 < 3 else None
        first = (start, cell) if op == "lstm" else (start,)
        forward = [a.astype(np.float32) for a in OPS[op].compute(attrs, *wide((x, r, b, *first)))]
        dy, name = random(rng, steps, n), f"{steps}x{n} {k}"
        for outputs in {tuple(range(len(forward))), (0,)}:
            yield from calls(op, name, attrs, (x, r, b, *first), 1e-5, outputs)
        if op == "rnn":
            yield from calls("rnn_bwd", name, attrs, (forward[0], dy, r), 2e-5, (0,))
            yield from weights("rnn_bwd_w", name, attrs, (dy, forward[0], start))
        elif op == "lstm":
            yield from calls("lstm_bwd", name, attrs, (*forward[1:], dy, r, cell), 2e-5, (0,))
            yield from weights("lstm_bwd_w", name, attrs, (x, forward[0], start))
        else:
            ins = (forward[1], forward[0], dy, r, b, start)
            yield from calls("gru_bwd", name, attrs, ins, 2e-5, (0, 1))
            yield from calls("gru_bwd", f"{name} frozen", attrs, ins, 2e-5, (0,))
            yield from weights("gru_bwd_w", name, attrs, (x, dy, forward[0], start))
            yield from weights("gru_bias_bwd", name, attrs, (x, dy))


def weights(op: str, name: str, attrs: dict[str, Any], ins: Arrays) -> Iterator[Case]:
    """A sum of products, whose bound is that of its terms."""
    (size,) = OPS[op].compute(attrs, *absolute(ins))
    yield from calls(op, name, attrs, ins, EPS * size, (0,))


FAMILIES: tuple[Callable[[np.random.Generator], Iterator[Case]], ...] = (layers,)
