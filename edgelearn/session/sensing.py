"""A run over samples that the board takes itself, from its sensor: each is there once, and nobody else has seen it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import TypeVar

import numpy as np

from edgelearn.errors import BoardFailed, DeviceError, InputError
from edgelearn.link import Link
from edgelearn.plan import Plan
from edgelearn.scores import Score, score
from edgelearn.session.base import BoardSession
from edgelearn.session.follower import Follower
from edgelearn.session.outcome import Event
from edgelearn.session.samples import as_it_travels, hyper_of
from edgelearn.wire import Feature, Op, Result

T = TypeVar("T")
PAUSE = 0.01  # seconds between two questions to a sensor that has nothing
PATIENCE = 2.0  # seconds after which it is said that the run waits
BLOCK = 50  # samples after which there is a word on how it goes


@dataclass(frozen=True)
class Ask:
    """The next sample of the sensor: to learn as of class `label`, which the board says if it is None, or to infer."""

    label: int | None = None
    op: Op = Op.TRAIN


class SensorSession(BoardSession):
    """Trains on `count` samples of the sensor, those before a restart included.

    `asks` says what to do with each, one after the other, and may end the run early; without it the board says all
    labels. `held_out` samples of the sensor are evaluated before and after.
    """

    def __init__(
        self,
        plan: Plan,
        link: Link,
        count: int,
        on_event: Callable[[Event], None],
        *,
        held_out: int = 0,
        asks: Iterable[Ask] | None = None,
        restore: bool | None = None,
        best: bool = False,
    ) -> None:
        super().__init__(plan, link, on_event, restore=restore, best=best)
        if plan.latents.tensors:
            raise InputError("latents are kept of samples that a host sends", where="--replay, --store-latents")
        self.count, self.held_out, self.asks = count, held_out, asks
        self.hyper = hyper_of(plan.config.with_changes(epochs=1), count)

    def _course(self) -> None:
        hello = self._attach(self.hyper)
        if Feature.HAS_SENSOR not in Feature(hello.features):
            raise DeviceError(f"the program on {self.link.device.name} has no sensor", hint="--sensor FILE.c")
        self._announce(hello)
        self.outcome.before = self.before or self._evaluate("before")
        self._train()
        self.outcome.after = self._evaluate("after")
        self._save()
        self._check()

    def _sense(self, ask: Ask) -> Result:
        """A sample, as soon as the sensor has one and somebody says what it is."""
        return self._wait(lambda: self.link.sense(ask.op, ask.label))

    def _wait(self, take: Callable[[], T]) -> T:
        start, said = time.monotonic(), False
        while True:
            try:
                return take()
            except BoardFailed:
                time.sleep(PAUSE)
            if not said and time.monotonic() - start > PATIENCE:
                said = True
                self._emit("waiting")

    def _evaluate(self, when: str) -> Score | None:
        """Loss and hits of the next samples; nothing is learned from them."""
        if not self.held_out:
            return None
        losses, correct = [], []
        for k in range(self.held_out):
            result = self._sense(Ask(op=Op.EVAL))
            losses.append(result.loss)
            correct.append(result.correct)
            self._emit("progress", what=f"evaluating {when}", done=k + 1, of=self.held_out)
        labels = np.zeros(self.held_out, int) if self.labels else None
        found = replace(score(losses, correct, labels, {}), by_class=())  # nobody told the host the classes
        self._emit("evaluated", when=when, **asdict(found))
        return found

    def _train(self) -> None:
        done = self.resumed.samples if self.resumed else 0
        asks = iter(self.asks) if self.asks is not None else None
        losses: list[float] = []
        hits = spent = 0
        result: Result | None = None
        while done < self.count:
            ask = Ask() if asks is None else next(asks, None)
            if ask is None:
                break
            result = self._sense(ask)
            if ask.op is not Op.TRAIN:
                self._emit("inferred", predicted=result.predicted, samples=done)
                continue
            done += 1
            kept = f"the weights from {self.outcome.samples:,} samples on the board are kept"
            self._stop_if_not_finite(result, f"sample {done} of the sensor", kept)
            self.outcome.samples, self.outcome.steps = result.samples, result.step
            losses.append(result.loss)
            hits += result.correct
            spent += result.spent
            self._emit_step(1, self.count, result, losses, hits)
            if len(losses) % BLOCK == 0 or done == self.count:
                self._keep()
                self._emit("sensed", samples=done, loss=float(np.mean(losses[-BLOCK:])))
        if result is not None and done % self.plan.config.batch:
            self.outcome.steps = self.link.flush().step
        self._keep()
        self.outcome.spent_per_sample = round(spent / max(len(losses), 1)) or None

    def _check(self) -> None:
        """Further steps on one more sample, with the reference beside them, and back to the weights of the run.

        The reference can't follow what it has not seen, and a sample that was learned is no longer on the board; this
        one is taken, read, and sent back, so often as the board saves nothing of it.
        """
        params, state, status = self.link.read("params"), self.link.read("state"), self.link.status()
        follower = Follower(self.plan, self.hyper)
        self._catch_up(follower, status)
        self._wait(lambda: self.link.take(0 if self.labels else None))
        tensor = self.plan.graph.tensors[self.plan.graph.inputs[0]]
        floats = self.link.read("input", 0, 4 * math.prod(tensor.shape))  # whatever samples travel as
        taken = np.frombuffer(floats, "<f4").reshape(tensor.shape)
        wire = as_it_travels(self.plan, taken)
        x, sample = wire.astype(np.float32), wire.tobytes() + bytes(-wire.nbytes % 4)
        target = self.link.read("target")
        if self.labels:  # another class than it is taken for, so that there is something to learn
            classes = max(math.prod(self.plan.graph.meta["output"].device_shape), 2)
            predicted = self.link.evaluate(sample, target).predicted
            target = ((predicted + 1) % classes).to_bytes(4, "little")
        y = np.frombuffer(target, "<u4") if self.labels else np.empty(0)
        saves = self.plan.config.save_every * self.plan.config.batch  # samples after which the board saves by itself
        # Past the first update, and no further: a sample that is known has no loss left to compare.
        steps = min(follower.left, self.plan.config.batch + 2)
        for _ in range(min(steps, saves - 1) if self.plan.saving else steps):
            follower.follow(x, y, self.link.train(sample, target).loss)
            self._compare_shifts(follower)
        self.link.write("params", params)
        if state:
            self.link.write("state", state)
        self.link.restore_counters(status)
        if follower.followed:
            self._check_losses(follower, "steps on a sample of the sensor")
        self._check_outputs([(x, sample)], "a sample of the sensor")
