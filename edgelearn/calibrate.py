"""Ranges of a float model's activations over samples of the user's: what int8 has to reach, and what it may cut off.

`minmax` takes all that was seen. `percentile` leaves out the hundredth of a percent that is farthest out, half of it at
each end. `mse` picks the ends that make the squared error of rounding and cutting off together smallest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from edgelearn.errors import InputError
from edgelearn.formats import F32
from edgelearn.graph import Graph
from edgelearn.ops.quantized.convert import quant_between
from edgelearn.reference import Reference

Range = tuple[float, float]
Ranges = Mapping[str, Range]

HALF = 4096  # bins of a histogram on either side of zero: eight or more to an int8 step of all that was seen
OUTSIDE = 1e-4  # the share of values that `percentile` leaves out
STEPS = 64  # ends that `mse` tries, from a 64th of what was seen to all of it
ROUNDS = 2  # of looking for a better upper, then a better lower end


class Histogram:
    """Counts of a tensor's values in 2 * HALF bins around zero, which widen by powers of two as larger values come."""

    def __init__(self) -> None:
        self.low, self.high = math.inf, -math.inf
        self.limit = 0.0
        self.counts = np.zeros(2 * HALF, np.int64)

    def add(self, values: np.ndarray) -> None:
        """Count finite values of any shape."""
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))
        largest = max(-self.low, self.high)
        if largest >= self.limit:
            self._widen(2.0 ** math.frexp(largest)[1])
        if self.limit:
            bins = np.floor(values.reshape(-1) / self.limit * HALF).astype(np.int64) + HALF
            self.counts += np.bincount(np.clip(bins, 0, 2 * HALF - 1), minlength=2 * HALF)

    def _widen(self, limit: float) -> None:
        """Bins up to `limit`, a power of two above what there was."""
        times = round(math.log2(limit / self.limit)) if self.limit else 0
        for _ in range(min(times, 2 * HALF.bit_length())):
            merged = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts = np.pad(merged, HALF // 2)
        self.limit = limit

    @property
    def edges(self) -> np.ndarray:
        """The 2 * HALF + 1 edges of the bins."""
        return np.arange(-HALF, HALF + 1) * (self.limit / HALF)


def _minmax(seen: Histogram) -> Range:
    return seen.low, seen.high


def _percentile(seen: Histogram) -> Range:
    total = seen.counts.sum()
    below = np.concatenate(([0], np.cumsum(seen.counts)))
    spare = OUTSIDE / 2 * total
    low = seen.edges[np.flatnonzero(below <= spare)[-1]]
    high = seen.edges[np.flatnonzero(total - below <= spare)[0]]
    return max(float(low), seen.low), min(float(high), seen.high)


def _mse(seen: Histogram) -> Range:
    held = np.flatnonzero(seen.counts)
    centres = ((seen.edges[:-1] + seen.edges[1:]) / 2)[held]
    counts = seen.counts[held].astype(np.float64)

    def error(low: float, high: float) -> float:
        quant = quant_between(low, high)
        (scale,), (zero,) = quant.scale, quant.zero_point
        near = np.clip(np.rint(centres / scale) + zero, -128, 127)
        return float((counts * ((near - zero) * scale - centres) ** 2).sum())

    low, high = min(seen.low, 0.0), max(seen.high, 0.0)
    shares = np.arange(STEPS, 0, -1) / STEPS  # all of it first: it wins a tie
    lows, highs = ([float(end * share) for share in shares] if end else [0.0] for end in (low, high))
    for _ in range(ROUNDS):
        high = min(highs, key=lambda end: error(low, end))
        low = min(lows, key=lambda end: error(end, high))
    return low, high


METHODS: dict[str, Callable[[Histogram], Range]] = {"minmax": _minmax, "percentile": _percentile, "mse": _mse}


def pick(available: int, wanted: int, seed: int) -> np.ndarray:
    """Which samples to look at: `wanted` different ones of those there are, in order, by the seed alone."""
    generator = np.random.default_rng(seed)
    return np.sort(generator.permutation(available)[:wanted])


def calibrate(graph: Graph, samples: Iterable[np.ndarray], method: str = "minmax") -> dict[str, Range]:
    """The range of the input and of every activation of a float graph, by tensor name.

    `samples` (N, *device shape) are run in float64. InputError if a layer gives what is not finite.
    """
    reference = Reference(graph, np.float64)
    names = [t.name for t in graph.tensors.values() if t.data is None and t.format is F32]
    seen = {name: Histogram() for name in names}
    for sample in samples:
        with np.errstate(all="ignore"):
            reference.forward(sample)
        for name in names:
            if name not in reference.values:
                continue
            if not np.isfinite(reference.values[name]).all():
                maker = graph.producer(name)
                raise InputError(
                    f"{maker.name if maker else name} gives NaN or infinity for a training sample",
                    where="calibration for the int8 prefix",
                )
            seen[name].add(reference.values[name])
    return {name: METHODS[method](found) for name, found in seen.items() if found.low <= found.high}
