"""The published behaviour of shift weights, on real digits: three seeds of tools/shift_table.py."""

from __future__ import annotations

import numpy as np
import pytest

from tools import shift_table

SEEDS = range(3)


@pytest.fixture(scope="module")
def digits():
    return shift_table.digits()


def row(digits, bits: int, spread: float) -> tuple[float, float]:
    found = [shift_table.measure(*digits, bits, spread, seed) for seed in SEEDS]
    accuracy, changed = np.mean(found, axis=0)
    return 100 * float(accuracy), 100 * float(changed)


def test_float_weights(digits) -> None:
    accuracy, _ = row(digits, 0, 0.0)
    assert 98.0 < accuracy < 99.5


@pytest.mark.parametrize(("bits", "least", "changed"), [(2, 98.0, 28), (3, 98.0, 24), (4, 97.0, 14)])
def test_small_latents_learn_and_large_ones_freeze(digits, bits: int, least: float, changed: float) -> None:
    """Accuracy stays near that of floats, and between 0.7 and 1.3 times as many weights change as was published.

    With He's initialisation next to none do, and accuracy is at least a point lower.
    """
    accuracy, moved = row(digits, bits, shift_table.latents.SPREAD)
    assert accuracy >= least
    assert 0.7 * changed < moved < 1.3 * changed
    frozen, still = row(digits, bits, shift_table.HE)
    assert still < 1.0
    assert frozen < accuracy - 1.0
