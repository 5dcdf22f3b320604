"""The host's side of latent replay: it fills the board's memory, knows what is in it, and holds the board to that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from edgelearn.errors import NumbersError
from edgelearn.link import Link, Sample
from edgelearn.plan import Plan
from edgelearn.reference import Reference
from edgelearn.replay import Reservoir, calibrate
from edgelearn.wire import Op

CALIBRATED = 32  # samples over which the range of a float activation is measured
COMPARED = 8  # kept latents that are compared with the desktop's
# How far a kept latent may be from the desktop's: where the frozen layers compute in float, a value between two steps
# may be rounded to either.
TOLERANCES = {"integers": 0.0, "s8": 1.001, "f16": 1e-3, "f32": 1e-5}

Replayed = list[tuple[dict[str, np.ndarray], int]]  # the values of the cut and their label


class Rehearsal:
    """The latents that a board keeps in one session, for replay and in place of samples.

    `x` are the training samples as the board sees them, `labels` their classes. The board's decisions are repeated
    here, in the same order: `offered` and `replayed` must be called for each sample that the board gets.
    """

    def __init__(self, plan: Plan, link: Link, x: np.ndarray, labels: Sequence[int]) -> None:
        self.plan, self.link, self.x, self.labels = plan, link, x, labels
        self.latents = plan.latents
        self.reservoir = Reservoir(plan.config.replay, self.latents.classes, plan.config.seed)
        self.reference = Reference(plan.graph, np.float32)
        self.contents: dict[int, int] = {}  # slot: training sample
        self.compared, self.worst = 0, 0.0

    @property
    def tolerance(self) -> float:
        """Of `worst`: in steps of what is kept as int8, in parts of the largest value of other latents."""
        return max(TOLERANCES[self.latents.kept_as(t)] for t in self.latents.tensors)

    def start(self, samples: Sequence[int], *, write: bool = True) -> None:
        """Empty the board's memory and set its generator, and the scales that these samples ask for; without `write` it
        has them already.
        """
        step = max(1, len(samples) // CALIBRATED)
        chosen = samples[::step][:CALIBRATED] if self.latents.rounded else ()
        self.quants = calibrate(self.latents, (self.reference.latents(self.x[k]) for k in chosen))
        if write:
            self.link.write("replay", self._head(), at=0)

    def _head(self) -> bytes:
        """What the board should have in front of its slots; nothing where it has neither slots nor scales."""
        if not self.plan.replay_used:
            return b""
        return self.latents.pack_head(self.reservoir, self.quants, self.plan.config.replay_ratio)

    def fill(self, samples: Sequence[int], wire: Callable[[int], Sample], progress: Callable[[int], None]) -> None:
        """Offer samples without training on them."""
        results = self.link.run_many(Op.OFFER, (wire(k) for k in samples))
        for done, (k, _) in enumerate(zip(samples, results, strict=True), 1):
            self.offered(k)
            progress(done)

    def offered(self, sample: int) -> int | None:
        """The slot that a sample gets."""
        slot = self.reservoir.offer(self.labels[sample])
        if slot is not None:
            self.contents[slot] = sample
        return slot

    def drawn(self, besides: int | None) -> list[int]:
        """The slots that the board trains on after a new sample, which itself is in slot `besides`."""
        return list(self.reservoir.draws(self.plan.config.replay_ratio, besides))

    def read(self, slots: Iterable[int]) -> Replayed:
        """What the board has in slots of the replay memory, and its labels."""
        return [
            (self._values("replay", *self.latents.place(slot), self.contents[slot]), self.reservoir.labels[slot])
            for slot in slots
        ]

    def stored(self, slot: int, sample: int) -> dict[str, np.ndarray]:
        """What the board has in a slot of its store, where that holds latents."""
        return self._values("store", slot * self.plan.slot_bytes, self.latents.nbytes_kept, sample)

    def _values(self, space: str, at: int, count: int, sample: int) -> dict[str, np.ndarray]:
        """Kept latents of a training sample; some are compared with what the desktop makes of it."""
        data = self.link.read(space, at, count)
        if self.compared < COMPARED:
            own = self.latents.keep(self.reference.latents(self.x[sample]), self.quants)
            self.worst = max(self.worst, self.latents.apart(own, data, self.quants))
            self.compared += 1
        return self.latents.recall(data, self.quants)

    def check(self) -> None:
        """NumbersError if the board kept other samples than it should have, or other numbers of them."""
        expected = self._head()
        if self.link.read("replay", 0, len(expected)) != expected:
            raise NumbersError("the board's replay memory holds other samples than the reference's")
        if self.worst > self.tolerance:
            raise NumbersError(
                f"kept latents are {self.worst:.1e} off the reference's, {self.tolerance:.0e} is allowed",
                where=f"the first {self.compared} that were trained on again",
            )


def phases(order: np.ndarray | None, count: int) -> Iterator[tuple[int, list[int]]]:
    """Phases and their samples, in order; all in phase 0 where none are given."""
    if order is None:
        yield 0, list(range(count))
        return
    for phase in np.unique(order):
        yield int(phase), [int(k) for k in np.flatnonzero(order == phase)]
