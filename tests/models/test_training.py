"""The sixteen models train: all of each on the host; of the four of MLPerf Tiny the head on emulated boards, in float
behind a backbone that runs in int8."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgelearn.boards import load as load_board
from edgelearn.build import build_image
from edgelearn.build.verify import verify_image
from edgelearn.codegen import generate
from edgelearn.config import TrainConfig
from edgelearn.data import Dataset
from edgelearn.device import open_device
from edgelearn.graph import Graph
from edgelearn.importers import load
from edgelearn.link import Link
from edgelearn.plan import make_plan
from edgelearn.session import Outcome, Session
from tools.fetch_assets import MLTK, fetch_all

NAMES = sorted(name for found in MLTK.values() for name in found)
TINY = ("anomaly_detection", "image_classification", "keyword_spotting", "visual_wake_words")


@pytest.fixture(scope="module")
def files() -> dict[str, Path]:
    return fetch_all(NAMES)


def dataset(graph: Graph, loss: str, count: int = 3) -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2 * count, *graph.meta["input"].user_shape)).astype(np.float32)
    shape = graph.meta["output"].user_shape
    labels = rng.integers(int(np.prod(shape)), size=2 * count)
    y = labels if loss == "cross-entropy" else x if shape == x.shape[1:] else rng.random((2 * count, *shape))
    return Dataset(x[:count], y[:count], x[count:], y[count:])


def train(path: Path, board_id: str, config: TrainConfig, folder: Path) -> Outcome:
    """A short run; the session itself holds losses and predictions against the reference."""
    graph, board = load(path), load_board(board_id)
    plan = make_plan(graph, config, board)
    sources = generate(plan)
    image = build_image(sources.files, board, folder, kernel_sources=sources.kernels)
    assert verify_image(plan, image) == ()
    with open_device(image) as device:
        data = dataset(graph, plan.graph.meta["loss"])
        return Session(plan, Link(device), data, lambda event: None).run()


@pytest.mark.parametrize("name", NAMES)
def test_every_model_trains_on_the_host(name: str, files: dict[str, Path], tmp_path: Path) -> None:
    outcome = train(files[name], "host", TrainConfig(lr=1e-4, epochs=1), tmp_path)
    assert outcome.steps == 3
    assert all(np.isfinite(w).all() for w in outcome.weights.values())


@pytest.mark.parametrize("board", ["qemu-m4", "qemu-rv32"])
@pytest.mark.parametrize("name", TINY)
def test_the_head_trains_on_a_board(name: str, board: str, files: dict[str, Path], tmp_path: Path) -> None:
    outcome = train(files[name], board, TrainConfig(train="last", lr=1e-3, epochs=2), tmp_path)
    assert outcome.steps == 6
    assert 0 < outcome.stack_used < load_board(board).stack
