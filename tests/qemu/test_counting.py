"""Both ways to count instructions see the same, and a computer without the plugin says why it uses the other one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgelearn import boards
from edgelearn.build.toolchain import find_compiler, find_emulator
from edgelearn.errors import ToolError
from tools.bench import __main__ as bench
from tools.bench import counting
from tools.bench.counting import Choice, Method

ROUNDING = 2  # a timer that ticks slower than instructions leave


def _board(board_id: str) -> boards.Board:
    board = boards.load(board_id)
    try:
        find_compiler(board)
        find_emulator(board)
    except ToolError as error:
        pytest.skip(error.message)
    return board


@pytest.mark.parametrize("board_id", ["qemu-m4", "qemu-rv32"])
def test_both_methods_agree(board_id: str) -> None:
    choice = counting.choose(_board(board_id))
    if choice.reason:
        pytest.skip(choice.reason)
    exact, timed = (bench.measure_step(board_id, method) for method in (Method.PLUGIN, Method.ICOUNT))
    assert exact.keys() == timed.keys()
    for name, row in exact.items():
        assert abs(row["insn"] - timed[name]["insn"]) <= ROUNDING, name


@pytest.fixture
def _forget() -> Iterator[None]:
    counting.plugin.cache_clear()
    counting._check.cache_clear()
    yield
    counting.plugin.cache_clear()
    counting._check.cache_clear()


@pytest.mark.usefixtures("_forget")
def test_a_plugin_that_does_not_compile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    board = _board("qemu-m4")
    monkeypatch.setattr(counting, "CACHE", tmp_path)
    monkeypatch.setattr(counting, "CC", "cc-that-is-not-there")
    assert counting.choose(board) == Choice(Method.ICOUNT, "cc-that-is-not-there is not installed")


@pytest.mark.usefixtures("_forget")
def test_a_plugin_that_qemu_refuses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    board = _board("qemu-m4")
    rubbish = tmp_path / "plugin.so"
    rubbish.write_text("not a library")
    monkeypatch.setattr(counting, "plugin", lambda: rubbish)
    choice = counting.choose(board)
    assert choice.method is Method.ICOUNT
    assert choice.reason.startswith("QEMU refuses the plugin: ")


def test_the_output_says_which_and_check_keeps_to_its_compiler(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    version = find_compiler(_board("qemu-m4")).version
    monkeypatch.setattr(bench, "RECORD", tmp_path)
    monkeypatch.setattr(sys, "argv", ["bench", "--boards", "qemu-m4", "--count", "icount", "--write"])
    assert bench.main() == 0
    assert f"qemu-m4, counted by icount, {version}\n" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["bench", "--boards", "qemu-m4", "--check"])
    assert bench.main() == 0
    assert capsys.readouterr().out == "no kernel got worse on qemu-m4\n"
    record = tmp_path / "qemu-m4.json"
    record.write_text(record.read_text().replace(version, "gcc 1.0"))
    assert bench.main() == 0
    assert capsys.readouterr().out == f"qemu-m4: not compared, recorded with gcc 1.0, installed is {version}\n"
