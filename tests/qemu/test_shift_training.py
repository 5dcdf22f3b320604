"""Shift layers that train by latents on boards: as the reference does, in the planned bytes, and back into the file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgelearn.boards import load
from edgelearn.build import build_image
from edgelearn.build.image import Image
from edgelearn.build.verify import verify_image
from edgelearn.codegen import generate
from edgelearn.config import TrainConfig
from edgelearn.data import Dataset
from edgelearn.device import open_device
from edgelearn.errors import NumbersError
from edgelearn.importers import load as load_model
from edgelearn.link import Link
from edgelearn.ops.shift import encode
from edgelearn.passes.shift_latents import latents_of
from edgelearn.plan import Plan, make_plan
from edgelearn.session import Event, Session
from edgelearn.session.follower import Follower
from edgelearn.shift import choose, files
from tests.qemu.test_persist import run, weights
from tests.support.cli import DATA, MODEL, edgelearn
from tests.support.nets import NETS
from tests.support.shifts import all_but_ends

MOMENTUM = TrainConfig(lr=0.02, momentum=0.9, batch=2, epochs=2, shift_latents="all", latent_size=0.02)


def built(board_id: str, config: TrainConfig, folder: Path) -> tuple[Plan, Image, Dataset]:
    """A net whose layers but the first and the last are shifts, and samples: five to train on, three held out."""
    source = all_but_ends(NETS["conv1d_net"]())
    plan = make_plan(source, config, load(board_id))
    sources = generate(plan)
    image = build_image(sources.files, plan.board, folder, kernel_sources=sources.kernels)
    assert board_id == "host" or verify_image(plan, image) == ()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, *source.meta["input"].user_shape)).astype(np.float32)
    y = rng.integers(source.tensors[source.outputs[0]].count, size=8)
    return plan, image, Dataset(x[:5], y[:5], x[5:], y[5:])


@pytest.mark.parametrize("board_id", ["qemu-m3", "qemu-rv32imac", "qemu-m55"])
def test_shifts_train_on_boards(board_id: str, tmp_path: Path) -> None:
    """`Session` itself holds losses, discrete weights and predictions to the reference; it raises where they differ."""
    plan, image, data = built(board_id, MOMENTUM, tmp_path)
    events: list[Event] = []
    with open_device(image) as device:
        outcome = Session(plan, Link(device), data, events.append).run()
    assert outcome.loss_error is not None
    shares = [event.values["turned"] for event in events if event.kind == "epoch"]
    assert len(shares) == 2
    assert 0 < max(shares) < 0.5
    for name in latents_of(plan.graph):
        bits, k = plan.imported.meta["shift"][name]
        assert encode(outcome.weights[name], bits, k) is not None


def test_a_weight_that_turned_by_itself_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session compares discrete weights, which losses alone may hardly show."""
    plan, image, data = built("host", MOMENTUM, tmp_path)
    take_over = Follower.take_over

    def turned(self, found):
        changed = {name: value.copy() for name, value in found.items()}
        next(changed[name] for name in latents_of(plan.graph)).flat[0] *= -1
        take_over(self, changed)
        self.left = 0  # what is off from here on is no news

    monkeypatch.setattr(Follower, "take_over", turned)
    with open_device(image) as device, pytest.raises(NumbersError, match="shifts are others than the reference's"):
        Session(plan, Link(device), data, lambda event: None).run()


def test_latents_survive_a_power_cut(tmp_path: Path) -> None:
    config = MOMENTUM.with_changes(save_every=1, epochs=3)
    plan, image, data = built("host", config, tmp_path)
    whole, _ = run(plan, image, data, tmp_path / "whole")
    run(plan, image, data, tmp_path / "store", samples=7)
    rest, events = run(plan, image, data, tmp_path / "store", restore=True)
    assert any(event.kind == "restored" and event.values["step"] for event in events)
    assert weights(rest) == weights(whole)


def test_a_watch_with_shifts_learns_its_wearer(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Convolutions are turned into the nearest powers of two and nothing else; the board makes up for that and more."""
    monkeypatch.chdir(tmp_path)
    graph = load_model(MODEL)
    nodes = choose.pick(graph, ())
    begun = choose.start(graph, nodes, 4, np.random.default_rng(0), fresh=False)
    exact = {name: choose.latents.weights_of(begun.values[name], s.k) for name, s in begun.shifted.items()}
    files.write(MODEL, graph, {**begun.values, **exact}, begun.shifted, {}, tmp_path / "watch.onnx")
    flags = ("--lr", 0.005, "--epochs", 5, "--shift-latents", "all", "--latent-size", 0.01, "--store", 47, "--json")
    said = edgelearn(capsys, "run", "watch.onnx", "--data", DATA, "--board", "qemu-m4", *flags)
    assert said.code == 0, said.err
    found = json.loads((tmp_path / "out" / "summary.json").read_text())
    print(found["before"], found["after"])
    assert found["after"]["accuracy"] > 0.95
    assert found["exported"]["accuracy"] == pytest.approx(found["after"]["accuracy"], abs=0.01)

    first, trained = load_model(tmp_path / "watch.onnx"), load_model(tmp_path / "out" / "trained.onnx")
    assert trained.meta["shift"] == first.meta["shift"]
    turned = 0
    for name, (bits, k) in trained.meta["shift"].items():
        value = np.asarray(trained.tensors[name].data)
        assert encode(value, bits, k) is not None
        turned += int((value != first.tensors[name].data).sum())
    assert turned > 0
    plan = make_plan(trained, TrainConfig(train="last"), load("host"))
    assert len(plan.graph.meta["shifted"]) == 2
