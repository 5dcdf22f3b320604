"""What an int8 prefix costs and saves: the model with it beside the same model in float32, before any training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgelearn.calibrate import pick
from edgelearn.data import Dataset
from edgelearn.graph import Phase
from edgelearn.plan import Plan, make_plan
from edgelearn.reference import Reference
from edgelearn.scores import Score
from edgelearn.session import encode
from edgelearn.verdict import takes_labels, threshold, verdicts

MOST_SAMPLES = 500
MOST_MACS = 1_000_000_000  # of the forward passes that are compared, so that it takes seconds


@dataclass(frozen=True)
class Cut:
    """The model with an int8 prefix beside the same in float32.

    `snr` is the signal-to-noise ratio, in dB, of each activation that the prefix hands over; infinite where both are
    the same. `layers` of the `frozen` ones run in int8. `ram` and `flash` are bytes of the plan with it and without.
    """

    int8: Score
    f32: Score
    snr: Mapping[str, float]
    layers: int
    frozen: int
    ram: tuple[int, int]
    flash: tuple[int, int]


def measure_cut(plan: Plan, data: Dataset) -> Cut:
    """Run held-out samples through a plan's forward pass and through that of the plan without its int8 prefix.

    All of them, or as many as the seed picks where that takes too long.
    """
    kept = "auto" if plan.samples == "s8" else plan.samples
    config = plan.config.with_changes(int8_prefix=False, samples=kept, target="given")
    plain = make_plan(plan.imported, config, plan.board)
    most = min(MOST_SAMPLES, max(1, MOST_MACS // max(1, plain.macs(Phase.FORWARD))))
    chosen = pick(len(data.x_test), most, plan.config.seed)
    x, y = data.x_test[chosen], data.y_test[chosen]
    ours, theirs = _Runner(plan, x, y), _Runner(plain, x, y)
    casts = [n for n in plan.graph.nodes if n.op in ("dequantize", "dequantize_f16") and n.phase is Phase.FORWARD]
    handed = {n.inputs[0]: n.outputs[0] for n in casts}
    signal, noise = dict.fromkeys(handed, 0.0), dict.fromkeys(handed, 0.0)
    for k in range(len(x)):
        ours.run(k)
        theirs.run(k)
        for name, real in handed.items():
            truth = theirs.reference.values[name].astype(np.float64)
            signal[name] += float((truth**2).sum())
            noise[name] += float(((ours.reference.values[real] - truth) ** 2).sum())
    return Cut(
        int8=ours.score(),
        f32=theirs.score(),
        snr={name: _decibels(signal[name], noise[name]) for name in handed},
        layers=len(plan.graph.meta["int8"]),
        frozen=_frozen(plan),
        ram=(plan.ram, plain.ram),
        flash=(plan.model_flash, plain.model_flash),
    )


class _Runner:
    """Samples of one plan through its reference, and what that gave."""

    def __init__(self, plan: Plan, x: np.ndarray, y: np.ndarray) -> None:
        self.samples = encode(plan, x, y)
        self.labels = takes_labels(plan.graph.meta["loss"])
        self.reference = Reference(plan.graph, np.float32)
        self.output, self.limit = plan.graph.outputs[0], threshold(plan.graph)
        self.losses: list[float] = []
        self.correct = 0

    def run(self, k: int) -> None:
        self.losses.append(self.reference.loss(self.samples.x[k], self.samples.y[k]))
        if self.labels:
            scores = self.reference.values[self.output].reshape(1, -1)
            self.correct += int(verdicts(scores, self.limit)[0] == self.samples.y[k][0])

    def score(self) -> Score:
        count = len(self.losses)
        return Score(float(np.mean(self.losses)), self.correct / count if self.labels else None, count)


def _frozen(plan: Plan) -> int:
    """Layers of the user's model that no trained weight stands in front of."""
    behind, count = {t.name for t, _ in plan.params.tensors}, 0
    known = {node.name for node in plan.imported.nodes}
    for node in plan.graph.nodes:
        if behind.intersection(node.inputs):
            behind.update(node.outputs)
        elif node.phase is Phase.FORWARD and node.name in known:
            count += 1
    return count


def _decibels(signal: float, noise: float) -> float:
    if not noise:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf
