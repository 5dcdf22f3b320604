"""Imported models all the way: numpy, generated C and torch take the same training steps on what a file becomes."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelearn import methods
from edgelearn.config import TrainConfig
from edgelearn.importers.onnx import load_onnx
from tests.host.test_training import run_three
from tests.unit.import_models import save
from tests.unit.test_import_dilation import exported, tcn
from tests.unit.test_import_patterns import NORMS
from tests.unit.test_import_wide import CASES

TRAINABLE = [name for name in CASES if CASES[name]()[2]]
CONFIG = TrainConfig(lr=0.02, momentum=0.9, batch=2, loss="mse")


@pytest.mark.parametrize("name", TRAINABLE)
def test_three_steps_agree(name: str, tmp_path: Path) -> None:
    graph = load_onnx(save(CASES[name]()[0], tmp_path))
    assert methods.select(graph, "all")
    run_three(graph, CONFIG, tmp_path)


@pytest.mark.parametrize("name", ["whole", "two_axes"])
def test_a_recognised_norm_trains(name: str, tmp_path: Path) -> None:
    run_three(load_onnx(save(NORMS[name](), tmp_path)), CONFIG, tmp_path)


@pytest.mark.parametrize("pad", [True, False])
def test_a_temporal_convolution_network_trains(pad: bool, tmp_path: Path) -> None:
    graph = load_onnx(exported(tcn(pad), tmp_path, dynamo=False))
    run_three(graph, TrainConfig(lr=0.02, momentum=0.9, batch=2), tmp_path)
