"""Each training method on boards: the plan's bytes are the linker's, and the board computes what the reference does."""

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
from edgelearn.methods import choose
from edgelearn.plan import make_plan
from edgelearn.session import Session
from tests.support.mobilenets import v3

SETTINGS = {
    "full": {"method": "full", "blocks": 1},
    "last": {"method": "last"},
    "bias": {"method": "bias"},
    "sparse": {"method": "sparse", "blocks": 2},
    "mobiletl": {"method": "mobiletl", "blocks": 2},
}
RUN = ("qemu-m4", "qemu-rv32")


@pytest.mark.parametrize("method", SETTINGS)
@pytest.mark.parametrize("board_id", RUN)
def test_a_method_on_a_board(board_id: str, method: str, tmp_path: Path) -> None:
    """`Session` itself holds losses and predictions to the reference, and raises where they differ."""
    source, board = v3(), load(board_id)
    config = TrainConfig(lr=0.05, momentum=0.9, batch=2, epochs=1, **SETTINGS[method])
    plan = make_plan(source, config, board)
    sources = generate(plan)
    image = build_image(sources.files, board, tmp_path, kernel_sources=sources.kernels)
    assert verify_image(plan, image) == ()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(10, *source.meta["input"].user_shape)).astype(np.float32)
    y = rng.integers(4, size=10)
    with open_device(image) as device:
        outcome = Session(plan, Link(device), Dataset(x[:6], y[:6], x[6:], y[6:]), lambda event: None).run()
    assert outcome.steps == 3
    assert 0 < outcome.stack_used < board.stack
    # What comes home are weights of the imported graph, of its shapes.
    assert set(outcome.weights) == choose(source, config).trained
    assert {n: w.shape for n, w in outcome.weights.items()} == {n: source.tensors[n].shape for n in outcome.weights}


@pytest.mark.parametrize("method", SETTINGS)
@pytest.mark.parametrize(
    "board_id", [b.id for b in map(load, available()) if b.emulated and not (b.simulated or b.real) and b.id not in RUN]
)
def test_the_plan_of_a_method_is_the_linkers_map(board_id: str, method: str, tmp_path: Path) -> None:
    """On the boards on which it is not run; with recomputation, which changes the arena and the steps."""
    board = load(board_id)
    plan = make_plan(v3(), TrainConfig(recompute=0.3, **SETTINGS[method]), board)
    sources = generate(plan)
    image = build_image(sources.files, board, tmp_path, kernel_sources=sources.kernels)
    assert verify_image(plan, image) == ()
    assert image.ram.total == plan.ram
