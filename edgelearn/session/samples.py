"""Samples and settings in the form in which they go to a board."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgelearn.config import TrainConfig
from edgelearn.errors import InputError
from edgelearn.graph import Layout
from edgelearn.ops.quantized.convert import quantized
from edgelearn.plan import Plan
from edgelearn.verdict import takes_labels
from edgelearn.wire import Hyper, Schedule

WIRE_TYPES = {"f32": "<f4", "f16": "<f2"}
GIVEN = "--target given, or leave y_train and y_test out of the archive"
Pair = tuple[bytes, bytes]


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
