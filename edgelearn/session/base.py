"""What every run does with its board, wherever its samples come from: restores, keeps, saves, checks.

The host keeps the weights of the last good moment, so that a run that ends early still has something to take home.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from edgelearn.errors import BoardFailed, DeviceError, EdgelearnError, NumbersError
from edgelearn.link import Link
from edgelearn.ops.scaling import SCALE, SKIPPED
from edgelearn.passes.precision import is_scaled
from edgelearn.passes.shift_latents import latents_of
from edgelearn.plan import Plan
from edgelearn.reference import Reference
from edgelearn.scores import Score
from edgelearn.session.follower import Follower, losses_allowed, outputs_allowed
from edgelearn.session.memory import at_home, tensors_of
from edgelearn.session.outcome import Event, Outcome
from edgelearn.verdict import takes_labels
from edgelearn.wire import Feature, Hello, Hyper, Result, Status


class BoardSession(ABC):
    """Trains one plan over one link. `on_event` sees everything as it happens.

    Where the board has weights of this plan in its flash, the run goes on from there, bit by bit as if it had never
    ended; with `restore` False everything saved is forgotten, with True DeviceError if there is nothing. `best`: it
    goes on from the best save, in place of the latest.
    """

    def __init__(
        self,
        plan: Plan,
        link: Link,
        on_event: Callable[[Event], None],
        *,
        restore: bool | None = None,
        best: bool = False,
    ) -> None:
        self.plan, self.link, self.on_event, self.restore, self.best = plan, link, on_event, restore, best
        self.resumed: Status | None = None  # what was restored
        self.before: Score | None = None  # known from a run that this one goes on with
        self.labels = takes_labels(plan.graph.meta["loss"])
        self.outcome = Outcome()

    def run(self) -> Outcome:
        """Connect, evaluate, train, evaluate, check. Fills `outcome` as it goes.

        NumbersError when a loss is not finite (`outcome.weights` then are the last good ones) or when the board's
        numbers are not the reference's. DeviceError when the board or the link fails.
        """
        start = time.monotonic()
        try:
            self._course()
        except KeyboardInterrupt:
            self._keep_what_there_is()
            raise
        finally:
            self.outcome.seconds = time.monotonic() - start
            self.outcome.link = asdict(self.link.statistics)
        return self.outcome

    @abstractmethod
    def _course(self) -> None:
        """The run itself."""

    def _emit(self, kind: str, **values: Any) -> None:
        self.on_event(Event(kind, values))

    def _attach(self, hyper: Hyper) -> Hello:
        """Greet the board, and bring it to where the run begins or goes on."""
        hello = self.link.hello(self.plan.hash)
        self._restore(hello)
        if self.resumed is None:
            self.link.reset()
        self.link.configure(hyper)
        self._keep()
        return hello

    def _announce(self, hello: Hello) -> None:
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
            self.link.restore("best" if self.best else "latest")
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
        """The weights as the run leaves them, with their loss on held-out samples if there were any."""
        if self.plan.saving is None:
            return
        try:
            self.link.save(self.outcome.after.loss if self.outcome.after else None)
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

    def _catch_up(self, follower: Follower, status: Status) -> None:
        """The desktop reference stands where the board does."""
        self.outcome.samples, self.outcome.steps = status.samples, status.step
        held = tensors_of(self.plan.params, self.link.read("params"))
        if self.plan.state.used:
            held |= tensors_of(self.plan.state, self.link.read("state"))
        bias = (1.0 - status.bias1, 1.0 - status.bias2)
        follower.reference.resume(held, status.step, status.in_batch, bias)

    def _check_losses(self, follower: Follower, what: str = "training samples") -> None:
        """The board's losses against the reference's."""
        most = losses_allowed(self.plan)
        self.outcome.loss_error = follower.worst
        self._emit("checked", what="losses", error=follower.worst, tolerance=most)
        if follower.worst > most:
            raise NumbersError(
                f"the board's losses are {follower.worst:.1e} off the reference's, {most:.0e} is allowed",
                where=f"the first {follower.followed} {what}",
            )
        if follower.wrong:
            raise NumbersError(
                f"{follower.wrong:,} of the board's shifts are others than the reference's",
                where=f"the first {follower.followed} {what}",
            )

    def _compare_shifts(self, follower: Follower) -> None:
        """The board's discrete weights after an update that was followed; the reference goes on with them."""
        if follower.turning and follower.is_updated:
            follower.take_over(tensors_of(self.plan.params, self.link.read("params")))

    def _turned(self, before: Mapping[str, np.ndarray]) -> dict[str, float]:
        """The share of weights that are shifts, and train as such, which are others than they were."""
        pairs = [(before[name], self._weights[name]) for name in latents_of(self.plan.graph)]
        total = sum(then.size for then, _ in pairs)
        return {"turned": sum(int((then != now).sum()) for then, now in pairs) / total} if total else {}

    def _emit_step(self, epoch: int, of: int, result: Result, losses: Sequence[float], correct: int) -> None:
        self._emit(
            "step",
            epoch=epoch,
            step=result.step,
            samples=result.samples,
            of=of,
            loss=result.loss,
            mean_loss=float(np.mean(losses[-100:])),
            accuracy=correct / len(losses) if self.labels else None,
            lr=result.lr,
            grad_norm=result.grad_norm if self.plan.config.clip_norm else None,
            **{self.plan.board.unit: result.spent or None},
        )

    def _stop_if_not_finite(self, result: Result, where: str, kept: str) -> None:
        if result.ok:
            return
        self.outcome.stopped = f"loss {result.loss} after step {result.step}, {where}"
        raise NumbersError(
            f"the loss became {result.loss} after step {result.step}",
            where=f"{where}; {kept}",
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
        weights = tensors_of(self.plan.params, self.link.read("params"))
        if all(np.isfinite(w).all() for w in weights.values()):
            self._weights = weights
            self.outcome.weights = at_home(self.plan, weights)

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
    def _check_outputs(self, samples: Iterable[tuple[np.ndarray, bytes]], what: str) -> None:
        """The board's predictions against the reference's with the board's own weights; `what` the samples are."""
        self.outcome.stack_used = self.link.status().stack_used
        reference = Reference(self.plan.graph, np.float64)
        reference.load(self._weights)
        worst = 0.0
        for x, sample in samples:
            truth = reference.forward(x).reshape(-1)
            error = np.abs(self.link.infer(sample) - truth).max() / max(float(np.abs(truth).max()), 1e-6)
            worst = max(worst, float(error))
        self.outcome.output_error = worst
        most = outputs_allowed(self.plan)
        self._emit("checked", what="predictions", error=worst, tolerance=most)
        if not worst <= most:
            raise NumbersError(
                f"the board's predictions are {worst:.1e} off the reference's, {most:.0e} is allowed",
                where=what,
            )


def _why_nothing(hello: Hello) -> str:
    found = Feature(hello.features)
    if Feature.WAS_FOREIGN in found:
        return "its flash holds another plan's weights"
    return "what it had saved is damaged" if Feature.WAS_DAMAGED in found else "nothing was saved"
