"""A board that the installed QEMU is too old for is skipped, with the reason."""

from __future__ import annotations

import pytest

from edgelearn import boards
from edgelearn.build.toolchain import outdated


@pytest.fixture(autouse=True)
def _qemu_knows_the_board(request: pytest.FixtureRequest) -> None:
    callspec = getattr(request.node, "callspec", None)
    board = callspec.params.get("board") if callspec else None
    if isinstance(board, str) and (reason := outdated(boards.load(board))):
        pytest.skip(reason)
