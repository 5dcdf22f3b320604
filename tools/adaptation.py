"""Real tasks for the nets of docs/METHODS.md, and training on them with the board's own C, compiled for this computer.

Each task has samples to draw from, others on which learning rates were chosen, and held-out ones. All methods of a net
see the same samples in the same order for the same number of epochs.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgelearn.boards import load as load_board
from edgelearn.config import TrainConfig
from edgelearn.errors import NumbersError
from edgelearn.graph import Graph
from edgelearn.native import compile_native
from edgelearn.ops.optimizers import Optim
from edgelearn.plan import make_plan
from edgelearn.session import encode, hyper_of
from edgelearn.verdict import takes_labels, threshold, verdicts
from tools.fetch_assets import fetch_all

TUNE, HELD_OUT = 300, 600  # samples to choose a learning rate with and to test with, at most
TRIAL_SEED = 100  # a learning rate is tried on samples drawn with it, for half of the epochs
HEARD = 0.7  # of the mel axis up to 11 kHz lies below 4 kHz, where the recordings end
BEATS = (0.5, 0.6)  # of a recording: where what is there to learn from ends, and what is there to tune with

Part = tuple[np.ndarray, np.ndarray]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Task:
    """What a net learns. `parts` gives samples and targets to learn from, to tune with and held out; so many `samples`
    are drawn of the first, and learned from for so many `epochs`.
    """

    about: str
    parts: Callable[[], tuple[Part, Part, Part]]
    samples: int
    epochs: int


def fashion(kinds: tuple[int, ...], shape: Callable[[np.ndarray], np.ndarray]) -> tuple[Part, Part, Part]:
    """Pieces of clothing of these kinds; `shape` makes the model's input of pictures (N, 28, 28), 0 to 255."""
    files = fetch_all(["fashion", "fashion-labels"])
    labels = np.frombuffer(gzip.decompress(files["fashion-labels"].read_bytes()), np.uint8, offset=8)
    pictures = np.frombuffer(gzip.decompress(files["fashion"].read_bytes()), np.uint8, offset=16)
    chosen = np.flatnonzero(np.isin(labels, kinds))
    x = pictures.reshape(-1, 28, 28)[chosen].astype(np.float32)
    return _split(shape(x), np.searchsorted(kinds, labels[chosen]))


def framed(pictures: np.ndarray) -> np.ndarray:
    """(N, 32, 32, 3) from -1 to 1: a margin of two black pixels, three equal colours."""
    padded = np.pad(pictures, ((0, 0), (2, 2), (2, 2)))
    return np.repeat(padded[..., None] / 128 - 1, 3, axis=-1).astype(np.float32)


def enlarged(pictures: np.ndarray) -> np.ndarray:
    """(N, 96, 96, 3) from 0 to 255, interpolated linearly, three equal colours."""
    return np.repeat((_stretch(96, 28) @ pictures @ _stretch(96, 28).T)[..., None], 3, axis=-1).astype(np.float32)


def _stretch(to: int, points: int) -> np.ndarray:
    """The matrix (to, points) that interpolates linearly between the ends."""
    at = np.linspace(0, points - 1, to)
    return np.stack([np.interp(at, np.arange(points), row) for row in np.eye(points)], axis=1)


def spoken(frames: int, bands: int, digits: int, low: float, high: float) -> tuple[Part, Part, Part]:
    """Digits below `digits` as (N, frames, bands, 1): a spectrogram, smoothed, that the 13 cepstra of each frame are
    turned back into, from `low` where nothing is heard to `high`; the word in its middle.
    """
    with np.load(fetch_all(["spoken-digits"])["spoken-digits"]) as data:
        cepstra, labels, lengths = data["X"], data["y"], data["lengths"]
    at = (np.arange(bands) + 0.5) / bands * HEARD
    waves = np.cos(np.pi * np.arange(cepstra.shape[1])[:, None] * at)
    waves[0] /= math.sqrt(2)
    loudness = cepstra @ waves
    bottom, top = np.quantile(loudness, (0.01, 0.999))
    loudness = np.clip((loudness - bottom) / (top - bottom), 0, 1) * (high - low) + low
    x = np.full((len(labels), frames, bands, 1), low, np.float32)
    for place, word in zip(x, np.split(loudness, np.cumsum(lengths)[:-1]), strict=True):
        word = word[:frames]
        start = (frames - len(word)) // 2
        place[start : start + len(word), :, 0] = word
    return _split(x[labels < digits], labels[labels < digits])


def _split(x: np.ndarray, y: np.ndarray) -> tuple[Part, Part, Part]:
    order = np.random.default_rng(0).permutation(len(x))
    test, tune, learn = np.split(order, (min(HELD_OUT, len(x) // 2), min(HELD_OUT, len(x) // 2) + TUNE))
    return (x[learn], y[learn]), (x[tune], y[tune]), (x[test], y[test])


def heartbeats() -> tuple[Part, Part, Part]:
    """Beats (N, 5, 128, 1), each stretched to 640 points from 20 to 220; those that come first are there to learn."""
    from make_ecg import beats

    found = beats()
    single = np.concatenate([found["x_train"], found["x_test"]]).astype(np.float64)
    scaled = 20 + 200 * single @ _stretch(640, single.shape[1]).T
    x = scaled.reshape(-1, 5, 128, 1).astype(np.float32)
    learn, tune, test = np.split(x, [round(share * len(x)) for share in BEATS])
    return (learn, learn), (tune, tune), (test, test)


TASKS = {
    "ResNet8": Task("clothes, ten kinds (Fashion-MNIST)", lambda: fashion(tuple(range(10)), framed), 300, 6),
    "DS-CNN": Task("spoken digits, ten", lambda: spoken(50, 10, 10, 0.0, 224.0), 500, 8),
    "MobileNetV1 0.25": Task("T-shirt or shirt (Fashion-MNIST)", lambda: fashion((0, 6), enlarged), 300, 6),
    "autoencoder": Task("heartbeats of one person", heartbeats, 247, 40),
    "MobileNetV2": Task("spoken digits, 0 to 7", lambda: spoken(59, 49, 8, -128.0, 127.0), 500, 8),
}


class Trainer:
    """A net with one method, compiled for this computer, and its task; `progress` counts samples."""

    def __init__(self, source: Graph, task: Task, method: Mapping[str, Any], progress: Progress | None = None) -> None:
        self.task = task
        self.config = TrainConfig(epochs=task.epochs, schedule="cosine", **method)
        self.plan = make_plan(source, self.config, load_board("host"))
        self.native = compile_native(self.plan)
        self.start = self.native.weights()
        self.labels = takes_labels(self.plan.graph.meta["loss"])
        self.progress = progress or (lambda done, total: None)
        self.learn, self.tune, self.test = task.parts()

    def untouched(self) -> float:
        """The figure of `result` before training."""
        self.native.load(self.start)
        return self._figure(*self.test)

    def result(self, lr: float, seed: int) -> float:
        """Held-out accuracy after training on samples that the seed draws and orders. For an autoencoder the squared
        error, as a share of that of always answering with the mean of what it learned from.

        NumbersError where training diverges.
        """
        self._train(self.config.with_changes(lr=lr, seed=seed))
        return self._figure(*self.test)

    def trial(self, lr: float) -> float:
        """How good a learning rate is, more being better, on samples that are not held out; -inf if it diverges."""
        try:
            self._train(self.config.with_changes(lr=lr, seed=TRIAL_SEED, epochs=self.task.epochs // 2))
        except NumbersError:
            return -math.inf
        found = self._figure(*self.tune)
        return found if self.labels else -found

    def rates(self, first: float) -> Iterator[tuple[float, float]]:
        """Learning rates tried, and how good they are: down from `first` to one that does not diverge, then up as long
        as it does not get worse, or if it did at once, down.
        """
        rung = round(2 * math.log10(first))
        known: dict[int, float] = {}

        def tried(at: int) -> tuple[float, float]:
            known[at] = self.trial(rate(at))
            return rate(at), known[at]

        yield tried(rung)
        while known[rung] == -math.inf:
            rung -= 1
            yield tried(rung)
        for step in (1, -1):
            at = rung
            while known[at] >= max(known.values()):
                at += step
                if at not in known:
                    yield tried(at)

    def _train(self, config: TrainConfig) -> None:
        self.native.load(self.start)
        x, y = self.learn
        generator = np.random.default_rng(config.seed)
        drawn = generator.permutation(len(x))[: self.task.samples]
        samples = encode(self.plan, x[drawn], y[drawn])
        hyper = hyper_of(config, len(samples))
        order = (int(k) for _ in range(config.epochs) for k in generator.permutation(len(samples)))
        for step, k in enumerate(order):
            target = int(samples.y[k, 0]) if self.labels else samples.y[k]
            loss = self.native.loss(samples.x[k], target)
            if not math.isfinite(loss):
                raise NumbersError(f"the loss became {loss} after step {step}", where=f"learning rate {config.lr:g}")
            self.native.backward(Optim(lr=hyper.lr_at(step)))
            self.progress(step + 1, hyper.total)

    def _figure(self, x: np.ndarray, y: np.ndarray) -> float:
        samples = encode(self.plan, x, y)
        outputs = np.stack([self.native.forward(sample) for sample in samples.x])
        if self.labels:
            return float(np.mean(verdicts(outputs, threshold(self.plan.graph)) == y))
        layout = self.plan.graph.meta["output"]
        wanted, mean = (layout.to_device(v).reshape(len(v), -1) for v in (y, self.learn[1].mean(axis=0, keepdims=True)))
        return float(np.mean((outputs - wanted) ** 2) / np.mean((mean - wanted) ** 2))


def rate(rung: int) -> float:
    """A ladder of learning rates: 0.01 at -4, 0.03 at -3, 0.1 at -2."""
    return float(f"{(3 if rung % 2 else 1) * 10.0 ** (rung // 2):.0e}")
