"""docs/KERNELS.md shows what is recorded."""

from __future__ import annotations

from pathlib import Path

from tools.bench.page import tables

PAGE = Path(__file__).resolve().parents[2] / "docs/KERNELS.md"


def test_the_page_shows_what_is_recorded() -> None:
    assert tables() in PAGE.read_text(), "run tools/bench/page.py and put its tables into docs/KERNELS.md"
