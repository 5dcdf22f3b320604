"""A run over an archive of samples: they go to the board in a fixed order, what it answers comes back as events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict

import numpy as np

from edgelearn.data import Dataset
from edgelearn.link import Link, Own, Sample
from edgelearn.plan import Plan
from edgelearn.rehearsal import Rehearsal, phases
from edgelearn.scores import Score, class_phases, score
from edgelearn.session.base import BoardSession
from edgelearn.session.follower import NOTHING, Follower
from edgelearn.session.outcome import Event
from edgelearn.session.samples import encode, hyper_of
from edgelearn.wire import Op, Result, Source

INFERRED = 8  # held-out samples whose predictions are compared


class Session(BoardSession):
    """Trains on `data`, and evaluates on what is held out of it, before and after."""

    def __init__(
        self,
        plan: Plan,
        link: Link,
        data: Dataset,
        on_event: Callable[[Event], None],
        *,
        restore: bool | None = None,
        best: bool = False,
    ) -> None:
        super().__init__(plan, link, on_event, restore=restore, best=best)
        self.train_set = encode(plan, data.x_train, data.y_train)
        self.test_set = encode(plan, data.x_test, data.y_test)
        self.known = [k for p, members in phases(data.phase_train, len(self.train_set)) if p < 0 for k in members]
        self.phases = [part for part in phases(data.phase_train, len(self.train_set)) if part[0] >= 0]
        self.groups = class_phases(data.y_train, data.phase_train) if self.labels else {}
        self.hyper = hyper_of(plan.config, *(len(members) for _, members in self.phases))
        self.slots: dict[int, int] = {}  # training sample: the slot that keeps it
        self.rehearsal: Rehearsal | None = None
        if plan.latents.tensors:
            labels = [int(c) for c in self.train_set.y[:, 0]] if self.labels else []
            self.rehearsal = Rehearsal(plan, link, self.train_set.x, labels)

    def _course(self) -> None:
        self._connect()
        self._fill_store()
        self._remember()
        self.outcome.before = self.before or self._evaluate("before")
        self._train()
        self.outcome.after = self._evaluate("after")
        self._save()
        samples = zip(self.test_set.x[:INFERRED], (sample for sample, _ in self.test_set.wire), strict=False)
        self._check_outputs(samples, f"the first {INFERRED} held-out samples")

    def _connect(self) -> None:
        hello = self._attach(self.hyper)
        chosen = [k for _, members in self.phases for k in members][: hello.store_slots]
        self.slots = {k: slot for slot, k in enumerate(sorted(chosen))}
        if self.rehearsal:
            self.rehearsal.start(self.known or self.phases[0][1], write=not self._has_latents)
        self._announce(hello)

    @property
    def _has_latents(self) -> bool:
        """Whether the board's replay memory came back with its weights."""
        return self.resumed is not None and self.plan.saving is not None and self.plan.saving.replay

    def _fill_store(self) -> None:
        for k, slot in self.slots.items():
            keep = self.link.keep_latents if self.plan.config.store_latents else self.link.keep
            keep(slot, *self.train_set.wire[k])
            self._emit("progress", what="sending samples to keep", done=slot + 1, of=len(self.slots))

    def _remember(self) -> None:
        """The replay memory as it is before training: with the latents of what the model knows."""
        if self.rehearsal is None or not self.plan.config.replay:
            return
        if self._has_latents:
            for k in self.known:
                self.rehearsal.offered(k)
            return
        self.rehearsal.fill(
            self.known,
            self._sample,
            lambda done: self._emit("progress", what="sending what is known", done=done, of=len(self.known)),
        )

    def _evaluate(self, when: str) -> Score:
        losses, correct = [], []
        for k, result in enumerate(self.link.evaluate_many(self._held_out()), 1):
            losses.append(result.loss)
            correct.append(result.correct)
            self._emit("progress", what=f"evaluating {when}", done=k, of=len(self.test_set))
        found = score(losses, correct, self.test_set.y[:, 0] if self.labels else None, self.groups)
        self._emit("evaluated", when=when, **asdict(found))
        return found

    def _held_out(self) -> Sequence[Sample]:
        """The held-out samples as they go to the board."""
        if not self.plan.config.bake:
            return self.test_set.wire
        return [Own(Source.SET, len(self.train_set) + k) for k in range(len(self.test_set))]

    def _sample(self, k: int) -> Sample:
        """A training sample as it goes to the board: its slot there, its place in flash, or its bytes."""
        if self.plan.config.bake and k not in self.slots:
            return Own(Source.SET, k)
        return self.slots[k] if k in self.slots else self.train_set.wire[k]

    def _order(self) -> Iterator[tuple[int, bool, list[int]]]:
        """The phase, whether it begins, and the samples of each epoch, shuffled by the seed alone."""
        generator = np.random.default_rng(self.plan.config.seed)
        for phase, members in self.phases:
            for epoch in range(self.plan.config.epochs):
                yield phase, epoch == 0, [int(k) for k in generator.permutation(members)]

    def _results(self, new: bool, order: list[int], follower: Follower) -> Iterator[tuple[int, Result]]:
        """Train on samples in order, those that are followed one by one; `new` ones are offered for replay."""
        op = Op.LEARN if self.plan.config.replay and new else Op.TRAIN
        start = 0
        while (self.rehearsal or follower.turning) and follower.left and start < len(order):
            k, start = order[start], start + 1
            replayed, stored = NOTHING, None
            if self.rehearsal:
                replayed = self.rehearsal.read(self._replayed(k, new))
                cached = self.plan.config.store_latents and k in self.slots
                stored = self.rehearsal.stored(self.slots[k], k) if cached else None
            (result,) = self.link.run_many(op, [self._sample(k)])
            yield k, result
            follower.follow(self.train_set.x[k], self.train_set.y[k], result.loss, replayed, stored)
            self._compare_shifts(follower)
        rest = order[start:]
        results = self.link.run_many(op, (self._sample(k) for k in rest))
        for k, result in zip(rest, results, strict=True):
            yield k, result
            if self.rehearsal:
                self._replayed(k, new)
            else:
                follower.follow(self.train_set.x[k], self.train_set.y[k], result.loss)

    def _replayed(self, k: int, new: bool) -> list[int]:
        """The slots that the board trains on after a sample."""
        assert self.rehearsal is not None
        if not self.plan.config.replay:
            return []
        return self.rehearsal.drawn(self.rehearsal.offered(k) if new else None)

    def _train(self) -> None:
        spent, trained, config = 0, 0, self.plan.config
        follower = Follower(self.plan, self.hyper)
        done = self.resumed.samples if self.resumed else 0  # of the samples ahead, how many were trained before
        if self.resumed:
            self._catch_up(follower, self.resumed)
        several = len(self.phases) > 1
        of = config.epochs * (len(self.train_set) - len(self.known))
        for epoch, (phase, begins, order) in enumerate(self._order(), 1):
            before, done = order[:done], max(0, done - len(order))
            for k in before:
                self._pass(k, begins)
            if len(before) == len(order) and done:
                continue
            if begins and epoch > 1 and not before:
                self._evaluate(f"before phase {phase}")
            losses, correct = [], 0
            for k, last in self._results(begins, order[len(before) :], follower):
                trained += 1
                kept = f"the weights from the end of epoch {epoch - 1} are kept"
                self._stop_if_not_finite(last, f"epoch {epoch}, training sample {k}", kept)
                self.outcome.samples, self.outcome.steps = last.samples, last.step
                losses.append(last.loss)
                correct += last.correct
                self._emit_step(epoch, of, last, losses, correct)
                spent += last.spent
            if len(order) % config.batch or (self.rehearsal and config.batch > 1):
                self.outcome.steps = self.link.flush().step
                follower.flush()
                self._compare_shifts(follower)
            as_it_was = self._weights
            self._keep()
            if not losses:
                continue
            accuracy = correct / len(losses) if self.labels else None
            where = {"phase": phase} if several else {}
            more = self._scaling() | self._turned(as_it_was)
            self._emit("epoch", epoch=epoch, **where, loss=float(np.mean(losses)), accuracy=accuracy, **more)
        self.outcome.spent_per_sample = round(spent / max(trained, 1)) or None
        self._check_losses(follower)
        if self.rehearsal:
            self._emit("checked", what="kept latents", error=self.rehearsal.worst, tolerance=self.rehearsal.tolerance)
            self.rehearsal.check()

    def _pass(self, k: int, new: bool) -> None:
        """A sample that was trained before: what it did to the replay memory."""
        if self.rehearsal and self._has_latents:
            self._replayed(k, new)
