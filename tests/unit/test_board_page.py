"""docs/BOARDS.md says of each real board what its file says."""

from __future__ import annotations

import pytest

from edgelearn import boards
from edgelearn.cli.commands.boards import memory_text
from edgelearn.share import boards_dir

PAGE = boards_dir().parent / "docs" / "BOARDS.md"
BARE = [b for b in map(boards.load, boards.available()) if b.real and b.bare]


def _rows() -> dict[str, list[str]]:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].strip("`"): row[1:] for row in cells}


def test_every_board_has_its_row() -> None:
    assert sorted(_rows()) == [board.id for board in BARE]


@pytest.mark.parametrize("board", BARE, ids=lambda b: b.id)
def test_a_row_says_what_the_file_says(board: boards.Board) -> None:
    _, mhz, ram, baud, store, in_qemu, _ = _rows()[board.id]
    assert int(mhz) * 1_000_000 == board.hal.constants["EL_CORE_HZ"]
    assert ram == memory_text(board.ram_bytes)
    assert int(baud) == board.link.baud
    assert store == (f"{board.store.pages} x {memory_text(board.store.page)}" if board.store else "none")
    assert in_qemu == ("yes" if board.emulated else "no")
