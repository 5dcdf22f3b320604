"""Finds the compiler of a board and knows what to type where there is none."""

from __future__ import annotations

import re
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

    @property
    def clang(self) -> bool:
        """It takes clang's options, not GCC's."""
        return "clang" in self.version


@cache
def _version(path: str) -> str | None:
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.partition("\n")[0].strip()


@cache
def _takes(path: str, flags: tuple[str, ...]) -> bool:
    """Whether it knows the core and finds the linker that the flags name; nothing is compiled."""
    command = [path, *flags, "-nostdlib", "-###", "-x", "c", "/dev/null"]
    return not flags or subprocess.run(command, capture_output=True, timeout=20).returncode == 0


def find_compiler(board: Board) -> Compiler:
    """The first of the board's compilers that is installed, runs and takes the board's flags."""
    for name in board.build.compilers:
        path = shutil.which(name)
        version = _version(path) if path else None
        if path and version is not None and _takes(path, (*board.build.flags, *board.build.link_flags)):
            return Compiler(path, version)
    tried = ", ".join(board.build.compilers)
    raise ToolError(f"no compiler for {board.id}: tried {tried}", hint=board.build.install)


def find_emulator(board: Board) -> str:
    """The path of the board's QEMU; ToolError if there is none, or one too old to know the board's CPU."""
    emulator = board.emulator
    assert emulator is not None
    path = shutil.which(emulator.program)
    if path is None:
        raise ToolError(f"{emulator.program} is not installed", where=board.id, hint=emulator.install)
    if reason := outdated(board):
        note = ("Debian 12 has a newer one in bookworm-backports",)
        raise ToolError(reason, where=board.id, details=note, hint=emulator.install)
    return path


def outdated(board: Board) -> str:
    """Why the board's QEMU, if there is one, is too old to know the board; "" if it is not."""
    emulator = board.emulator
    path = shutil.which(emulator.program) if emulator and emulator.version else None
    if emulator is None or path is None:
        return ""
    have = version_number(_version(path) or "")
    if _order(have) >= _order(emulator.version):
        return ""
    return f"{emulator.program} is version {have or 'unknown'}, {emulator.version} or newer is needed"


def version_number(line: str) -> str:
    """The first number with a point in what a program says of itself, past what is in parentheses; "" if none."""
    found = re.search(r"\d+(\.\d+)+", re.sub(r"\([^)]*\)", "", line))
    return found.group() if found else ""


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part)
