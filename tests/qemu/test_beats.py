"""Instructions on groups of vector registers count once for each register; loads and stores once, or likewise."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edgelearn import boards
from edgelearn.build.toolchain import emulator_command, find_compiler, outdated
from edgelearn.errors import ToolError
from tools.bench import counting

# An instruction, what it counts as arithmetic, and what it counts where loads are weighed, too.
COUNTED = (
    ("vsetvli t1, zero, e32, m4, ta, ma", 1, 1),
    ("vle32.v v4, (a1)", 1, 4),
    ("vfadd.vv v8, v4, v4", 4, 4),
    ("vle16.v v8, (a1)", 1, 2),
    ("vsetivli t1, 4, e16, m1, ta, ma", 1, 1),
    ("vfwadd.vv v8, v4, v5", 2, 2),
    ("vfncvt.f.f.w v8, v4", 2, 2),
    ("vfredusum.vs v8, v4, v4", 1, 1),
    ("vsetvli t1, zero, e16, mf2, ta, ma", 1, 1),
    ("vfadd.vv v8, v9, v9", 1, 1),
    ("vlseg2e16.v v4, (a1)", 1, 2),
    ("vmv.x.s t2, v4", 1, 1),
    ("vmv4r.v v8, v12", 4, 4),
    ("vl2re32.v v4, (a1)", 1, 2),
    ("flw ft0, 0(a1)", 1, 1),
    ("nop", 1, 1),
)
PROGRAM = """.option norvc
    li t0, (1 << 13) | (1 << 9)
    csrs mstatus, t0
    la a1, numbers
    slti x0, x0, 0x7c1
    {}
    slti x0, x0, 0x7c0
    li a0, 0x20
    la a1, block
    .balign 16
    slli x0, x0, 0x1f
    ebreak
    srai x0, x0, 7
block: .word 0x20026, 0
numbers: .zero 256
"""


@pytest.mark.parametrize(("weights", "column"), [("arithmetic", 1), ("all", 2)])
def test_beats(weights: str, column: int, tmp_path: Path) -> None:
    board = boards.load("qemu-rv32v")
    try:
        compiler = find_compiler(board).path
    except ToolError as error:
        pytest.skip(error.message)
    if reason := outdated(board) or ("" if shutil.which("cc") else "the plugin needs a compiler for this computer"):
        pytest.skip(reason)
    source, image, out = tmp_path / "beats.s", tmp_path / "beats.elf", tmp_path / "counts"
    source.write_text(PROGRAM.format("\n    ".join(text for text, _, _ in COUNTED)))
    link = [
        "-nostdlib",
        "-static",
        *board.build.link_flags,
        f"-Wl,-Ttext={board.boot.origin:#x},-e,{board.boot.origin:#x}",
    ]
    counting.run_tool([compiler, *board.build.flags, *link, source, "-o", image], "the program")
    command = [*emulator_command(board, image), *counting.options(board, counting.Method.PLUGIN, out, weights)]
    subprocess.run(command, check=True, timeout=30, stdin=subprocess.DEVNULL)
    assert out.read_text().split() == ["1", str(sum(row[column] for row in COUNTED))]
