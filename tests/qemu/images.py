"""Images of the hand-written model, built once a session and board."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from edgelearn import boards
from edgelearn.build import Image, build_image
from edgelearn.share import firmware_dir
from tests.support.linear import LinearModel

KNOWN = [boards.load(name) for name in boards.available()]
BOARDS = [b.id for b in KNOWN if not b.simulated and not b.real]  # tests/rtl has those that are simulated
EMULATED = [name for name in BOARDS if boards.load(name).emulated]
CARRIERS = ("pipe", "uart")
BARE = [b.id for b in KNOWN if b.real and b.bare]  # real boards whose image is all ours
MODELLED = [name for name in BARE if boards.load(name).emulated]  # and which QEMU models, down to the UART
IMAGES = [*((b, c) for b in BOARDS for c in CARRIERS), *((b, "uart") for b in BARE)]


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="edgelearn-images-")


@functools.cache
def image_of(board: str, carrier: str = "", inputs: int = 6, batch: int = 1, hold: int = 0) -> Image:
    """An image of LinearModel with these settings; no kernels, it needs none. A board has its own first carrier."""
    carrier = carrier or boards.load(board).carrier
    model = LinearModel(inputs=inputs, batch=batch, hold=hold)
    out = Path(_folder().name) / f"{board}-{carrier}-{inputs}-{batch}-{hold}"
    return build_image(model.sources(), boards.load(board), out, carrier=carrier, kernel_sources=[])


KEEP = """#include "el/flash.h"
typedef void (*anything)(void);
extern const anything keep[];
__attribute__((section(".vectors.keep"))) const anything keep[] = {
    (anything)el_flash_erase, (anything)el_flash_program, (anything)el_flash_read};
"""


@functools.cache
def with_driver(board: str) -> Path:
    """The elf of LinearModel's image with the functions of the board's flash driver."""
    described = boards.load(board)
    assert described.store is not None
    drivers = [firmware_dir() / "hal" / file for file in described.store.driver]
    sources = {**LinearModel().sources(), "keep.c": KEEP}
    return build_image(sources, described, Path(_folder().name) / f"{board}-flash", kernel_sources=drivers).elf
