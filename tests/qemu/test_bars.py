"""Kernels reach what tools/bench/bars.toml asks of them, and are no slower than when they were recorded."""

from __future__ import annotations

import json
import shutil

import pytest

from edgelearn import boards
from edgelearn.build.toolchain import find_compiler
from tools.bench import bars, counting, nets
from tools.bench.__main__ import RECORD

BOARDS = ("qemu-m4", "qemu-m55", "qemu-m7", "qemu-rv32", "qemu-rv32v")
MACS = {"resnet8": 37_062_528, "ds-cnn": 7_650_304, "mobilenet": 21_971_328}  # of a training step, by hand


@pytest.mark.parametrize("board", BOARDS)
def test_bars(board: str) -> None:
    loaded = boards.load(board)
    assert loaded.emulator is not None
    if not all(shutil.which(p) for p in (loaded.emulator.program, loaded.build.compilers[0])):
        pytest.skip(f"no compiler or emulator for {board}")
    if counting.choose(loaded).reason:
        pytest.skip("the plugin, which knows cycles, does not load")
    recorded = json.loads((RECORD / f"{board}.json").read_text())
    same = recorded["compiler"] == find_compiler(loaded).version
    found = bars.measure(board)
    assert bars.problems(board, found, recorded["bars"] if same else {}) == []
    assert {name: found[f"step {name}"].macs for name in nets.NETS} == MACS


def test_a_figure_below_its_bar_is_a_problem() -> None:
    found = {name: bars.Figure(1000, 10_000) for name in bars.bars("qemu-m7")}
    assert len(bars.problems("qemu-m7", found, {})) == len(found)
    good = {name: bars.Figure(1000, 1100) for name in found}
    assert bars.problems("qemu-m7", good, {}) == []
    worse = bars.problems("qemu-m7", good, {"step resnet8": 1080})
    assert worse == ["qemu-m7: step resnet8 takes 1,100, recorded are 1,080"]


def test_what_was_short_and_is_no_more_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "short", lambda board, fmt="f32": {"step resnet8": 0.3})
    good = {name: bars.Figure(1000, 1100) for name in bars.bars("qemu-m7")}
    (problem,) = bars.problems("qemu-m7", good, {})
    assert problem == "qemu-m7: step resnet8: 0.909 MAC/insn reaches its bar, 0.6, and is not short any more"
