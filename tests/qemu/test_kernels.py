"""Every kernel against the numpy truth on emulated boards: other compilers, fused multiply-add, soft float."""

from __future__ import annotations

import shutil

import pytest

from edgelearn import boards
from tests.support.run_kernels import check_all
from tools.bench import probe

BOARDS = ("qemu-m4", "qemu-m55", "qemu-m3", "qemu-rv32", "qemu-rv32imac")


def _installed(board: str) -> bool:
    loaded = boards.load(board)
    assert loaded.emulator is not None
    return all(shutil.which(p) for p in (loaded.emulator.program, loaded.build.compilers[0]))


@pytest.mark.parametrize("board", BOARDS)
def test_on(board: str) -> None:
    if not _installed(board):
        pytest.skip(f"no compiler or emulator for {board}")
    check_all(board)


@pytest.mark.parametrize("board", sorted(set(boards.available()) - {*BOARDS, "host"}))
def test_compiles_for(board: str) -> None:
    if not _installed(board):
        pytest.skip(f"no compiler or emulator for {board}")
    assert probe.build(board, ("-Werror", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion")).exists()
