"""What it takes to go on with a tuning that was stopped."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from edgelearn.shift.tuning import Epoch, Tuning

KEY, EPOCHS = "key", "epochs"


def held(tuning: Tuning, live: Iterable[str], epochs: Iterable[Epoch], key: str) -> dict[str, np.ndarray]:
    """Arrays by name: latents and weights, their velocities, running statistics (`live`), and the epochs so far."""
    past = [(e.number, e.loss, -1.0 if e.accuracy is None else e.accuracy, e.changed) for e in epochs]
    return {
        KEY: np.array(key),
        EPOCHS: np.array(past, np.float64).reshape(-1, 4),
        **{f"value/{name}": value for name, value in tuning.trained.items()},
        **{f"velocity/{name}": value for name, value in tuning.velocity.items()},
        **{f"statistic/{name}": tuning.net.values[name] for name in live},
    }


def restore(path: Path, tuning: Tuning, key: str) -> list[Epoch] | None:
    """Bring a tuning to where a file left it and give its epochs; None where it is not of the same settings."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None
    wanted = {f"value/{name}" for name in tuning.trained} | {f"velocity/{name}" for name in tuning.trained}
    if str(arrays.get(KEY)) != key or not wanted <= arrays.keys():
        return None
    for name, value in arrays.items():
        kind, _, own = name.partition("/")
        if kind == "value":
            tuning.trained[own][...] = value
        elif kind == "velocity":
            tuning.velocity[own][...] = value
        elif kind == "statistic":
            tuning.net.values[own] = value
    past = [Epoch(int(n), float(loss), None if a < 0 else float(a), float(c)) for n, loss, a, c in arrays[EPOCHS]]
    tuning.go_on(len(past))
    return past
