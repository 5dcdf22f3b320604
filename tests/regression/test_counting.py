"""The instruction counter finds its marks wherever the linker puts them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edgelearn import boards
from edgelearn.build.toolchain import emulator_command, find_compiler, find_emulator
from edgelearn.errors import ToolError
from tools.bench import counting

# Each program executes mark 1, ten NOPs, a jump, and mark 0 with one 16-bit instruction between it and a page's end.
ARM = """.syntax unified
.thumb
.org 0
.word 0x20001000, start + 1
start:
    bl counted
    b exit
.thumb_func
counted:
    .inst.n 0xbfb0
    .rept 10
    nop
    .endr
    b last
.org 0x3fc
.thumb_func
last:
    .inst.n 0xbfa0
    bx lr
exit:
    movs r0, #0x20
    adr r1, block
    bkpt 0xab
.align 2
block: .word 0x20026, 0
"""
RISCV = """.option norvc
    jal ra, counted
    j exit
counted:
    slti x0, x0, 0x7c1
    .rept 10
    nop
    .endr
    j last
.org 0xff8
.option rvc
    c.nop
last:
    .option norvc
    slti x0, x0, 0x7c0
    .option rvc
    c.jr ra
    .option norvc
exit:
    li a0, 0x20
    la a1, block
    .balign 16
    slli x0, x0, 0x1f
    ebreak
    srai x0, x0, 7
block: .word 0x20026, 0
"""


@pytest.mark.parametrize(("board_id", "program"), [("qemu-m4", ARM), ("qemu-rv32", RISCV)])
def test_a_mark_at_the_end_of_a_page(board_id: str, program: str, tmp_path: Path) -> None:
    """QEMU 7.2 gives such an instruction the length of two; its mark was lost, and other costs came on top."""
    board = boards.load(board_id)
    try:
        compiler = find_compiler(board).path
        find_emulator(board)
    except ToolError as error:
        pytest.skip(error.message)
    if shutil.which("cc") is None:
        pytest.skip("the plugin needs a compiler for this computer")
    source, image, out = tmp_path / "marks.s", tmp_path / "marks.elf", tmp_path / "counts"
    source.write_text(program)
    link = ["-nostdlib", "-static", f"-Wl,-Ttext={board.boot.origin:#x},-e,{board.boot.origin:#x}"]
    counting.run_tool([compiler, *board.build.flags, *link, source, "-o", image], "the program")
    command = [*emulator_command(board, image), *counting.options(board, counting.Method.PLUGIN, out)]
    subprocess.run(command, check=True, timeout=30, stdin=subprocess.DEVNULL)
    assert out.read_text().split() == ["1", "11"]
