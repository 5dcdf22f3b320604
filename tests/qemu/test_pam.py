"""Piecewise affine products on boards without an FPU: they compute what the reference does, in the planned bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgelearn.boards import load
from edgelearn.build import build_image
from edgelearn.build.verify import verify_image
from edgelearn.codegen import generate
from edgelearn.config import TrainConfig
from edgelearn.data import Dataset
from edgelearn.device import open_device
from edgelearn.link import Link
from edgelearn.plan import make_plan
from edgelearn.session import Session
from tests.support.nets import NETS

SETTINGS = {
    "pam": TrainConfig(multiply="pam", lr=0.05, epochs=1),
    "pam-momentum": TrainConfig(multiply="pam", lr=0.02, momentum=0.9, batch=2, epochs=1),
    "pam-exact": TrainConfig(multiply="pam-exact", lr=0.05, epochs=1),
}


@pytest.mark.parametrize("settings", SETTINGS)
def test_boards_train_with_the_same_bits(settings: str, tmp_path: Path) -> None:
    """`Session` holds losses and predictions to the reference; weights are those of the other core, bit by bit."""
    source, found = NETS["residual_net"](), []
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, *source.meta["input"].user_shape)).astype(np.float32)
    y = rng.integers(source.tensors[source.outputs[0]].count, size=8)
    for board_id in ("qemu-m3", "qemu-rv32imac"):
        board = load(board_id)
        plan = make_plan(source, SETTINGS[settings], board)
        sources = generate(plan)
        image = build_image(sources.files, board, tmp_path / board_id, kernel_sources=sources.kernels)
        assert verify_image(plan, image) == ()
        with open_device(image) as device:
            outcome = Session(plan, Link(device), Dataset(x[:6], y[:6], x[6:], y[6:]), lambda event: None).run()
        assert outcome.loss_error is not None
        assert any(not np.array_equal(w, source.tensors[n].data) for n, w in outcome.weights.items())
        found.append({name: w.tobytes() for name, w in outcome.weights.items()})
    assert found[0] == found[1]
