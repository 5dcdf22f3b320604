"""What an exported file is worth in its own runtime, on the samples that the device was measured with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgelearn.data import Dataset
from edgelearn.interpreter import open_interpreter
from edgelearn.verdict import takes_labels, verdicts


@dataclass(frozen=True)
class FileScore:
    """Held-out accuracy of a file for labels, its mean squared error for vectors; `runtime` computed it."""

    file: str
    runtime: str
    samples: int
    accuracy: float | None = None
    loss: float | None = None


def score_file(
    path: str | Path, data: Dataset, loss: str, batch: tuple[int, int] = (0, 0), limit: float = 0.5
) -> FileScore:
    """Predict the held-out samples with a file, in its own runtime; `batch`: that axis of its input and its output.
    A single score above `limit` is class 1.

    ToolError if the runtime is not installed, InputError if it refuses the file.
    """
    predictor = open_interpreter(path, batch)
    found = predictor.predict(data.x_test).reshape(len(data.x_test), -1)
    name = Path(path).name
    if takes_labels(loss):
        correct = verdicts(found, limit) == data.y_test
        return FileScore(name, predictor.runtime, len(found), accuracy=float(np.mean(correct)))
    error = found.astype(np.float64) - data.y_test.reshape(len(found), -1)
    return FileScore(name, predictor.runtime, len(found), loss=float(np.mean(error**2)))
