"""A training run: samples go to the board in a fixed order, what it answers comes back as events.

The host keeps the weights of the last good moment, so that a run that ends early still has something to take home.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from edgelearn.config import TrainConfig
from edgelearn.data import Dataset
from edgelearn.errors import BoardFailed, DeviceError, EdgelearnError, InputError, NumbersError
from edgelearn.graph import Layout
from edgelearn.link import Link, Own, Sample
from edgelearn.ops.optimizers import Optim
from edgelearn.ops.quantized.convert import quantized
from edgelearn.ops.scaling import SCALE, SKIPPED
from edgelearn.passes.precision import is_scaled
from edgelearn.passes.split import home
from edgelearn.plan import Block, Plan
from edgelearn.reference import Reference
from edgelearn.rehearsal import Rehearsal, Replayed, phases
from edgelearn.scores import Score, class_phases, score
from edgelearn.verdict import takes_labels
from edgelearn.wire import Feature, Hello, Hyper, Op, Result, Schedule, Source, Status

CHECKED_SAMPLES = 8  # training samples that the desktop reference follows step by step, at least
CHECKED_MOST = 256  # and at most: a large batch is followed past its first update only up to here
LOSS_TOLERANCE = 1e-4  # of the losses of those steps: 1e-5 a step, and steps build on each other
DIVERGED = 1e4  # a loss above this: training explodes, rounding decides, and there is nothing left to compare
# In half precision a sum that float32 rounds the other way makes the neighbouring half, 2^-10 away.
HALF_LOSS_TOLERANCE, HALF_OUTPUT_TOLERANCE = 2e-2, 5e-3
IN_HALVES = 4  # times as much where kernels sum short blocks in halves: their results are 1.3e-3 off, not 2.8e-4
OUTPUT_TOLERANCE = 1e-5  # of the predictions with the board's own final weights, relative to the largest output
INFERRED = 8  # held-out samples whose predictions are compared

WIRE_TYPES = {"f32": "<f4", "f16": "<f2"}
GIVEN = "--target given, or leave y_train and y_test out of the archive"
Pair = tuple[bytes, bytes]
NOTHING: Replayed = []


@dataclass(frozen=True)
class Event:
    """One thing that happened. `kind`: connected, evaluated, step, epoch, checked; `values` depend on it."""

    kind: str
    values: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """One flat object; a number that is not finite becomes None, which JSON has."""
        clean = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in self.values.items()}
        return {"event": self.kind, **clean}


@dataclass
class Outcome:
    """What a run brought home. `weights` are those of the imported graph, by tensor name.

    None: nobody counts instructions there, the run broke off before the errors against the reference were known, or
    gradients are float32: then there is no loss scale, and no update was `skipped` for one that was not finite.
    """

    before: Score | None = None
    after: Score | None = None
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    steps: int = 0
    samples: int = 0
    seconds: float = 0.0
    spent_per_sample: int | None = None
    stack_used: int = 0
    loss_error: float | None = None
    output_error: float | None = None
    link: dict[str, int] = field(default_factory=dict)
    stopped: str = ""
    loss_scale: float | None = None
    skipped: int | None = None


def hyper_of(config: TrainConfig, *samples: int) -> Hyper:
    """The board's settings for a run over so many training samples an epoch, in one phase or in several."""
    replay = config.replay_ratio if config.replay else 0
    total = max(1, config.epochs * sum(math.ceil(count * (1 + replay) / config.batch) for count in samples))
    return Hyper(
        lr=config.lr,
        momentum=config.momentum,
        beta2=config.beta2,
        epsilon=config.epsilon,
        weight_decay=config.weight_decay,
        clip_norm=config.clip_norm,
        schedule=Schedule[config.schedule.upper()],
        warmup=config.warmup,
        total=total,
        decay=max(1, round(config.decay * total)),
        min_lr_ratio=config.min_lr,
    )


@dataclass(frozen=True)
class Samples:
    """Samples as the board sees them: `x` in device layout, float32 or the model's int8, `y` labels or vectors, `wire`
    the bytes of both.
    """

    x: np.ndarray
    y: np.ndarray
    wire: tuple[Pair, ...]

    def __len__(self) -> int:
        return len(self.wire)


def encode(plan: Plan, x: np.ndarray, y: np.ndarray) -> Samples:
    """Samples and targets in the form in which they travel.

    InputError if f16 can't hold a value, or if a sample that is its own target has another one.
    """
    inputs: Layout = plan.graph.meta["input"]
    outputs: Layout = plan.graph.meta["output"]
    values = as_it_travels(plan, inputs.to_device(x))
    if not np.isfinite(values).all():
        raise InputError(
            f"a sample holds {float(np.abs(x).max()):g}, f16 ends at 65504", where="--samples f16", hint="--samples f32"
        )
    if plan.own_target:
        if not np.array_equal(x, y):
            raise InputError("the targets are not the samples themselves", where="y_train, y_test", hint=GIVEN)
        y = np.empty((len(x), 0))
        outputs = Layout("", (0,), (0,), (0,))
    labels = takes_labels(plan.graph.meta["loss"])
    targets = y.astype("<u4").reshape(-1, 1) if labels else outputs.to_device(y).astype("<f4")
    padding = bytes(-values[:1].nbytes % 4)
    wire = tuple((v.tobytes() + padding, t.tobytes()) for v, t in zip(values, targets, strict=True))
    return Samples(values if values.dtype == np.int8 else values.astype(np.float32), targets, wire)


def as_it_travels(plan: Plan, x: np.ndarray) -> np.ndarray:
    """Real numbers in the plan's sample format; to int8 they are rounded as the board itself would."""
    quant = plan.graph.tensors[plan.graph.inputs[0]].quant
    if quant is not None:
        return quantized(quant, x)
    with np.errstate(over="ignore"):
        return x.astype(WIRE_TYPES[plan.samples])


class Session:
    """Trains one plan over one link. `on_event` sees everything as it happens.

    Where the board has weights of this plan in its flash, the run goes on from there, bit by bit as if it had never
    ended; with `restore` False everything saved is forgotten, with True DeviceError if there is nothing.
    """

    def __init__(
        self, plan: Plan, link: Link, data: Dataset, on_event: Callable[[Event], None], *, restore: bool | None = None
    ) -> None:
        self.plan, self.link, self.on_event, self.restore = plan, link, on_event, restore
        self.resumed: Status | None = None  # what was restored
        self.train_set = encode(plan, data.x_train, data.y_train)
        self.test_set = encode(plan, data.x_test, data.y_test)
        self.labels = takes_labels(plan.graph.meta["loss"])
        self.known = [k for p, members in phases(data.phase_train, len(self.train_set)) if p < 0 for k in members]
        self.phases = [part for part in phases(data.phase_train, len(self.train_set)) if part[0] >= 0]
        self.groups = class_phases(data.y_train, data.phase_train) if self.labels else {}
        self.hyper = hyper_of(plan.config, *(len(members) for _, members in self.phases))
        self.outcome = Outcome()
        self.slots: dict[int, int] = {}  # training sample: the slot that keeps it
        self.rehearsal: Rehearsal | None = None
        if plan.latents.tensors:
            labels = [int(c) for c in self.train_set.y[:, 0]] if self.labels else []
            self.rehearsal = Rehearsal(plan, link, self.train_set.x, labels)

    def run(self) -> Outcome:
        """Connect, evaluate, train, evaluate, check. Fills `outcome` as it goes.

        NumbersError when a loss is not finite (`outcome.weights` then are the last good ones) or when the board's
        numbers are not the reference's. DeviceError when the board or the link fails.
        """
        start = time.monotonic()
        try:
            self._connect()
            self._fill_store()
            self._remember()
            self.outcome.before = self._evaluate("before")
            self._train()
            self.outcome.after = self._evaluate("after")
            self._save()
            self._check_outputs()
        except KeyboardInterrupt:
            self._keep_what_there_is()
            raise
        finally:
            self.outcome.seconds = time.monotonic() - start
            self.outcome.link = asdict(self.link.statistics)
        return self.outcome

    def _emit(self, kind: str, **values: Any) -> None:
        self.on_event(Event(kind, values))

    def _connect(self) -> None:
        hello = self.link.hello(self.plan.hash)
        self._restore(hello)
        if self.resumed is None:
            self.link.reset()
        self.link.configure(self.hyper)
        self._keep()
        chosen = [k for _, members in self.phases for k in members][: hello.store_slots]
        self.slots = {k: slot for slot, k in enumerate(sorted(chosen))}
        if self.rehearsal:
            self.rehearsal.start(self.known or self.phases[0][1], write=not self._has_latents)
        self._emit("connected", board=self.plan.board.id, plan=self.plan.hash, protocol=hello.protocol)
        if self.plan.saving:
            self._emit_saved(hello)

    def _restore(self, hello: Hello) -> None:
        """Go on from what the board has saved, or forget it, as was asked for."""
        if self.plan.saving is None:
            return
        if self.restore is False:
            self.link.forget()
        elif hello.saved_step:
            self.link.restore()
            self.resumed = self.link.status()
        elif self.restore:
            raise DeviceError(
                f"{self.link.device.name} has nothing to restore: {_why_nothing(hello)}", hint="leave --restore out"
            )

    def _emit_saved(self, hello: Hello) -> None:
        """What was found in the board's flash."""
        found = Feature(hello.features)
        status = self.resumed
        self._emit(
            "restored" if status else "fresh",
            step=status.step if status else 0,
            samples=status.samples if status else 0,
            best_step=status.best_step if status else 0,
            best_score=status.best_score if status else None,
            other_plan=Feature.WAS_FOREIGN in found,
            damaged=Feature.WAS_DAMAGED in found,
            forgotten=self.restore is False and bool(hello.saved_step),
        )

    def _save(self) -> None:
        """The weights as the run leaves them, with their loss on held-out samples."""
        if self.plan.saving is None or self.outcome.after is None:
            return
        try:
            self.link.save(self.outcome.after.loss)
        except BoardFailed:
            self._emit("unsaved")  # the weights have come home all the same
            return
        status = self.link.status()
        self._emit(
            "saved",
            step=status.saved_step,
            saves=status.saves,
            best_step=status.best_step,
            best_score=status.best_score,
        )

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

    def _results(self, new: bool, order: list[int], follower: _Follower) -> Iterator[tuple[int, Result]]:
        """Train on samples in order, those that are followed one by one; `new` ones are offered for replay."""
        op = Op.LEARN if self.plan.config.replay and new else Op.TRAIN
        start = 0
        while self.rehearsal and follower.left and start < len(order):
            k, start = order[start], start + 1
            replayed = self.rehearsal.read(self._replayed(k, new))
            cached = self.plan.config.store_latents and k in self.slots
            stored = self.rehearsal.stored(self.slots[k], k) if cached else None
            (result,) = self.link.run_many(op, [self._sample(k)])
            yield k, result
            follower.follow(self.train_set.x[k], self.train_set.y[k], result.loss, replayed, stored)
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
        follower = _Follower(self.plan, self.hyper)
        done = self.resumed.samples if self.resumed else 0  # of the samples ahead, how many were trained before
        if self.resumed:
            self._catch_up(follower, self.resumed)
        several = len(self.phases) > 1
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
                self._stop_if_not_finite(last, epoch, k)
                self.outcome.samples, self.outcome.steps = last.samples, last.step
                losses.append(last.loss)
                correct += last.correct
                self._emit_step(epoch, last, losses, correct)
                spent += last.spent
            if len(order) % config.batch or (self.rehearsal and config.batch > 1):
                self.outcome.steps = self.link.flush().step
                follower.flush()
            self._keep()
            if not losses:
                continue
            accuracy = correct / len(losses) if self.labels else None
            where = {"phase": phase} if several else {}
            scaling = self._scaling()
            self._emit("epoch", epoch=epoch, **where, loss=float(np.mean(losses)), accuracy=accuracy, **scaling)
        self.outcome.spent_per_sample = round(spent / max(trained, 1)) or None
        self._check_losses(follower)

    def _catch_up(self, follower: _Follower, status: Status) -> None:
        """The desktop reference stands where the board does."""
        self.outcome.samples, self.outcome.steps = status.samples, status.step
        held = _tensors(self.plan.params, self.link.read("params"))
        if self.plan.state.used:
            held |= _tensors(self.plan.state, self.link.read("state"))
        bias = (1.0 - status.bias1, 1.0 - status.bias2)
        follower.reference.resume(held, status.step, status.in_batch, bias)

    def _pass(self, k: int, new: bool) -> None:
        """A sample that was trained before: what it did to the replay memory."""
        if self.rehearsal and self._has_latents:
            self._replayed(k, new)

    def _allowed(self, floats: float, halves: float) -> float:
        """How far off the reference a number may be that this plan computes."""
        if not is_scaled(self.plan.graph):
            return floats
        return halves * (IN_HALVES if any(kernel.halves for kernel in self.plan.chosen) else 1)

    def _check_losses(self, follower: _Follower) -> None:
        """The board's first losses, and what it kept, against the reference's."""
        allowed = self._allowed(LOSS_TOLERANCE, HALF_LOSS_TOLERANCE)
        self.outcome.loss_error = follower.worst
        self._emit("checked", what="losses", error=follower.worst, tolerance=allowed)
        if follower.worst > allowed:
            raise NumbersError(
                f"the board's losses are {follower.worst:.1e} off the reference's, {allowed:.0e} is allowed",
                where=f"the first {follower.followed} training samples",
            )
        if self.rehearsal:
            self._emit("checked", what="kept latents", error=self.rehearsal.worst, tolerance=self.rehearsal.tolerance)
            self.rehearsal.check()

    def _emit_step(self, epoch: int, result: Result, losses: Sequence[float], correct: int) -> None:
        self._emit(
            "step",
            epoch=epoch,
            step=result.step,
            samples=result.samples,
            of=self.plan.config.epochs * (len(self.train_set) - len(self.known)),
            loss=result.loss,
            mean_loss=float(np.mean(losses[-100:])),
            accuracy=correct / len(losses) if self.labels else None,
            lr=result.lr,
            grad_norm=result.grad_norm if self.plan.config.clip_norm else None,
            **{self.plan.board.unit: result.spent or None},
        )

    def _stop_if_not_finite(self, result: Result, epoch: int, sample: int) -> None:
        if result.ok:
            return
        self.outcome.stopped = f"loss {result.loss} after step {result.step}, epoch {epoch}, sample {sample}"
        raise NumbersError(
            f"the loss became {result.loss} after step {result.step}",
            where=f"epoch {epoch}, training sample {sample}; the weights from the end of epoch {epoch - 1} are kept",
            hint=f"try a smaller --lr, {'--precision fp32 ' if is_scaled(self.plan.graph) else ''}or --clip-norm 1",
        )

    def _keep_what_there_is(self) -> None:
        """After an interrupt: the weights as they now are, if the board still answers; else those of the last epoch."""
        try:
            self.link.timeout = min(self.link.timeout, 5.0)
            self._keep()
        except (EdgelearnError, KeyboardInterrupt):
            return

    def _keep(self) -> None:
        """Read the trained weights; they become the run's result so far, unless training has already broken them."""
        weights = _tensors(self.plan.params, self.link.read("params"))
        if all(np.isfinite(w).all() for w in weights.values()):
            self._weights = weights
            self.outcome.weights = _at_home(self.plan, weights)

    def _scaling(self) -> dict[str, float | int]:
        """The board's loss scale and the updates that it left out; nothing in float32."""
        for tensor, at in self.plan.state.tensors:
            if tensor.name == self.plan.graph.meta.get("scaling"):
                numbers = np.frombuffer(self.link.read("state", at, tensor.nbytes), "<f4")
                self.outcome.loss_scale = float(numbers[SCALE])
                self.outcome.skipped = int(numbers[SKIPPED])
                return {"loss_scale": self.outcome.loss_scale, "skipped": self.outcome.skipped}
        return {}

    @np.errstate(over="ignore", invalid="ignore")
    def _check_outputs(self) -> None:
        """The board's predictions against the reference's with the board's own weights."""
        status: Status = self.link.status()
        self.outcome.stack_used = status.stack_used
        reference = Reference(self.plan.graph, np.float64)
        reference.load(self._weights)
        worst = 0.0
        for x, (sample, _) in zip(self.test_set.x[:INFERRED], self.test_set.wire, strict=False):
            truth = reference.forward(x).reshape(-1)
            error = np.abs(self.link.infer(sample) - truth).max() / max(float(np.abs(truth).max()), 1e-6)
            worst = max(worst, float(error))
        self.outcome.output_error = worst
        allowed = self._allowed(OUTPUT_TOLERANCE, HALF_OUTPUT_TOLERANCE)
        self._emit("checked", what="predictions", error=worst, tolerance=allowed)
        if not worst <= allowed:
            raise NumbersError(
                f"the board's predictions are {worst:.1e} off the reference's, {allowed:.0e} is allowed",
                where=f"the first {INFERRED} held-out samples",
            )


def trained_tensors(plan: Plan, data: bytes) -> dict[str, np.ndarray]:
    """The trained weights of a board's memory, float32, as the imported graph has them."""
    return _at_home(plan, _tensors(plan.params, data))


def _at_home(plan: Plan, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return home(plan.graph, {n: w.astype(np.float32) for n, w in weights.items()})


def _why_nothing(hello: Hello) -> str:
    found = Feature(hello.features)
    if Feature.WAS_FOREIGN in found:
        return "its flash holds another plan's weights"
    return "what it had saved is damaged" if Feature.WAS_DAMAGED in found else "nothing was saved"


def _tensors(block: Block, data: bytes) -> dict[str, np.ndarray]:
    """The tensors of an array of the board, each in its own format."""
    return {
        t.name: np.frombuffer(data, t.format.dtype.newbyteorder("<"), t.count, at).reshape(t.shape).copy()
        for t, at in block.tensors
    }


class _Follower:
    """Takes the board's first training steps on the desktop and compares losses."""

    def __init__(self, plan: Plan, hyper: Hyper) -> None:
        def settings(step: int) -> Optim:
            return Optim(
                lr=hyper.lr_at(step),
                momentum=hyper.momentum,
                beta2=hyper.beta2,
                epsilon=hyper.epsilon,
                weight_decay=hyper.weight_decay,
                clip_norm=hyper.clip_norm,
            )

        self.reference = Reference(plan.graph, np.float32, settings)
        # Past the first update, so that the optimizer is checked too.
        self.left = min(max(CHECKED_SAMPLES, plan.config.batch + 2), CHECKED_MOST)
        self.followed, self.worst = 0, 0.0

    @np.errstate(over="ignore", invalid="ignore")  # where training explodes, so does the reference
    def follow(
        self,
        x: np.ndarray,
        y: np.ndarray,
        loss: float,
        replayed: Replayed = NOTHING,
        stored: dict[str, np.ndarray] | None = None,
    ) -> None:
        """One training sample that the board took, the loss it reported, and the latents it replayed after it.

        `stored` are the latents of the sample itself, where the board trained on them.
        """
        if self.left == 0:
            return
        self.left -= 1
        self.followed += 1
        taken = self.reference.train(x, y) if stored is None else self.reference.replay(stored, y)
        truth = taken.loss
        if not abs(truth) < DIVERGED:
            self.left = 0
            return
        self.worst = max(self.worst, abs(loss - truth) / (abs(truth) + 1e-3))
        for latents, label in replayed:
            self.reference.replay(latents, label)

    def flush(self) -> None:
        """The update with an incomplete batch at an epoch's end."""
        if self.left:
            self.reference.flush()
