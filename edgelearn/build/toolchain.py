"""Finds the compiler of a board and knows what to type where there is none."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from functools import cache

from edgelearn.boards import Board
from edgelearn.errors import ToolError


@dataclass(frozen=True)
class Compiler:
    """A C compiler driver: where it is and the first line of what it says of itself."""

    path: str
    version: str


@cache
def _version(path: str) -> str | None:
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.partition("\n")[0].strip()


def find_compiler(board: Board) -> Compiler:
    """The first of the board's compilers that is installed and runs."""
    for name in board.build.compilers:
        path = shutil.which(name)
        version = _version(path) if path else None
        if path and version is not None:
            return Compiler(path, version)
    tried = ", ".join(board.build.compilers)
    raise ToolError(f"no compiler for {board.id}: tried {tried}", hint=board.build.install)


def find_emulator(board: Board) -> str:
    """The path of the board's QEMU."""
    assert board.emulator is not None
    path = shutil.which(board.emulator.program)
    if path is None:
        raise ToolError(f"{board.emulator.program} is not installed", where=board.id, hint=board.emulator.install)
    return path
