"""What a run says while it goes on, and what it brings home."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgelearn.scores import Score


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
