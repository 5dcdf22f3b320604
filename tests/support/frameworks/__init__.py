"""Compiles what runs under a framework without the framework, against small headers of its documented API."""

from __future__ import annotations

import subprocess
from pathlib import Path

from edgelearn.boards import Board
from edgelearn.build.compile import FLOATS, SECTIONS, WARNINGS, board_header
from edgelearn.share import firmware_dir

HERE = Path(__file__).parent
# The compiler of this machine for a core; Espressif's own for Xtensa is PlatformIO's, this one is for a smaller core.
COMPILERS = {"arm": "arm-none-eabi-gcc", "riscv": "riscv64-unknown-elf-gcc", "xtensa": "xtensa-lx106-elf-gcc"}
OPTIMIZE = ("-O2", "-ffreestanding")  # as frameworks do, which have a C library of their own
LANGUAGES = {".c": ("-std=c11", "-Wpedantic"), ".cpp": ("-std=gnu++11", "-fno-exceptions", "-fno-rtti")}


def compile_for(board: Board, sources: list[str], out: Path, *flags: str) -> list[Path]:
    """Objects of files below `firmware/`, with the board's flags and without a warning."""
    firmware = firmware_dir()
    (out / "board.h").write_text(board_header(board))
    folders = [firmware / "include", firmware / "hal", HERE / board.framework, out]
    objects = []
    for name in sources:
        source = firmware / name
        compiler = COMPILERS[board.arch].replace("gcc", "g++") if source.suffix == ".cpp" else COMPILERS[board.arch]
        target = out / f"{Path(name).stem}-{len(objects)}.o"
        command = [compiler, *board.build.flags, *LANGUAGES[source.suffix], *(w for w in WARNINGS if w != "-Wpedantic")]
        command += [*OPTIMIZE, *FLOATS, *SECTIONS, *(f"-I{f}" for f in folders), *flags]
        done = subprocess.run([*command, "-c", str(source), "-o", str(target)], capture_output=True, text=True)
        assert done.returncode == 0, f"{name} for {board.id}:\n{done.stderr}"
        objects.append(target)
    return objects
