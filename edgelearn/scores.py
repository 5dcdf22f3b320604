"""What held-out samples say of a model: loss and accuracy, over all, by class, by the phase that brought a class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

KNOWN = "known"


@dataclass(frozen=True)
class Score:
    """Mean loss and, for labels, the share of correct predictions over a set of samples.

    `by_class` has one share a class, None where no sample has it; `by_phase` those of the classes that were known
    before and of those that each phase brought, where samples come in phases.
    """

    loss: float
    accuracy: float | None
    samples: int
    by_class: tuple[float | None, ...] = ()
    by_phase: Mapping[str, float] = field(default_factory=dict)


def class_phases(labels: np.ndarray, phase: np.ndarray | None) -> dict[int, str]:
    """The phase that first brought each class of the training samples; negative ones are `known`."""
    if phase is None:
        return {}
    first = {int(c): int(phase[labels == c].min()) for c in np.unique(labels)}
    return {c: KNOWN if p < 0 else f"phase {p}" for c, p in first.items()}


def _in_order(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (name != KNOWN, len(name), name))


def score(
    losses: Sequence[float], correct: Sequence[bool], labels: np.ndarray | None, groups: Mapping[int, str]
) -> Score:
    """The score of samples whose `labels`, if they have any, are class numbers; `groups` as class_phases gives them."""
    loss, count = float(np.mean(losses)), len(losses)
    if labels is None:
        return Score(loss, None, count)
    hits = np.asarray(correct, float)
    by_class = [float(hits[labels == c].mean()) if (labels == c).any() else None for c in range(int(labels.max()) + 1)]
    brought = [groups.get(int(c), KNOWN) for c in labels] if groups else []
    by_phase = {name: float(hits[[b == name for b in brought]].mean()) for name in _in_order(set(brought))}
    return Score(loss, float(hits.mean()), count, tuple(by_class), by_phase)
