"""Samples that the board takes itself: a sensor with statistics of its own, and a set in flash."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgelearn.boards import load
from edgelearn.build import build_image
from edgelearn.build.image import Image
from edgelearn.build.verify import verify_image
from edgelearn.codegen import baked, generate
from edgelearn.config import TrainConfig
from edgelearn.device import open_device
from edgelearn.errors import BoardFailed, DeviceError, InputError, UsageError
from edgelearn.importers import load as load_model
from edgelearn.link import Link, Own
from edgelearn.ops.optimizers import Optim
from edgelearn.plan import Plan, make_plan
from edgelearn.reference import Reference
from edgelearn.session import Event, SensorSession, Session, encode, hyper_of, trained_tensors
from edgelearn.testing import Workshop
from edgelearn.wire import Feature, Op, Source
from tests.qemu.test_session import dataset
from tests.support.cli import DATA, MODEL, ROOT, WEARABLE, edgelearn
from tests.support.nets import NETS

SENSOR = (WEARABLE / "sensor.c").read_text()
# A button that nobody presses, and a sensor that has something every other time.
SHY = """
#include "el/port.h"
static uint32_t calls;
int el_port_sample(float *to, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        to[i] = (float)(i % 5u) + (float)calls;
    }
    return (int)(calls++ % 2u);
}
int el_port_label(uint32_t *label)
{
    (void)label;
    return 0;
}
"""


def built(board: str, config: TrainConfig, folder: Path, net: str = "", **more: str) -> tuple[Plan, Image]:
    graph = NETS[net]() if net else load_model(WEARABLE / "wearable.onnx")
    plan = make_plan(graph, config, load(board))
    sources = generate(plan)
    image = build_image({**sources.files, **more}, plan.board, folder, kernel_sources=sources.kernels)
    verify_image(plan, image)
    return plan, image


CONFIG = TrainConfig(lr=0.05, momentum=0.5, sensor=True, standardise=True, save_every=10, batch=2)


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> list[np.ndarray]:
    """What the sensor gives, as it is."""
    raw = CONFIG.with_changes(standardise=False)
    _, image = built("host", raw, tmp_path_factory.mktemp("raw"), **{"sensor.c": SENSOR})
    found = []
    with open_device(image) as device:
        link = Link(device)
        link.hello()
        for _ in range(12):
            link.take()
            found.append(np.frombuffer(link.read("input"), "<f4").reshape(-1, 6))
    return found


@pytest.mark.parametrize("board", ["qemu-m4", "qemu-rv32"])
def test_a_sensor_trains_the_model_and_its_statistics_outlive_the_board(
    board: str, tmp_path: Path, windows: list[np.ndarray]
) -> None:
    """The board's standardised windows, labels, losses and statistics against numpy's of the same raw windows."""
    plan, image = built(board, CONFIG, tmp_path, **{"sensor.c": SENSOR})
    hyper = hyper_of(plan.config, 1000)
    shape = plan.graph.tensors[plan.graph.inputs[0]].shape
    reference = Reference(plan.graph, np.float32, lambda step: Optim(lr=hyper.lr_at(step), momentum=0.5))
    store = tmp_path / "flash.bin"
    with open_device(image, store=store) as device:
        link = Link(device)
        assert Feature(link.hello(plan.hash).features) == Feature.HAS_STORE | Feature.HAS_SENSOR
        link.configure(hyper)
        for k in range(10):
            result = link.sense(Op.TRAIN)
            seen = np.concatenate(windows[: k + 1]).astype(np.float64)
            truth = (windows[k] - seen.mean(0)) / seen.std(0)
            loss = reference.train(truth.astype(np.float32).reshape(shape), (k + 1) % 7).loss
            np.testing.assert_allclose(result.loss, loss, rtol=1e-3)
        before = link.read("kept", 0, plan.kept_bytes)
        mean, variance = _statistics(before)
        np.testing.assert_allclose(mean, seen.mean(0), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(variance, seen.var(0), rtol=1e-3)
        link.take()  # the next window, standardised by what was learned before it
        found = np.frombuffer(link.read("input"), "<f4").reshape(-1, 6)
        np.testing.assert_allclose(found, (windows[10] - seen.mean(0)) / seen.std(0), rtol=1e-3, atol=1e-4)
        assert int.from_bytes(link.read("target"), "little") == 11 % 7
        # Between steps: evaluation and inference, with labels by command or none; nothing is learned from them.
        assert link.sense(Op.EVAL, 3).samples == 10
        assert link.sense(Op.INFER).samples == 10
        assert link.read("kept", 0, plan.kept_bytes) == before
        with pytest.raises(DeviceError, match="bad argument"):
            link.sense(Op.TRAIN, 7)
        link.save()
        weights = link.read("params")
    with open_device(image, store=store) as device:
        link = Link(device)
        assert Feature.IS_RESTORED in Feature(link.hello(plan.hash).features)
        assert link.read("kept", 0, plan.kept_bytes) == before
        assert link.read("params") == weights


def _statistics(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    numbers = np.frombuffer(data[4:], "<f4")
    return numbers[: len(numbers) // 2], numbers[len(numbers) // 2 :]


def test_the_device_learns_the_movements_by_itself(tmp_path: Path) -> None:
    """Evaluation on the device before and after, from nothing but its own sensor."""
    plan, image = built("host", CONFIG.with_changes(lr=0.01, batch=1), tmp_path, **{"sensor.c": SENSOR})
    with open_device(image) as device:
        link = Link(device)
        link.hello(plan.hash)
        link.configure(hyper_of(plan.config, 1000))
        own = [Own(Source.SENSOR)] * 140
        before = np.mean([r.correct for r in link.evaluate_many(own)])
        list(link.train_many(own * 3))
        after = np.mean([r.correct for r in link.evaluate_many(own)])
    assert before < 0.4
    assert after > 0.95


def test_what_is_looked_at_before_anything_was_learned_is_standardised_by_itself(
    tmp_path: Path, windows: list[np.ndarray]
) -> None:
    plan, image = built("host", CONFIG, tmp_path, **{"sensor.c": SENSOR})
    with open_device(image) as device:
        link = Link(device)
        link.hello(plan.hash)
        for window in windows[:2]:
            link.take()
            found = np.frombuffer(link.read("input"), "<f4").reshape(-1, 6)
            truth = (window - window.mean(0, np.float64)) / window.std(0, np.float64)
            np.testing.assert_allclose(found, truth, rtol=1e-3, atol=1e-4)
            assert link.read("kept", 0, 4) == bytes(4), "nothing was learned"


def test_run_trains_on_what_the_sensor_gives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ("--sensor", WEARABLE / "sensor.c", "--standardise", "--lr", 0.01, "--board", "qemu-m4", "--json")
    out = tmp_path / "out"
    done = edgelearn(capsys, "run", MODEL, *flags, "--from-sensor", 60, "--held-out", 21, "--out", out)
    assert done.code == 0, done.err
    events = [json.loads(line) for line in done.out.splitlines()]
    last = events[-1]
    assert last["before"]["accuracy"] < 0.4
    assert last["after"]["accuracy"] > 0.95
    assert (last["samples"], last["ram"]["store"]) == (60, 0)
    assert [e["what"] for e in events if e["event"] == "checked"] == ["losses", "predictions"]
    losses = [e["loss"] for e in events if e["event"] == "step"]
    assert len(losses) == 60
    # What came home is what learned: the board was set back after the steps that were checked.
    plan, image = built("host", TrainConfig(), tmp_path / "again")
    with np.load(out / "trained.npz") as trained, open_device(image) as device:
        link = Link(device)
        link.hello(plan.hash)
        start = trained_tensors(plan, link.read("params"))
        assert all(not np.array_equal(start[name], trained[name]) for name in trained.files)


def test_labels_from_lines_a_run_that_goes_on_and_the_best_of_its_saves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ("--sensor", WEARABLE / "sensor.c", "--standardise", "--save-every", 5, "--board", "host", "--json")
    flags = (*flags, "--from-sensor", 20, "--labels", "stdin", "--samples", "f16", "--out", tmp_path / "out")

    def run(lines: str, *more: str) -> list[dict[str, Any]]:
        monkeypatch.setattr("sys.stdin", io.StringIO(lines))
        done = edgelearn(capsys, "run", MODEL, *flags, *more)
        assert done.code == 0, done.err
        return [json.loads(line) for line in done.out.splitlines()]

    events = run("3 6\n?\n7\n4\nq\n5\n")
    assert [e["event"] for e in events if e["event"] not in ("step", "checked")] == [
        *("connected", "fresh", "inferred", "saved", "done")
    ]
    assert (events[-1]["samples"], events[-1]["before"]) == (7, None)
    best = next(e for e in events if e["event"] == "saved")["best_step"]
    assert best == 5, "seven samples, of which the last is of another class"
    events = run("3 20\n", "--restore-best")
    assert next(e for e in events if e["event"] == "restored")["samples"] == 5
    assert events[-1]["samples"] == 20, "those before are counted"
    done = edgelearn(capsys, "run", MODEL, *flags, "--restore-best", "--fresh")
    assert (done.code, "--fresh forgets" in done.err) == (2, True)


def test_a_run_without_a_sensor_in_the_program(tmp_path: Path) -> None:
    plan, image = built("host", TrainConfig(), tmp_path, net="residual_net")
    with open_device(image) as device, pytest.raises(DeviceError, match="has no sensor"):
        SensorSession(plan, Link(device), 5, lambda event: None).run()


def test_a_sensor_may_have_nothing_and_a_label_may_be_missing(tmp_path: Path) -> None:
    plan, image = built("host", TrainConfig(sensor=True), tmp_path, net="residual_net", **{"sensor.c": SHY})
    with open_device(image) as device:
        link = Link(device)
        link.hello(plan.hash)
        with pytest.raises(BoardFailed):
            link.sense(Op.TRAIN, 1)
        assert link.sense(Op.TRAIN, 1).samples == 1
        with pytest.raises(BoardFailed):
            link.sense(Op.TRAIN)
        with pytest.raises(BoardFailed, match="could not do SAMPLE"):  # a sample, and nobody says what it is
            link.sense(Op.TRAIN)
        with pytest.raises(DeviceError, match="bad argument"):
            list(link.run_many(Op.EVAL, [Own(Source.SET, 0)]))
        assert link.status().samples == 1


def test_a_sensor_that_can_not_be(tmp_path: Path) -> None:
    graph = NETS["residual_net"]()
    with pytest.raises(InputError, match="gives floats"):
        make_plan(graph, TrainConfig(sensor=True, precision="fp16"), load("host"))
    with pytest.raises(InputError, match="no vector to learn"):
        make_plan(graph, TrainConfig(sensor=True, loss="mse"), load("host"))
    with pytest.raises(InputError, match="samples of a sensor"):
        make_plan(graph, TrainConfig(standardise=True), load("host"))


@pytest.mark.parametrize(("board", "samples"), [("qemu-m4", "f16"), ("qemu-rv32", "f32")])
def test_a_set_in_flash_trains_like_one_that_travels(board: str, samples: str, tmp_path: Path) -> None:
    data, config = dataset("residual_net", count=5), TrainConfig(lr=0.02, epochs=2, samples=samples)
    plan = make_plan(NETS["residual_net"](), config.with_changes(bake=10), load(board))
    pairs = (*encode(plan, data.x_train, data.y_train).wire, *encode(plan, data.x_test, data.y_test).wire)
    found = {}
    own = (config.with_changes(bake=10), baked([sample + target for sample, target in pairs]))
    for name, (chosen, more) in {"sent": (config, {}), "baked": own}.items():
        plan, image = built(board, chosen, tmp_path / name, net="residual_net", **more)
        events: list[Event] = []
        with open_device(image) as device:
            session = Session(plan, Link(device), data, events.append)
            session.run()
        found[name] = [(e.kind, e.values.get("loss")) for e in events if e.kind in ("step", "evaluated")]
    assert found["baked"] == found["sent"]
    assert plan.set_used == sum(len(a + b) for a, b in pairs)


def test_run_and_build_with_samples_of_the_boards_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    board = ("--board", "host", "--train", "last")
    done = edgelearn(capsys, "run", MODEL, "--bake", DATA, *board, "--epochs", 1, "--out", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out.splitlines()[-1])["after"]["accuracy"] > 0.8
    done = edgelearn(capsys, "build", MODEL, *board, "--sensor", tmp_path / "none.c", "--out", tmp_path / "build")
    assert done.code == 1, done.err
    assert "sensor's C file can't be read" in done.err
    sensor = ("--sensor", WEARABLE / "sensor.c", "--standardise", "--save-every", 20)
    done = edgelearn(capsys, "build", MODEL, *board, *sensor, "--out", tmp_path / "build", "--json")
    assert done.code == 0, done.err


def test_the_documented_program_learns_without_a_host(tmp_path: Path) -> None:
    """docs/SENSORS.md's main.c, with a button that is pressed two times of three."""
    text = (ROOT / "docs/SENSORS.md").read_text()
    program = next(block for block in text.split("```c\n")[1:] if "int main" in block).split("```")[0]
    button = "    static uint32_t asked;\n    *label = movement;\n    return asked++ % 3u != 0;"
    pressed = SENSOR.replace("    *label = movement;\n    return 1;", button)
    assert button in pressed
    config = TrainConfig(lr=0.01, sensor=True, standardise=True, save_every=20)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.c").write_text(program)
    plan, image = built("host", config, tmp_path, **{"sensor.c": pressed})
    store = tmp_path / "flash.bin"
    with open_device(image, store=store) as device:
        shown = b""
        while len(shown) < 400:
            shown += device.read(5.0)
    assert set(shown) <= set(range(7))
    (tmp_path / "src" / "main.c").unlink()
    plan, image = built("host", config, tmp_path, **{"sensor.c": pressed})  # the same weights, with a host
    with open_device(image, store=store) as device:
        link = Link(device)
        hello = link.hello(plan.hash)
        assert hello.saved_step >= 20
        assert link.status().step == hello.saved_step
        results = list(link.evaluate_many([Own(Source.SENSOR, (k + 1) % 7) for k in range(70)]))
        assert np.mean([r.correct for r in results]) > 0.95


def test_a_test_suite_has_a_board_with_a_sensor(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path / "images", "host")
    settings = {"sensor": WEARABLE / "sensor.c", "standardise": True, "lr": 0.01}
    with workshop.board(MODEL, **settings) as board:
        before = board.sense(14, learn=False)
        assert board.status().samples == 0
        board.sense(70)
        after = board.sense(14, learn=False)
        assert board.status().samples == 70
        assert np.mean([r.correct for r in before]) < 0.5 < 0.9 < np.mean([r.correct for r in after])
        with pytest.raises(DeviceError, match="bad argument"):
            board.sense(1, label=7)
    with pytest.raises(UsageError, match="sensor is a C file"):
        workshop.board(MODEL, sensor=True)
