"""Every kernel against the numpy truth on emulated boards: other compilers, fused multiply-add, soft float."""

from __future__ import annotations

import pytest

from edgelearn import boards
from edgelearn.build.toolchain import find_compiler, find_emulator
from edgelearn.errors import ToolError
from tests.support.run_kernels import check_all
from tools.bench import probe

BOARDS = (
    "qemu-m4", "qemu-m55", "qemu-m3",
    "qemu-rv32", "qemu-rv32imac", "qemu-rv32i", "qemu-rv32v", "qemu-rv32v256", "qemu-rv32zfh",
)  # fmt: skip


def _needs_tools(board: str) -> None:
    try:
        find_compiler(boards.load(board))
        find_emulator(boards.load(board))
    except ToolError as error:
        pytest.skip(error.message)


@pytest.mark.parametrize("board", BOARDS)
def test_on(board: str) -> None:
    _needs_tools(board)
    check_all(board)


@pytest.mark.parametrize(
    "board", sorted(b for b in set(boards.available()) - {*BOARDS, "host"} if not boards.load(b).real)
)
def test_compiles_for(board: str) -> None:
    _needs_tools(board)
    assert probe.build(board, ("-Werror", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion")).exists()
