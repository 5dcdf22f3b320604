"""Which files below `firmware/` are in an image: those that a build compiles, and that a project gets copies of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edgelearn.boards import Board
from edgelearn.share import firmware_dir

MAIN = "main.c"
FEATURES = ("features/", "hal/")  # what is no kernel among the files that a model calls


@dataclass(frozen=True)
class Files:
    """Paths relative to `firmware/`, or absolute ones of somebody's own."""

    kernels: tuple[str, ...]  # compiled for speed
    runtime: tuple[str, ...]  # and the HAL: what `runtime_ram` of the board counts
    library: tuple[str, ...]  # functions that the compiler calls by itself


def image_files(
    board: Board, carrier: str, kernel_sources: Iterable[Path | str] | None = None, *, own_main: bool = False
) -> Files:
    """What an image for a board and a carrier is made of beside the generated files.

    Without `kernel_sources` it has all kernels of the board's ISAs, and the linker drops what nobody calls. `own_main`:
    somebody else brings the function that the start-up code calls.
    """
    firmware = firmware_dir()
    if kernel_sources is None:
        kernel_sources = [p for isa in board.kernels for p in sorted((firmware / "kernels" / isa).glob("*.c"))]
    wanted = [_relative(Path(p)) for p in kernel_sources]
    features = [name for name in wanted if name.startswith(FEATURES)]
    return Files(
        kernels=tuple(name for name in wanted if name not in features),
        runtime=(
            *features,
            *(_relative(p) for p in sorted((firmware / "src").glob("*.c")) if p.name != MAIN or not own_main),
            *(f"hal/{name}" for name in (*board.hal.common, *getattr(board.hal, carrier))),
        ),
        library=tuple(f"hal/{name}" for name in board.hal.library),
    )


INCLUDED = re.compile(rb'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def with_included(files: Iterable[str]) -> list[str]:
    """Files below `firmware/`, and all that they include from there; sorted. Generated headers are nobody's here."""
    firmware, found, waiting = firmware_dir(), set[Path](), [firmware_dir() / name for name in files]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for name in INCLUDED.findall(path.read_bytes()):
            places = (folder / name.decode() for folder in (path.parent, firmware / "include", firmware / "hal"))
            waiting += [p.resolve() for p in places if p.is_file()][:1]
    return sorted(_relative(path) for path in found)


def _relative(path: Path) -> str:
    firmware = firmware_dir()
    return str(path.relative_to(firmware) if path.is_relative_to(firmware) else path)
