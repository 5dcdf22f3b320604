"""Event files for TensorBoard, by tensorboardX; what came is on disk half a second later at most."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

from edgelearn.errors import InputError, ToolError

# Tag of each number, by event.
STATUS = {
    "mean_loss": "loss/mean",
    "last_loss": "loss/last",
    "accuracy": "accuracy/mean",
    "lr": "training/learning_rate",
    "grad_norm": "training/gradient_norm",
    "loss_scale": "training/loss_scale",
    "samples_per_s": "rate/samples_per_second",
    "steps_per_s": "rate/steps_per_second",
    "skipped": "skipped/samples",
    "left_out": "skipped/updates",
    "stack_used": "memory/stack_used",
    "damaged": "link/damaged",
    "gaps": "link/gaps",
    "duplicates": "link/duplicates",
    "overruns": "link/overruns",
}
STEP = {
    "loss": "loss/sample",
    "mean_loss": "loss/mean",
    "accuracy": "accuracy/epoch_so_far",
    "lr": "training/learning_rate",
    "grad_norm": "training/gradient_norm",
    "insn": "cost/insn",
    "cycles": "cost/cycles",
}
EVALUATED = {"loss": "held_out/loss", "accuracy": "held_out/accuracy"}
EPOCH = {
    "loss": "epoch/loss",
    "accuracy": "epoch/accuracy",
    "loss_scale": "training/loss_scale",
    "turned": "epoch/shifts_turned",
}
UNFLUSHED = 0.5  # seconds; flushing at every sample would take longer than the sample
TAGS = {"status": STATUS, "step": STEP, "evaluated": EVALUATED, "epoch": EPOCH}


class EventFiles:
    """Scalars over samples trained. After a reset of the board numbers begin anew, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise ToolError("tensorboardX is not installed", hint="pip install 'edgelearn[tensorboard]'") from None
        self.folder, self._make = folder, SummaryWriter
        self._writer = self._open(folder)
        self._samples = self._resets = 0
        self._flushed = 0.0

    def _open(self, folder: Path) -> Any:
        try:
            return self._make(logdir=str(folder))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InputError(f"can't write event files: {reason}", where=str(folder)) from None

    def add(self, event: dict[str, Any]) -> None:
        """The numbers of one event."""
        if event.get("reset"):
            self._resets += 1
            self._writer.close()
            self._writer = self._open(self.folder / f"after-reset-{self._resets}")
        self._samples = event["samples"] if event["event"] in ("status", "step") else self._samples
        found = False
        for key, tag in TAGS.get(event["event"], {}).items():
            value = event.get(key)
            if value is not None and math.isfinite(value):
                self._writer.add_scalar(tag, float(value), self._samples, walltime=event.get("time"))
                found = True
        if found and time.monotonic() - self._flushed > UNFLUSHED:
            self._writer.flush()
            self._flushed = time.monotonic()

    def close(self) -> None:
        """No more events."""
        self._writer.close()
