"""Latent replay on boards: the bytes of the plan, the steps of the reference, one memory whatever the wire does."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgelearn.boards import load
from edgelearn.build import build_image
from edgelearn.build.verify import verify_image
from edgelearn.codegen import generate
from edgelearn.config import TrainConfig
from edgelearn.data import Dataset, load_dataset
from edgelearn.device import open_device
from edgelearn.errors import DeviceError, NumbersError
from edgelearn.graph import Quant
from edgelearn.importers import load as load_model
from edgelearn.link import Link
from edgelearn.plan import make_plan
from edgelearn.replay import Reservoir
from edgelearn.session import Session, encode, hyper_of
from edgelearn.wire import Op
from tests.qemu.test_session import dataset, run
from tests.qemu.test_transport import SPOILED
from tests.support.cli import MODEL, WEARABLE, edgelearn
from tests.support.nets import NETS
from tests.support.noise import NoisyDevice
from tools.measure_replay import Run, latents_of

EXAMPLES = Path(__file__).parents[2] / "examples/digits"
CONFIG = TrainConfig(train="last", lr=0.05, replay=12, replay_ratio=2, epochs=2)


def phased(net: str = "residual_net", count: int = 40) -> Dataset:
    """Classes 0 and 1 are known; the others come one after another."""
    data = dataset(net, count=count)
    return replace(data, phase_train=np.where(data.y_train < 2, -1, data.y_train - 2))


SETTINGS = {
    "s8": {},
    "f16": {"latents": "f16", "momentum": 0.9, "batch": 3},
    "two tensors in f32": {"latents": "f32", "train": "conv5,dense11", "store": 7},
}


@pytest.mark.parametrize(
    ("board", "settings"),
    [("qemu-m4", "s8"), ("qemu-rv32", "f16"), ("host", "two tensors in f32")],
)
def test_a_run_in_phases_is_followed_and_its_memory_checked(board: str, settings: str, tmp_path: Path) -> None:
    """The session compares losses, kept latents, and what the whole run left in the memory's head; here the counts."""
    config, data = CONFIG.with_changes(**SETTINGS[settings]), phased()
    outcome, events = run(board, "residual_net", config, tmp_path, data)
    trained = config.epochs * len(data.trained)
    assert outcome.samples == trained
    assert outcome.steps >= -(-3 * trained // config.batch)
    checks = {e.values["what"]: e.values for e in events if e.kind == "checked"}
    assert checks["losses"]["error"] < 1e-5
    assert checks["kept latents"]["error"] <= checks["kept latents"]["tolerance"]
    assert [e.values["when"] for e in events if e.kind == "evaluated"] == ["before", "before phase 1", "after"]
    assert set(outcome.after.by_phase) == {"known", "phase 0", "phase 1"}


def test_the_memory_takes_the_planned_bytes(tmp_path: Path) -> None:
    plan = make_plan(NETS["residual_net"](), CONFIG.with_changes(train="conv5,dense11", replay=50), load("qemu-m7"))
    sources = generate(plan)
    image = build_image(sources.files, plan.board, tmp_path, kernel_sources=sources.kernels)
    assert verify_image(plan, image) == ()
    latent = -(-plan.graph.tensors["relu4"].count // 4) * 4
    assert plan.replay_used == 16 + 4 * 8 + 2 * 8 + 50 * (2 * latent + 4)
    found = re.search(r"^\.el_replay\s+0x[0-9a-f]+\s+0x([0-9a-f]+)", (tmp_path / "image.map").read_text(), re.MULTILINE)
    assert found
    assert int(found[1], 16) == image.ram.replay == plan.replay_bytes


def test_a_memory_that_is_too_large_for_the_main_one_lies_in_another(tmp_path: Path) -> None:
    """20,000 latents beside 512 KB of tightly coupled memory."""
    plan = make_plan(load_model(MODEL), TrainConfig(train="last", replay=20_000), load("qemu-m55"))
    assert plan.places.arrays["replay"] == "sram"
    assert max(plan.over()) <= 0
    sources = generate(plan)
    image = build_image(sources.files, plan.board, tmp_path, kernel_sources=sources.kernels)
    assert verify_image(plan, image) == ()
    assert image.ram.replay == plan.replay_bytes == 16 + 7 * 8 + 8 + 20_000 * (32 + 4)


def test_noise_offers_nothing_twice(tmp_path: Path) -> None:
    """Frames are lost, spoiled and repeated; memory and weights come out as they do on a clean line."""
    plan = make_plan(NETS["mlp"](), CONFIG.with_changes(replay=9), load("qemu-m4"))
    sources = generate(plan)
    image = build_image(sources.files, plan.board, tmp_path, kernel_sources=sources.kernels)
    data = dataset("mlp", count=60)
    samples = encode(plan, data.x_train, data.y_train)
    left = []
    for spoiled in (dict.fromkeys(SPOILED, 0.0), SPOILED):
        with open_device(image) as inner:
            device = NoisyDevice(inner, 3, **spoiled)
            link = Link(device, timeout=20)
            link.hello(plan.hash)
            link.configure(hyper_of(plan.config, 60))
            memory, quants = Reservoir(9, 5, 1), {t.name: Quant((0.02,), (3,)) for t in plan.latents.rounded}
            link.write("replay", plan.latents.pack_head(memory, quants, 2), at=0)
            list(link.run_many(Op.OFFER, samples.wire[:20]))
            kept = [r.kept for r in link.run_many(Op.LEARN, samples.wire[20:])]
            left.append((link.read("replay"), link.read("params"), kept))
            device.quiet()
            status = link.status()
            assert (status.samples, status.step, status.replay_kept, status.replayed) == (40, 120, 9, 80)
            assert (status.damaged > 0) is any(spoiled.values())
    assert left[0] == left[1]


def test_a_memory_that_is_written_back_goes_on_where_it_was(tmp_path: Path) -> None:
    plan = make_plan(NETS["mlp"](), CONFIG.with_changes(replay=9, latents="f32"), load("host"))
    sources = generate(plan)
    image = build_image(sources.files, plan.board, tmp_path, kernel_sources=sources.kernels)
    data = dataset("mlp", count=40)
    wire = encode(plan, data.x_train, data.y_train).wire
    with open_device(image) as device:
        link = Link(device)
        link.hello(plan.hash)
        link.configure(hyper_of(plan.config, 40))
        link.write("replay", plan.latents.pack_head(Reservoir(9, 5, 4), {}, 2), at=0)
        list(link.run_many(Op.LEARN, wire[:20]))
        saved, status = {name: link.read(name) for name in ("params", "replay")}, link.status()
        first = [r.loss for r in link.run_many(Op.LEARN, wire[20:])]
        ended = link.read("replay")
        for name, blob in saved.items():
            link.write(name, blob)
        link.restore_counters(status)
        assert [r.loss for r in link.run_many(Op.LEARN, wire[20:])] == first
        assert link.read("replay") == ended


def test_a_board_without_a_memory_refuses(tmp_path: Path) -> None:
    plan = make_plan(NETS["mlp"](), TrainConfig(train="last"), load("host"))
    sources = generate(plan)
    image = build_image(sources.files, plan.board, tmp_path, kernel_sources=sources.kernels)
    data = dataset("mlp")
    wire = encode(plan, data.x_train, data.y_train).wire
    for op in (Op.OFFER, Op.LEARN):
        with open_device(image) as device:
            link = Link(device)
            assert link.hello(plan.hash).replay_bytes == 0
            with pytest.raises(DeviceError, match="bad argument"):
                list(link.run_many(op, wire[:1]))


def test_a_board_that_keeps_other_samples_is_caught(tmp_path: Path) -> None:
    plan = make_plan(NETS["mlp"](), CONFIG, load("host"))
    sources = generate(plan)
    image = build_image(sources.files, plan.board, tmp_path, kernel_sources=sources.kernels)
    with open_device(image) as device:
        session = Session(plan, Link(device), dataset("mlp", count=30), lambda event: None)
        assert session.rehearsal is not None
        session._connect()
        session._remember()
        session.rehearsal.reservoir.seen[2] += 1
        with pytest.raises(NumbersError, match="holds other samples"):
            session._train()


def test_a_run_with_replay_is_clean_under_the_sanitizers(tmp_path: Path) -> None:
    outcome, _ = run("host", "mlp", CONFIG, tmp_path, phased("mlp", 20), sanitize=True)
    assert outcome.after is not None


def test_new_digits_drive_out_old_ones_unless_their_latents_are_replayed() -> None:
    """docs/REPLAY.md has the figures of the whole example; here its direction, with room for chance.

    A native process gives the latents of 300 handwritten digits to learn, 0 to 4 before 5 to 9, and 100 held out; the
    head takes the board's steps in numpy.
    """
    graph = load_model(EXAMPLES / "resnet8.tflite")
    data = load_dataset(EXAMPLES / "digits.npz", graph, "cross-entropy")
    x, y = (np.concatenate([a[:300], b[:100]]) for a, b in ((data.x_train, data.x_test), (data.y_train, data.y_test)))
    config = TrainConfig(train="last", lr=0.1, epochs=3, replay=400, latents="f32")
    plan = make_plan(graph, config, load("host"))
    assert plan.replay_used == 16 + 10 * 8 + 400 * (64 + 4)
    latents = latents_of(plan, encode(plan, x, y))
    late = y >= 5
    for slots in (0, 60):
        changed = replace(plan, config=config.with_changes(replay=slots, replay_ratio=4))
        trained = Run(changed, latents[:300], y[:300], late[:300].astype(int))
        trained.train()
        right = trained.right(latents[300:], y[300:])
        assert right[late[300:]].mean() > 0.6
        old = right[~late[300:]].mean()
        assert (old > 0.5) if slots else (old < 0.1)


def test_stored_latents_train_the_same_as_samples(tmp_path: Path) -> None:
    """In f32 by the same bits; some samples are stored, the others travel."""
    data = dataset("residual_net", count=12)
    config = TrainConfig(train="conv8,dense11", lr=0.05, momentum=0.9, batch=3, epochs=3, latents="f32")
    found = []
    for changes in ({}, {"store": 8, "store_latents": True}):
        outcome, _ = run("qemu-m4", "residual_net", config.with_changes(**changes), tmp_path, data)
        found.append({name: w.tobytes() for name, w in outcome.weights.items()})
    assert found[0] == found[1]


@pytest.mark.parametrize("changes", [{"latents": "s8"}, {"latents": "f16", "replay": 9}], ids=["s8", "f16-and-replay"])
def test_stored_latents_that_are_rounded_are_followed(changes: dict[str, object], tmp_path: Path) -> None:
    config = TrainConfig(train="last", lr=0.05, epochs=2, store=30, store_latents=True, replay_ratio=2, **changes)
    outcome, events = run("host", "residual_net", config, tmp_path, phased())
    assert outcome.loss_error < 1e-5
    assert sum(e.values.get("what") == "sending samples to keep" for e in events) > 10


def test_a_store_of_samples_keeps_no_latents(tmp_path: Path) -> None:
    plan = make_plan(NETS["mlp"](), TrainConfig(train="last", store=3), load("host"))
    sources = generate(plan)
    image = build_image(sources.files, plan.board, tmp_path, kernel_sources=sources.kernels)
    data = dataset("mlp")
    sample, target = encode(plan, data.x_train, data.y_train).wire[0]
    with open_device(image) as device:
        link = Link(device)
        link.hello(plan.hash)
        with pytest.raises(DeviceError, match="bad argument"):
            link.keep_latents(0, sample, target)


def test_a_run_says_what_became_of_old_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arrays = dict(np.load(WEARABLE / "person9.npz"))
    np.savez("phases.npz", **arrays, phase_train=np.where(arrays["y_train"] < 4, -1, arrays["y_train"] // 6))
    settings = ("--train", "last", "--lr", "0.05", "--epochs", "2", "--replay", "14", "--store", "9", "--store-latents")
    said = edgelearn(capsys, "run", MODEL, "--data", "phases.npz", "--board", "host", "--out", "out", *settings)
    assert said.code == 0, said.err
    after = json.loads((tmp_path / "out/summary.json").read_text())["after"]
    assert list(after["by_phase"]) == ["known", "phase 0", "phase 1"]
    assert len(after["by_class"]) == 7
    rows = [line for line in said.out.splitlines() if line.startswith("accuracy, ")]
    assert len(rows) == 3
    for row, (phase, share) in zip(rows, after["by_phase"].items(), strict=True):
        assert re.fullmatch(rf"accuracy, {phase} +\d\.\d{{3}} +{share:.3f} *", row)
    assert "accuracy, phase 1" in (tmp_path / "out/report.html").read_text()
    assert "evaluated before phase 1" in said.err
    assert "checked kept latents against the reference" in said.err
