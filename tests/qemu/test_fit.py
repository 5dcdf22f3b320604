"""Rows of a search, linked: the RAM that the table shows is the linker's."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelearn.boards import load
from edgelearn.build import build_image
from edgelearn.build.verify import verify_image
from edgelearn.codegen import generate
from edgelearn.config import TrainConfig
from edgelearn.fit import Budget, Fit, search
from tests.support.nets import NETS


@pytest.fixture(scope="module")
def fit() -> Fit:
    return search(NETS["residual_net"](), TrainConfig(momentum=0.9), load("qemu-m4"), Budget(ram=24 * 1024))


@pytest.mark.parametrize("place", [0, -1])
def test_the_linker_places_what_a_row_claims(fit: Fit, place: int, tmp_path: Path) -> None:
    row = fit.rows[place]
    sources = generate(row.plan)
    image = build_image(sources.files, row.plan.board, tmp_path, kernel_sources=sources.kernels)
    assert verify_image(row.plan, image) == ()
    assert image.ram.total == row.plan.ram <= 24 * 1024
    assert len(fit.rows) > 2
