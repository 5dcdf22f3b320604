"""The desktop reference, which takes a board's first steps beside it, and how far off it a board may be."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgelearn.ops.optimizers import Optim
from edgelearn.passes.multiply import EXACTLY
from edgelearn.passes.precision import is_scaled
from edgelearn.passes.shift_latents import latents_of
from edgelearn.plan import Plan
from edgelearn.reference import Reference
from edgelearn.rehearsal import Replayed
from edgelearn.wire import Hyper

CHECKED_SAMPLES = 8  # training samples that the desktop reference follows step by step, at least
CHECKED_MOST = 256  # and at most: a large batch is followed past its first update only up to here
LOSS_TOLERANCE = 1e-4  # of the losses of those steps: 1e-5 a step, and steps build on each other
DIVERGED = 1e4  # a loss above this: training explodes, rounding decides, and there is nothing left to compare
# In half precision a sum that float32 rounds the other way makes the neighbouring half, 2^-10 away.
HALF_LOSS_TOLERANCE, HALF_OUTPUT_TOLERANCE = 2e-2, 5e-3
UNDECIDED = 1e-3  # of the sizes that latents begin with: their signs may be others than the reference's
IN_HALVES = 4  # times as much where kernels sum short blocks in halves: their results are 1.3e-3 off, not 2.8e-4
# Exact derivatives of piecewise affine products jump: where a sum that is rounded otherwise carries, one term doubles.
# So only the first update is followed.
EXACT_LOSS_TOLERANCE = 1e-2
OUTPUT_TOLERANCE = 1e-5  # of the predictions with the board's own final weights, relative to the largest output
NOTHING: Replayed = []


def _allowed(plan: Plan, floats: float, halves: float) -> float:
    """How far off the reference a number may be that this plan computes."""
    if not is_scaled(plan.graph):
        return floats
    return halves * (IN_HALVES if any(kernel.halves for kernel in plan.chosen) else 1)


def losses_allowed(plan: Plan) -> float:
    """How far off the reference's the first losses of this plan may be."""
    if plan.config.multiply == EXACTLY:
        return EXACT_LOSS_TOLERANCE
    return _allowed(plan, LOSS_TOLERANCE, HALF_LOSS_TOLERANCE)


def outputs_allowed(plan: Plan) -> float:
    """How far off the reference's the predictions of this plan may be, relative to the largest output."""
    return _allowed(plan, OUTPUT_TOLERANCE, HALF_OUTPUT_TOLERANCE)


class Follower:
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
        if plan.config.multiply == EXACTLY:
            self.left = plan.config.batch + 1
        self.followed, self.worst = 0, 0.0
        self.turning = latents_of(plan.graph)  # weights that are discrete: what rounding decides is taken over
        self.is_updated, self.wrong = False, 0

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
        self.is_updated = taken.updated
        if not abs(truth) < DIVERGED:
            self.left = 0
            return
        self.worst = max(self.worst, abs(loss - truth) / (abs(truth) + 1e-3))
        for latents, label in replayed:
            self.is_updated |= self.reference.replay(latents, label).updated

    def take_over(self, weights: Mapping[str, np.ndarray]) -> None:
        """Discrete weights as the board has them after an update that was followed.

        `wrong` counts those that are others than the reference's though none of their latents is so small that
        rounding may have decided its sign.
        """
        values = self.reference.values
        for name, latents in self.turning.items():
            differs = weights[name] != values[name]
            undecided = (np.abs(values[latents.name]) < UNDECIDED * latents.span).any(axis=-1)
            self.wrong += int((differs & ~undecided).sum())
            values[name] = weights[name].copy()

    def flush(self) -> None:
        """The update with an incomplete batch at an epoch's end."""
        self.is_updated = bool(self.left) and self.reference.flush()
