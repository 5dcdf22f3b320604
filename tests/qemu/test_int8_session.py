"""An int8 model on boards: the backbone runs in int8 and the last layer learns in float32, as on the host."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgelearn.boards import load
from edgelearn.build import build_image
from edgelearn.build.verify import verify_image
from edgelearn.codegen import generate
from edgelearn.config import TrainConfig
from edgelearn.data import Dataset
from edgelearn.device import open_device
from edgelearn.formats import F32, S8
from edgelearn.graph import Graph
from edgelearn.importers.tflite import load_tflite
from edgelearn.link import Link
from edgelearn.plan import Plan, make_plan
from edgelearn.session import Outcome, Session
from tests.support.int8_nets import backbone

CONFIG = TrainConfig(train="last", lr=0.05, momentum=0.9, batch=2, epochs=3, store=5)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    path = tmp_path_factory.mktemp("model") / "backbone.tflite"
    path.write_bytes(backbone())
    return load_tflite(path)


def dataset(source: Graph) -> Dataset:
    """Two kinds of samples, which any backbone tells apart."""
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=24)
    x = (rng.normal(size=(24, *source.meta["input"].user_shape)) + 3.0 * y[:, None, None, None]).astype(np.float32)
    return Dataset(x[:16], y[:16], x[16:], y[16:])


Ran = tuple[Plan, Outcome, list[float]]


def run(source: Graph, board_id: str, folder: Path, sanitize: bool = False, **changes: Any) -> Ran:
    board = load(board_id)
    plan = make_plan(source, CONFIG.with_changes(**changes), board)
    sources = generate(plan)
    image = build_image(sources.files, board, folder, kernel_sources=sources.kernels, sanitize=sanitize)
    if not sanitize:
        assert verify_image(plan, image) == ()
    losses = []
    with open_device(image) as device:
        link = Link(device)
        session = Session(
            plan, link, dataset(source), lambda e: losses.append(e.values["loss"]) if e.kind == "step" else None
        )
        outcome = session.run()
        link.close()
    return plan, outcome, losses


@pytest.fixture(scope="module")
def host_run(source: Graph, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run(source, "host", tmp_path_factory.mktemp("host"))


def test_the_backbone_is_in_int8_and_the_head_learns(host_run: Ran) -> None:
    plan, outcome, losses = host_run
    ops = [s.node.op for s in plan.schedule.steps if s.program.value == "forward"]
    assert ops == ["conv2d_s8", "depthwise_conv2d_s8", "conv2d_s8", "add_s8", "mean_s8", "dequantize", "dense"]
    assert plan.graph.meta["int8"] == tuple(s.node.name for s in plan.schedule.steps[:5])
    assert {t.format for t, _ in plan.params.tensors} == {F32}
    assert sum(t.count for t, _ in plan.consts.tensors if t.format is S8) == 8 * 27 + 8 * 9 + 8 * 8
    assert np.mean(losses[-4:]) < 0.5 * np.mean(losses[:4])
    assert outcome.output_error < 1e-5


@pytest.mark.parametrize("board", ["qemu-m4", "qemu-m3", "qemu-rv32imac", "qemu-rv32i"])
def test_boards_train_like_the_host(board: str, source: Graph, tmp_path: Path, host_run: Ran) -> None:
    emulator = load(board).emulator
    if emulator is None or not shutil.which(emulator.program):
        pytest.skip(f"no emulator for {board}")
    _, outcome, losses = run(source, board, tmp_path)
    _, on_host, expected = host_run
    np.testing.assert_allclose(losses, expected, rtol=1e-4, atol=1e-6)
    for name, weight in outcome.weights.items():
        np.testing.assert_allclose(weight, on_host.weights[name], rtol=1e-4, atol=1e-5)
    assert outcome.output_error < 1e-5


def test_the_whole_run_is_clean_under_the_sanitizers(source: Graph, tmp_path: Path) -> None:
    _, outcome, _ = run(source, "host", tmp_path, sanitize=True)
    assert outcome.after is not None


def test_integers_cost_a_quarter_and_train_alike(source: Graph, tmp_path: Path, host_run: Ran) -> None:
    """The samples that the host rounds are those that the board would have rounded: the same losses, bit by bit."""
    plan, outcome, losses = host_run
    floats, other, expected = run(source, "host", tmp_path, samples="f32")
    count, label = 9 * 7 * 3, 4
    assert (plan.samples, floats.samples) == ("s8", "f32")
    assert (plan.slot_bytes, floats.slot_bytes) == ((count + 3) // 4 * 4 + label, 4 * count + label)
    assert floats.arena_bytes - plan.arena_bytes > 2 * count
    assert losses == expected
    for name, weight in outcome.weights.items():
        np.testing.assert_array_equal(weight, other.weights[name])


def test_a_first_layer_that_trains_reads_integers_as_real_numbers(source: Graph, tmp_path: Path) -> None:
    plan, outcome, losses = run(source, "host", tmp_path, train="all", lr=0.005, samples="s8")
    assert plan.schedule.steps[0].node.op == "dequantize"
    assert plan.graph.meta["int8"] == ()
    assert outcome.loss_error < 1e-4
    assert np.mean(losses[-4:]) < np.mean(losses[:4])
    assert make_plan(source, CONFIG.with_changes(train="all"), load("host")).samples == "f32"
