"""A word where targets and loss fit each other's shapes, but perhaps not what was meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from edgelearn.data import Dataset
    from edgelearn.plan import Plan

MOST_CLASSES = 100  # whole numbers up to here may be labels, above they count or measure something


def target_notes(plan: Plan, data: Dataset, *, chosen: bool) -> Iterator[str]:
    """Lines about targets of mean squared error; `chosen`: the toolchain took that loss, nobody named it."""
    if plan.graph.meta["loss"] != "mse":
        return
    output = plan.graph.tensors[plan.graph.outputs[0]]
    last = plan.graph.producer(output.name)
    sigmoid = last is not None and last.op == "sigmoid"
    if chosen and sigmoid and output.count > 1 and not plan.own_target:
        yield f"note: {output.count} sigmoid outputs train with mean squared error, without an accuracy"
    if chosen and output.count == 1 and not plan.own_target and (classes := _classes(data.y_train)):
        logit = "--loss binary-cross-entropy if the output is a logit"
        way = logit if classes == 2 else f"{classes} classes take {classes} scores"
        yield f"note: mean squared error on what looks like labels 0..{classes - 1}; {way}"
    targets = np.concatenate([data.y_train.reshape(-1), data.y_test.reshape(-1)])
    if sigmoid and (outside := float(np.mean((targets < 0) | (targets > 1)))):
        low, high = float(targets.min()), float(targets.max())
        yield f"warning: {outside:.1%} of the targets are outside 0..1, where a sigmoid ends: {low:.4g}..{high:.4g}"


def _classes(y: np.ndarray) -> int:
    """How many classes targets look like: all of 0, 1, 2 and so on; 0 if they don't."""
    values = np.unique(y)
    return len(values) if 2 <= len(values) <= MOST_CLASSES and np.array_equal(values, np.arange(len(values))) else 0
