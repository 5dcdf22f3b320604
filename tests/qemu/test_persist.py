"""Weights that outlive the board: a run that is killed in the middle goes on bit by bit, with every kind of store."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
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
from edgelearn.errors import BoardFailed, DeviceError
from edgelearn.link import Link
from edgelearn.plan import Plan, make_plan
from edgelearn.session import Event, Session, hyper_of
from edgelearn.wire import Command, Feature
from tests.qemu.images import image_of
from tests.qemu.test_session import dataset
from tests.support.nets import NETS

# A store that QEMU models, RAM with a file behind it, and a file.
BOARDS = ["qemu-rv32", "qemu-m4", "host"]
ADAM = TrainConfig(optimizer="adam", lr=0.01, batch=2, epochs=3, clip_norm=1.0, save_every=2)
CONFIGS = {
    "adam": (ADAM, 7),
    "replay": (TrainConfig(train="last", lr=0.05, momentum=0.9, replay=8, replay_ratio=2, epochs=2, save_every=4), 9),
    "fp16": (ADAM.with_changes(precision="fp16", store=4), 7),
}


def built(board_id: str, config: TrainConfig, folder: Path, net: str = "residual_net") -> tuple[Plan, Image]:
    plan = make_plan(NETS[net](), config, load(board_id))
    sources = generate(plan)
    image = build_image(sources.files, plan.board, folder, kernel_sources=sources.kernels)
    assert board_id == "host" or verify_image(plan, image) == ()
    return plan, image


UNDER_WAY = 4  # samples that a board may have trained when the host hears of one


class Cut(Exception):
    """The power is gone."""


def run(
    plan: Plan, image: Image, data: Dataset, store: Path, *, samples: int = 0, restore: bool | None = None
) -> tuple[Session, list[Event]]:
    """A session on a board of its own, killed after so many samples, without a word to it."""
    events: list[Event] = []

    def on_event(event: Event) -> None:
        events.append(event)
        if samples and event.kind == "step" and event.values["samples"] >= samples:
            raise Cut

    device = open_device(image, store=store)
    session = Session(plan, Link(device), data, on_event, restore=restore)
    with device, contextlib.suppress(Cut):
        session.run()
    return session, events


def weights(session: Session) -> bytes:
    return b"".join(session.outcome.weights[name].tobytes() for name in sorted(session.outcome.weights))


@contextlib.contextmanager
def attached(plan: Plan, image: Image, store: Path) -> Iterator[Link]:
    with open_device(image, store=store) as device:
        link = Link(device)
        link.hello(plan.hash)
        yield link


@pytest.mark.parametrize(
    ("board", "name"),
    [*((board, "adam") for board in [*BOARDS, "qemu-m55"]), *(("host", n) for n in list(CONFIGS)[1:])],
)
def test_a_run_that_loses_power_goes_on_bit_by_bit(board: str, name: str, tmp_path: Path) -> None:
    config, cut = CONFIGS[name]
    plan, image = built(board, config, tmp_path)
    data = dataset("residual_net", count=7)
    whole, _ = run(plan, image, data, tmp_path / "whole.bin")
    _, before = run(plan, image, data, tmp_path / "cut.bin", samples=cut)
    assert [e.values["samples"] for e in before if e.kind == "step"][-1] == cut
    resumed, events = run(plan, image, data, tmp_path / "cut.bin", restore=True)
    (found,) = [e.values for e in events if e.kind == "restored"]
    assert 0 < found["samples"] <= cut + UNDER_WAY
    assert found["step"] % config.save_every == 0
    assert next(e.values["samples"] for e in events if e.kind == "step") == found["samples"] + 1
    assert resumed.outcome.samples == whole.outcome.samples
    assert weights(resumed) == weights(whole)


def test_best_latest_damaged_foreign_and_forgotten(tmp_path: Path) -> None:
    """What the board says of its store, and what comes back from it."""
    plan, image = built("qemu-rv32", ADAM, tmp_path)
    data, store = dataset("residual_net", count=6), tmp_path / "flash.bin"
    _, events = run(plan, image, data, store)
    saved = next(e.values for e in events if e.kind == "saved")
    with attached(plan, image, store) as link:
        assert Feature(link.info.features) == Feature.HAS_STORE | Feature.IS_RESTORED
        latest = link.read("params")
        status = link.status()
        assert (status.saved_step, status.best_step, status.saves) == (9, 9, saved["saves"])
        link.save(status.best_score / 2)  # the best so far, whatever comes
        link.reset()
        link.save(1e3)
        assert link.status().best_step == 9
        assert link.read("params") != latest
        link.restore("best")
        assert link.read("params") == latest
        assert link.status().step == 9
        link.restore()
        assert link.status().step == 0
        link.restore("best")
        link.save(0.0)
    place = _latest(store, plan)
    with store.open("r+b") as file:  # a cell of the latest save that lost what it held
        file.seek(place + 128 + 92 + 5)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 4]))
    with attached(plan, image, store) as link:
        assert Feature(link.info.features) == Feature.HAS_STORE | Feature.IS_RESTORED | Feature.WAS_DAMAGED
        assert link.info.saved_step == 0  # the one before was made after a reset
    other, its_image = built("qemu-rv32", ADAM.with_changes(lr=0.5), tmp_path / "other")
    _, events = run(other, its_image, data, store)
    assert next(e.values for e in events if e.kind == "fresh")["other_plan"]
    store = tmp_path / "other.bin"
    run(other, its_image, data, store)
    with pytest.raises(DeviceError, match="nothing to restore: its flash holds another plan's weights"):
        run(plan, image, data, store, restore=True)
    _, events = run(other, its_image, data, store, samples=3, restore=False)
    assert next(e.values for e in events if e.kind == "fresh")["forgotten"]
    with attached(other, its_image, store) as link:
        link.forget()
        assert link.status().saved_step == 0
        with pytest.raises(BoardFailed, match="could not restore the best save"):
            link.restore("best")


def _latest(store: Path, plan: Plan) -> int:
    """Where in the store's file the latest save begins."""
    assert plan.saving is not None
    size = plan.saving.slot_pages * plan.saving.store.page
    found = []
    with store.open("rb") as file:
        for slot in range(plan.saving.slots):
            file.seek(slot * size)
            magic, _, _, sequence = struct.unpack("<II8sI", file.read(20))
            if magic == 0x53574C45:
                found.append((sequence, slot * size))
    return max(found)[1]


def test_saves_are_not_counted_as_training(tmp_path: Path) -> None:
    """The ticks of a step that was saved are those of one that was not."""
    plan, image = built("qemu-m4", ADAM.with_changes(batch=1, save_every=2), tmp_path)
    data = dataset("residual_net", count=6)
    with open_device(image, store=tmp_path / "flash.bin", count_instructions=True) as device:
        link = Link(device)
        link.hello(plan.hash)
        link.configure(hyper_of(plan.config, 6))
        session = Session(plan, link, data, lambda event: None)
        spent = [r.spent for r in link.train_many(session.train_set.wire)]
        assert link.status().saves == 3
    assert np.ptp(spent[1:]) < 0.02 * spent[1]


def test_a_program_without_a_store_refuses(tmp_path: Path) -> None:
    with open_device(image_of("qemu-m4")) as device:
        link = Link(device)
        assert link.hello().features == 0
        with pytest.raises(DeviceError, match="saves nothing"):
            link.save()
        for command, payload in ((Command.SAVE, bytes(8)), (Command.RESTORE, bytes(4)), (Command.SAMPLE, bytes(12))):
            with pytest.raises(DeviceError, match=f"refused {command.name}: bad command"):
                link._call(command, payload)
        assert link.status().saves == 0
