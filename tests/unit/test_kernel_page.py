"""docs/KERNELS.md shows what is recorded, and what is recorded reaches its bars."""

from __future__ import annotations

import json

import pytest

from tools.bench import bars
from tools.bench.page import PAGE, RECORD, filled

RECORDED = sorted(path.stem for path in RECORD.glob("*.json"))


def test_the_page_shows_what_is_recorded() -> None:
    page = PAGE.read_text()
    assert filled(page) == page, "run tools/bench/page.py --write"


def test_a_page_without_a_place_for_a_table() -> None:
    with pytest.raises(ValueError, match="no place for the table 'float32'"):
        filled("no table at all")


@pytest.mark.parametrize("board", RECORDED)
def test_what_is_recorded_reaches_its_bars(board: str) -> None:
    """Whatever compiler is installed here: tests/qemu counts again, where it is the one that was recorded."""
    recorded = json.loads((RECORD / f"{board}.json").read_text())["bars"]
    figures = {fmt: bars.restored(rows) for fmt, rows in recorded.items()}
    assert set(figures) == set(bars.formats(board)), "tools/bench --write"
    for fmt, found in figures.items():
        assert set(found) == set(bars.bars(board, fmt))
        assert bars.problems(board, fmt, found, {}) == []
    if bars.ratios(board)[0]:
        assert bars.ratio_problems(board, figures["f32"], figures["f16"]) == []


def test_a_ratio_is_of_all_steps_of_a_layer() -> None:
    floats = {"conv fwd": bars.Figure(10, 100), "conv bwd_w": bars.Figure(10, 300), "step net": bars.Figure(1, 8)}
    halves = {"conv fwd": bars.Figure(10, 50), "conv bwd_w": bars.Figure(10, 200), "step net": bars.Figure(1, 5)}
    assert bars.ratio("conv", floats, halves) == 400 / 250
    assert bars.ratio("step net", floats, halves) == 8 / 5


def test_ratios_are_held_to_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "ratios", lambda board: ({"conv": 1.9, "step net": 1.5}, {"conv": 1.5}))
    floats = {"conv fwd": bars.Figure(10, 160), "step net": bars.Figure(1, 8)}
    halves = {"conv fwd": bars.Figure(10, 100), "step net": bars.Figure(1, 5)}
    assert bars.ratio_problems("b", floats, halves) == []
    halves["step net"], halves["conv fwd"] = bars.Figure(1, 6), bars.Figure(10, 80)
    assert bars.ratio_problems("b", floats, halves) == [
        "b: conv: 2.000 times less in halves reaches its bar, 1.9, and is not short any more",
        "b: step net: 1.333 times less in halves, the bar is 1.5",
    ]
