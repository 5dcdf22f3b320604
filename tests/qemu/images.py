"""Images of the hand-written model, built once a session and board."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from edgelearn import boards
from edgelearn.build import Image, build_image
from tests.support.linear import LinearModel

BOARDS = [name for name in boards.available() if not boards.load(name).simulated]  # tests/rtl has those
EMULATED = [name for name in BOARDS if boards.load(name).emulated]
CARRIERS = ("pipe", "uart")


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="edgelearn-images-")


@functools.cache
def image_of(board: str, carrier: str = "pipe", inputs: int = 6, batch: int = 1, hold: int = 0) -> Image:
    """An image of LinearModel with these settings; no kernels, it needs none."""
    model = LinearModel(inputs=inputs, batch=batch, hold=hold)
    out = Path(_folder().name) / f"{board}-{carrier}-{inputs}-{batch}-{hold}"
    return build_image(model.sources(), boards.load(board), out, carrier=carrier, kernel_sources=[])
