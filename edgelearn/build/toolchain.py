"""Finds the compiler of a board and knows what to type where there is none."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edgelearn.boards import Board
from edgelearn.build.simulator import TOOLS, Say, simulator
from edgelearn.errors import ToolError

HEADLESS = ("-display", "none", "-monitor", "none", "-semihosting-config", "enable=on,target=native")


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


def find_emulator(board: Board, say: Say | None = None) -> str:
    """The path of the board's QEMU; ToolError if there is none, or one too old to know the board's CPU.

    A simulator that does not exist yet is built, and `say` told so.
    """
    emulator = board.emulator
    assert emulator is not None
    if emulator.recipe:
        return str(simulator(emulator.recipe, emulator.install, say))
    path = shutil.which(emulator.program)
    if path is None:
        raise ToolError(f"{emulator.program} is not installed", where=board.id, hint=emulator.install)
    if reason := outdated(board):
        note = ("Debian 12 has a newer one in bookworm-backports",)
        raise ToolError(reason, where=board.id, details=note, hint=emulator.install)
    return path


def emulator_programs(board: Board) -> tuple[str, ...]:
    """What has to be installed to run the board's images here."""
    if board.emulator is None:
        return ()
    return TOOLS if board.emulator.recipe else (board.emulator.program,)


def emulator_command(board: Board, image: Path, serial: Sequence[str] = ("-serial", "null")) -> list[str]:
    """What runs an image without a screen; `serial` is QEMU's end of the UART.

    A simulator is told the board's memories, QEMU knows them.
    """
    emulator = board.emulator
    assert emulator is not None
    program = find_emulator(board)
    if not emulator.recipe:
        return [program, *emulator.args, "-kernel", str(image), *HEADLESS, *serial]
    memories = [part for m in board.memory for part in (f"--{m.kind}", f"{m.origin:#x},{m.size:#x}")]
    return [program, *memories, *emulator.args, str(image)]


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
