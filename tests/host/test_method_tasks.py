"""What the methods are worth on a real task: a reduced row or two of the table in docs/METHODS.md."""

from __future__ import annotations

import numpy as np
import pytest

from tools.compare_methods import TASKS, board_plan, config_of, scores

SEEDS = range(2)
EPOCHS = 6


@pytest.fixture(scope="module")
def accuracies() -> dict[str, float]:
    task = TASKS["watch"]
    names = ("head only", "the blocks", "MobileTL of the blocks")
    return {n: float(np.mean(scores(task, config_of(task, n, epochs=EPOCHS), SEEDS))) for n in names}


def test_mobiletl_learns_what_training_the_blocks_in_full_learns(accuracies: dict[str, float]) -> None:
    """Within 1.5 points, and both beat the head alone by far: 0.98 against 0.89 when this was written."""
    assert abs(accuracies["MobileTL of the blocks"] - accuracies["the blocks"]) <= 0.015
    assert min(accuracies["MobileTL of the blocks"], accuracies["the blocks"]) >= accuracies["head only"] + 0.06


@pytest.mark.parametrize(("name", "most"), [("watch", 0.72), ("digits", 0.68)])
def test_mobiletl_needs_less_ram_than_the_blocks_in_full(name: str, most: float) -> None:
    full, mobile = (
        board_plan(TASKS[name], config_of(TASKS[name], m)) for m in ("the blocks", "MobileTL of the blocks")
    )
    assert mobile.ram <= most * full.ram
    assert mobile.training_macs == full.training_macs
