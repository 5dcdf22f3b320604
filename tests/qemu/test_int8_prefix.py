"""A float model whose frozen part was quantised here, on boards: the prefix as on the host, and the rest learns."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgelearn.boards import load
from edgelearn.build import build_image
from edgelearn.build.verify import verify_image
from edgelearn.codegen import generate
from edgelearn.cut import Cut, measure_cut
from edgelearn.data import Dataset
from edgelearn.device import open_device
from edgelearn.formats import S8
from edgelearn.graph import Graph
from edgelearn.link import Link
from edgelearn.plan import Plan, make_plan
from edgelearn.session import Outcome, Session
from tests.support.cli import DATA, MODEL, edgelearn
from tests.support.prefix_nets import CONFIG, calibrated, norms_first, wide

SETTINGS = CONFIG.with_changes(lr=0.05, momentum=0.9, batch=2, epochs=3, store=5)
NETS = {"wide": wide, "norms_first": norms_first}
Ran = tuple[Plan, Outcome, list[float]]


def dataset(source: Graph) -> Dataset:
    """Two kinds of samples, which any backbone tells apart."""
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=24)
    x = rng.normal(size=(24, *source.meta["input"].user_shape)) + 1.5 * y[:, None, None, None]
    return Dataset(x[:16].astype(np.float32), y[:16], x[16:].astype(np.float32), y[16:])


def run(net: str, board_id: str, folder: Path, sanitize: bool = False, **changes: Any) -> Ran:
    board, source = load(board_id), NETS[net]()
    source = calibrated(source, seen=dataset(source).x_train)
    plan = make_plan(source, SETTINGS.with_changes(**changes), board)
    sources = generate(plan)
    image = build_image(sources.files, board, folder, kernel_sources=sources.kernels, sanitize=sanitize)
    if not sanitize:
        assert verify_image(plan, image) == ()
    losses: list[float] = []
    with open_device(image) as device:
        link = Link(device)
        session = Session(
            plan, link, dataset(source), lambda e: losses.append(e.values["loss"]) if e.kind == "step" else None
        )
        outcome = session.run()
        link.close()
    return plan, outcome, losses


@pytest.fixture(scope="module")
def host_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    return {net: run(net, "host", tmp_path_factory.mktemp(net)) for net in NETS}


@pytest.mark.parametrize("net", NETS)
def test_the_head_learns_behind_an_int8_prefix(net: str, host_runs: dict[str, Ran]) -> None:
    plan, outcome, losses = host_runs[net]
    assert plan.graph.tensors[plan.graph.inputs[0]].format is S8
    assert plan.samples == "s8"
    assert outcome.loss_error is not None
    assert outcome.loss_error < 1e-4
    assert np.mean(losses[-4:]) < 0.7 * np.mean(losses[:4])


@pytest.mark.parametrize("board", ["qemu-m4", "qemu-rv32"])
@pytest.mark.parametrize("net", NETS)
def test_boards_train_like_the_host(net: str, board: str, tmp_path: Path, host_runs: dict[str, Ran]) -> None:
    emulator = load(board).emulator
    if emulator is None or not shutil.which(emulator.program):
        pytest.skip(f"no emulator for {board}")
    plan, outcome, losses = run(net, board, tmp_path)
    _, on_host, expected = host_runs[net]
    np.testing.assert_allclose(losses, expected, rtol=1e-4, atol=1e-6)
    for name, weight in outcome.weights.items():
        np.testing.assert_allclose(weight, on_host.weights[name], rtol=1e-4, atol=1e-5)
    assert outcome.output_error is not None
    assert outcome.output_error < 1e-5
    assert 0 < outcome.stack_used < plan.board.stack


def test_the_watch_learns_its_wearer_with_its_last_layer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As well as behind a float backbone (0.949, mean of ten seeds), in a third of the RAM and of the flash."""
    flags = ("--train", "last", "--lr", "0.005", "--epochs", "15", "--schedule", "cosine", "--store", "47")
    said = edgelearn(capsys, "run", MODEL, "--data", DATA, *flags, "--int8-prefix", "--out", tmp_path, "--json")
    assert said.code == 0, said.err
    done = json.loads(said.out.splitlines()[-1])
    found = done["int8_prefix"]
    assert done["board"] == "qemu-m4"
    assert found["f32"]["accuracy"] == pytest.approx(0.881, abs=0.001)
    assert found["int8"]["accuracy"] == done["before"]["accuracy"] == pytest.approx(0.881, abs=0.02)
    assert done["after"]["accuracy"] >= 0.93
    assert done["exported"]["accuracy"] == pytest.approx(done["after"]["accuracy"], abs=0.015)
    assert done["ram"]["total"] == found["ram"]["int8"] < 0.3 * found["ram"]["f32"]
    assert found["flash"]["int8"] < 0.3 * found["flash"]["f32"]


def test_rounding_on_the_board_is_the_hosts_rounding(tmp_path: Path, host_runs: dict[str, Ran]) -> None:
    """Samples that travel as float32 are rounded there: the same losses, bit by bit."""
    plan, _, losses = run("wide", "host", tmp_path, samples="f32")
    assert plan.samples == "f32"
    assert losses == host_runs["wide"][2]


def test_the_whole_run_is_clean_under_the_sanitizers(tmp_path: Path) -> None:
    _, outcome, _ = run("wide", "host", tmp_path, sanitize=True)
    assert outcome.after is not None


def test_what_was_measured_before_is_what_the_board_finds(host_runs: dict[str, Ran]) -> None:
    plan, outcome, _ = host_runs["wide"]
    cut = measure_cut(plan, dataset(plan.imported))
    assert isinstance(cut, Cut)
    assert outcome.before is not None
    assert cut.int8.loss == pytest.approx(outcome.before.loss, rel=1e-5)
    assert cut.int8.accuracy == outcome.before.accuracy
    assert (cut.layers, cut.frozen) == (10, 10)
    assert all(ratio > 20 for ratio in cut.snr.values())
    assert cut.ram[0] < cut.ram[1]
    assert cut.flash[0] < cut.flash[1]
