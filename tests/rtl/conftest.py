"""Without the tools that build simulator or images, tests on simulated cores are skipped, with the reason."""

from __future__ import annotations

import pytest

from edgelearn import boards
from edgelearn.build.toolchain import find_compiler, find_emulator
from edgelearn.errors import ToolError

BOARD = "rtl-cv32e40p"


@pytest.fixture(scope="session", autouse=True)
def _tools() -> None:
    """Builds the simulator where it can be built."""
    try:
        find_compiler(boards.load(BOARD))
        find_emulator(boards.load(BOARD))
    except ToolError as error:
        pytest.skip(": ".join([error.message, *error.details[:1]]))
