"""A watch across resets, lost ports and boards that are not what they should be, on ports that are fakes."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from edgelearn.device import attach
from edgelearn.errors import BoardSilent, DeviceError, PortLost
from edgelearn.session import Event
from edgelearn.watch import Watcher
from edgelearn.wire import Command
from tests.support.cli import edgelearn, spawn
from tests.support.fake_board import FakeBoard

Capture = pytest.CaptureFixture[str]
Make = Callable[..., FakeBoard]


@pytest.fixture
def make_board(tmp_path: Path) -> Iterator[Make]:
    made: list[FakeBoard] = []

    def make(**settings: object) -> FakeBoard:
        made.append(FakeBoard(tmp_path, **settings))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for board in made:
        board.close()


def watch(board: FakeBoard, on_event: Callable[[Event], None], count: int, **settings: object) -> None:
    settings = {"timeout": 1.0, "give_up": 8.0, **settings}
    Watcher(lambda: attach(str(board.port)), on_event, **settings).run(0.01, count)  # type: ignore[arg-type]


def test_readings_and_rates(make_board: Make) -> None:
    board, events = make_board(), []
    watch(board, events.append, 4)
    assert [e.kind for e in events] == ["connected", *["status"] * 4]
    connected, *readings = (e.to_json() for e in events)
    assert (connected["hash"], connected["port"], connected["baud"]) == ("0123456789abcdef", str(board.port), 115200)
    assert [r["samples"] for r in readings] == [10, 20, 30, 40]
    assert readings[0]["samples_per_s"] is None
    for before, after in pairwise(readings):
        assert after["samples_per_s"] == pytest.approx(10 / (after["time"] - before["time"]), rel=0.2)
    assert {Command(c).name for c in board.commands} == {"HELLO", "STATUS"}, "a watch changes nothing"


def test_a_board_without_labels_has_no_accuracy(make_board: Make) -> None:
    board, events = make_board(), []
    board.labels = False
    watch(board, events.append, 1)
    assert events[-1].values["accuracy"] is None


def test_a_reset_is_noticed_and_said(make_board: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgelearn.watch.watcher.SILENCE", 0.3)
    board, events = make_board(), []

    def on_event(event: Event) -> None:
        events.append(event)
        if event.kind == "status" and event.values["samples"] == 30:
            board.reset_state()

    watch(board, on_event, 5)
    assert [e.kind for e in events] == ["connected", *["status"] * 3, "lost", "found", *["status"] * 2]
    found = events[5].to_json()
    assert (found["reset"], found["step_before"], found["step"], found["other_plan"]) == (True, 30, 10, False)
    assert events[6].values["samples_per_s"] is None, "no rate across a reset"


def test_a_board_that_was_busy_is_not_called_reset(make_board: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgelearn.watch.watcher.SILENCE", 0.3)
    board, events = make_board(), []

    def on_event(event: Event) -> None:
        events.append(event)
        if event.kind == "status" and event.values["samples"] == 20:
            board.silent = True
        if event.kind == "lost":
            board.silent = False

    watch(board, on_event, 4)
    found = next(e for e in events if e.kind == "found")
    assert (found.values["reset"], found.values["step"]) == (False, 30)


def test_a_port_that_vanishes_and_comes_back(make_board: Make) -> None:
    board, events = make_board(), []

    def on_event(event: Event) -> None:
        events.append(event)
        if event.kind == "status" and event.values["samples"] == 20:
            board.unplug()
            threading.Timer(0.6, board.plug).start()

    watch(board, on_event, 4)
    assert [e.kind for e in events] == ["connected", "status", "status", "lost", "found", "status", "status"]
    assert events[3].values["reason"] == f"{board.port} is gone: unplugged, or the board has restarted"
    assert events[4].values["reset"] is True
    assert 0.4 < events[4].values["seconds"] < 5


def test_a_port_that_stays_away(make_board: Make) -> None:
    board = make_board()

    def on_event(event: Event) -> None:
        if event.kind == "status":
            board.unplug()

    with pytest.raises(DeviceError, match=r"the board did not come back in 0\.5 s") as caught:
        watch(board, on_event, 4, give_up=0.5)
    assert caught.value.details == (f"there is no port {board.port}",)


def test_another_image_after_a_reset(make_board: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said where nobody asked for a plan, an error where somebody did."""
    monkeypatch.setattr("edgelearn.watch.watcher.SILENCE", 0.3)
    for plan in (None, "0123456789abcdef"):
        board, events = make_board(), []

        def on_event(event: Event, board: FakeBoard = board, events: list[Event] = events) -> None:
            events.append(event)
            if len(events) == 3:
                board.plan = bytes(8)
                board.reset_state()

        if plan is None:
            watch(board, on_event, 3)
            found = next(e for e in events if e.kind == "found")
            assert (found.values["other_plan"], found.values["plan"]) == (True, "0" * 16)
        else:
            with pytest.raises(DeviceError, match=f"is stale: it was built from plan {'0' * 16}, not {plan}"):
                watch(board, on_event, 3, plan=plan)


def test_the_right_rate_is_found(make_board: Make) -> None:
    board = make_board(baud=921_600)
    with pytest.raises(BoardSilent) as caught:
        watch(board, lambda event: None, 1, timeout=0.3)
    assert caught.value.message == f"{board.port} does not answer at 115,200 baud, but at 921,600 it does"
    assert caught.value.hint == "--baud 921600"
    with attach(str(board.port), baud=921_600) as device:  # the hint holds
        events: list[Event] = []
        Watcher(lambda: device, events.append, timeout=1.0).run(0.01, 1)
    assert events[0].values["baud"] == 921_600


def test_two_megabaud(make_board: Make) -> None:
    board, events = make_board(baud=2_000_000), []
    Watcher(lambda: attach(str(board.port), baud=2_000_000), events.append, timeout=1.0).run(0.01, 2)
    assert [e.kind for e in events] == ["connected", "status", "status"]


def test_a_long_history_keeps_its_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    from edgelearn.watch import History

    monkeypatch.setattr("edgelearn.watch.history.MOST", 100)
    history = History()
    for k in range(1000):
        history.add({"event": "status", "time": float(k), "samples": k, "mean_loss": 1.0 / (k + 1)})
    times = [r["time"] for r in history.readings]
    assert len(times) <= 100
    assert (times[0], times[-50:]) == (0.0, [float(k) for k in range(950, 1000)])
    assert times == sorted(times)
    assert history.seconds == 999.0


def test_ctrl_c_loses_nothing(make_board: Make, tmp_path: Path) -> None:
    """Whatever had come is in the files; exit code 130."""
    board = make_board()
    flags = ("--json", "--interval", "0.02", "--report", "page.html", "--tensorboard", "events")
    process = spawn("monitor", "--port", board.port, *flags, cwd=tmp_path)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(6)]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    events = [json.loads(line) for line in (*lines, *out.splitlines())]
    readings = [e for e in events if e["event"] == "status"]
    assert len(readings) >= 5
    assert err.splitlines()[-2:] == ["wrote page.html", "interrupted"]
    page = (tmp_path / "page.html").read_text()
    assert f"<td>readings</td><td>{len(readings)}</td>" in page
    assert len(scalars(tmp_path / "events")["loss/mean"]) == len(readings)


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What event files hold, by tag: (step, value) in order. Lengths and checksums of the records are checked."""
    from tensorboardX.crc32c import crc32c
    from tensorboardX.proto.event_pb2 import Event as Record

    def masked(data: bytes) -> int:
        crc = crc32c(data)
        return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF

    found: dict[str, list[tuple[int, float]]] = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        data, at = path.read_bytes(), 0
        while at < len(data):
            length, check = struct.unpack_from("<QI", data, at)
            assert check == masked(data[at : at + 8])
            body = data[at + 12 : at + 12 + length]
            assert struct.unpack_from("<I", data, at + 12 + length)[0] == masked(body)
            at += 16 + length
            record = Record.FromString(body)
            for value in record.summary.value:
                found.setdefault(value.tag, []).append((record.step, value.simple_value))
    return found


def test_event_files(make_board: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """Numbers over samples; behind a reset in a folder of their own."""
    monkeypatch.setattr("edgelearn.watch.watcher.SILENCE", 0.3)
    board = make_board()
    folder = tmp_path / "events"

    def reset() -> None:
        while board.status.samples < 30:
            time.sleep(0.005)
        board.reset_state()

    thread = threading.Thread(target=reset)
    thread.start()
    flags = ("--interval", "0.1", "--count", 6, "--timeout", "1", "--tensorboard", folder)
    said = edgelearn(capsys, "monitor", "--port", board.port, *flags)
    thread.join()
    assert said.code == 0
    first, second = scalars(folder), scalars(folder / "after-reset-1")
    assert [s for s, _ in first["loss/mean"]] == [10, 20, 30]
    assert [s for s, _ in second["loss/mean"]] == [10, 20, 30]
    assert first["loss/mean"][0][1] == pytest.approx(1.0)
    assert {"accuracy/mean", "link/damaged", "memory/stack_used", "rate/steps_per_second"} <= first.keys()
    assert "the board was reset: step 30, now 10" in said.err


@pytest.mark.parametrize("way", ["closed", "taken"])
def test_ports_that_do_not_open(way: str, make_board: Make) -> None:
    """Who may not, and who comes second."""
    board = make_board()
    port = board.port.resolve()
    if way == "taken":
        program = (
            f"import serial, time\np = serial.Serial({str(port)!r}, exclusive=True)\nprint(flush=True)\ntime.sleep(60)"
        )
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as other:
            assert other.stdout is not None
            other.stdout.readline()
            try:
                with pytest.raises(DeviceError, match=rf"{port} is in use by python\S* \(process {other.pid}\)"):
                    attach(str(port))
            finally:
                other.kill()
        return
    os.chmod(port, 0)
    if os.geteuid() == 0:
        os.seteuid(65534)
    try:
        with pytest.raises(DeviceError, match=f"no permission to open {port}") as caught:
            attach(str(port))
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
    assert caught.value.hint is not None
    assert "usermod -aG" in caught.value.hint or "chmod a+rw" in caught.value.hint


def test_a_lost_port_is_not_a_silent_one(make_board: Make) -> None:
    board = make_board()
    with attach(str(board.port)) as device:
        board.unplug()
        with pytest.raises(PortLost):
            device.read(0.1)
        with pytest.raises(PortLost):
            device.write(b"x")
