"""Half precision on boards: the plan's bytes are the linker's, and the board computes what the reference does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgelearn.boards import available, load
from edgelearn.build import build_image
from edgelearn.build.verify import verify_image
from edgelearn.codegen import generate
from edgelearn.config import TrainConfig
from edgelearn.data import Dataset
from edgelearn.device import open_device
from edgelearn.link import Link
from edgelearn.plan import make_plan
from edgelearn.session import Session
from tests.support.mobilenets import v3
from tests.support.nets import recurrent_net

SETTINGS = {
    "fp16": TrainConfig(precision="fp16", lr=0.05, epochs=1, store=3),
    "mixed": TrainConfig(precision="mixed", lr=0.01, optimizer="adam", batch=2, clip_norm=1.0, epochs=1),
    "replay": TrainConfig(precision="fp16", lr=0.05, train="last", replay=8, epochs=1),
}
RUN = (
    *(("qemu-m4", name) for name in SETTINGS),  # converts in hardware
    ("qemu-rv32zfh", "fp16"),  # and so does this
    ("qemu-m3", "fp16"),  # and in software
    ("qemu-m55", "mixed"),
    ("qemu-rv32", "replay"),
)
BOARDS = [b.id for b in map(load, available()) if b.emulated and not b.simulated and not b.real]


@pytest.mark.parametrize(("board_id", "settings"), RUN)
def test_half_precision_on_a_board(board_id: str, settings: str, tmp_path: Path) -> None:
    """`Session` itself holds losses and predictions to the reference, and raises where they differ."""
    source, board = v3(), load(board_id)
    plan = make_plan(source, SETTINGS[settings], board)
    sources = generate(plan)
    image = build_image(sources.files, board, tmp_path, kernel_sources=sources.kernels)
    assert verify_image(plan, image) == ()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(10, *source.meta["input"].user_shape)).astype(np.float32)
    y = rng.integers(4, size=10)
    with open_device(image) as device:
        outcome = Session(plan, Link(device), Dataset(x[:6], y[:6], x[6:], y[6:]), lambda event: None).run()
    assert outcome.loss_error is not None
    assert outcome.skipped == 0
    assert outcome.loss_scale == 1024
    assert all(w.dtype == np.float32 for w in outcome.weights.values())
    assert any(not np.array_equal(w, source.tensors[n].data) for n, w in outcome.weights.items())


@pytest.mark.parametrize("board_id", sorted(set(BOARDS) - {name for name, _ in RUN}))
def test_the_plan_is_the_linkers_map(board_id: str, tmp_path: Path) -> None:
    """On the boards on which it is not run, with recurrent layers, which stay float32 among halves."""
    board = load(board_id)
    plan = make_plan(recurrent_net(), TrainConfig(precision="fp16", momentum=0.9), board)
    sources = generate(plan)
    image = build_image(sources.files, board, tmp_path, kernel_sources=sources.kernels)
    assert verify_image(plan, image) == ()
    assert image.ram.total == plan.ram
