"""What people see of a board that they watch, word by word: every view, every message, and the page."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edgelearn import __version__
from edgelearn.cli.view import draw, watch_scene
from edgelearn.cli.watching import reading_line
from edgelearn.plots import ASCII, BLOCKS
from edgelearn.watch import History
from edgelearn.watch.page import note_words, watch_page
from tests.support.cli import MODEL, edgelearn
from tests.support.fake_board import FakeBoard

Golden = Callable[[str, str], None]
Capture = pytest.CaptureFixture[str]
Make = Callable[..., FakeBoard]

GREETING: dict[str, Any] = {
    "event": "connected",
    "port": "/dev/ttyACM0",
    "baud": 921600,
    "hash": "0123456789abcdef",
    "params_bytes": 33888,
    "state_bytes": 16,
    "replay_bytes": 0,
    "store_slots": 47,
    "stack_bytes": 4096,
}
PLAN: dict[str, Any] = {
    "model": "watch",
    "board": "nucleo_f446re",
    "plan": "0123456789abcdef",
    "ram": {
        "total": 62768,
        "limit": 131072,
        "weights": 33888,
        "state": 16,
        "arena": 22976,
        "store": 0,
        "replay": 0,
        "runtime": 1792,
        "stack": 4096,
    },
    "steps": [{"index": k} for k in range(6)],
    "arena": {
        "bytes": 22976,
        "fullest_step": 2,
        "fullest_step_name": "conv2",
        "buffers": [
            {"name": "input", "offset": 0, "bytes": 1536, "first_step": 0, "last_step": 5},
            {"name": "<a> & b", "offset": 1536, "bytes": 21440, "first_step": 1, "last_step": 3},
        ],
    },
}


def history(count: int = 300, *, labels: bool = True, halves: bool = False, **greeting: object) -> History:
    """A board that learns, with all numbers made up."""
    seen = History()
    seen.add({**GREETING, **greeting})
    for k in range(count):
        reading: dict[str, Any] = {
            "event": "status",
            "time": 1000.0 + k,
            "step": 10 * k // 4,
            "samples": 10 * k,
            "skipped": 2,
            "last_loss": 2.0 / (1 + k / 20) * (1.3 if k % 2 else 0.7),
            "mean_loss": 2.0 / (1 + k / 20),
            "accuracy": 1 - 0.9 / (1 + k / 30) if labels else None,
            "lr": 0.01,
            "grad_norm": 3.0 / (1 + k) if halves else 0.0,
            "left_out": 3 if halves else 0,
            "loss_scale": 512.0 if halves else 0.0,
            "stack_used": 1204,
            "damaged": 1 if k > 100 else 0,
            "gaps": 0,
            "duplicates": 0,
            "overruns": 0,
            "saves": 12 if halves else 0,
            "saved_step": 1200,
            "best_step": 1100,
            "best_score": 0.0718,
            "replay_kept": 50,
            "replayed": 100,
            "samples_per_s": 10.0 if k else None,
            "steps_per_s": 2.5 if k else None,
        }
        seen.add(reading)
    return seen


RESET = {
    "event": "found",
    "port": "/dev/ttyACM0",
    "seconds": 3.04,
    "reset": True,
    "other_plan": False,
    "plan": "0123456789abcdef",
    "step": 0,
    "step_before": 1204,
}
LOST = {"event": "lost", "reason": "/dev/ttyACM0 is gone: unplugged, or the board has restarted"}


@dataclass(frozen=True)
class Shot:
    seen: History
    plan: dict[str, Any] | None = None
    width: int = 80
    marks: str = BLOCKS
    lost: str = ""


def _after_a_reset() -> History:
    seen = history(40)
    seen.add(LOST)
    seen.add(RESET)
    return seen


VIEWS: dict[str, Callable[[], Shot]] = {
    "plain": lambda: Shot(history()),
    "plan": lambda: Shot(history(), PLAN),
    "ascii": lambda: Shot(history(30), PLAN, marks=ASCII),
    "no-accuracy": lambda: Shot(history(12, labels=False, baud=None, port="socket://127.0.0.1:5555")),
    "half-precision": lambda: Shot(history(500, halves=True, replay_bytes=4096), width=100),
    "first-reading": lambda: Shot(history(1)),
    "lost": lambda: Shot(_after_a_reset(), lost=note_words(LOST)),
}


@pytest.mark.parametrize("name", VIEWS)
def test_views(name: str, golden: Golden) -> None:
    shot = VIEWS[name]()
    lines = draw(watch_scene(shot.seen, shot.plan, shot.lost), width=shot.width, marks=shot.marks)
    assert max(map(len, lines)) <= shot.width
    assert len(lines) <= 24
    golden(f"monitor/view-{name}.txt", "\n".join(lines) + "\n")


def test_lines(golden: Golden) -> None:
    seen = (history(1), history(2), history(200, halves=True), history(3, labels=False))
    notes = (LOST, RESET, {**RESET, "reset": False}, {**RESET, "other_plan": True})
    lines = [*(reading_line(s.readings[-1]) for s in seen), *map(note_words, notes)]
    golden("monitor/lines.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize("name", ["plan", "no-plan"])
def test_page(name: str, golden: Golden) -> None:
    seen = history(5, halves=True) if name == "plan" else _after_a_reset()
    plan = PLAN if name == "plan" else None
    page = watch_page(seen, plan, watch_scene(seen, plan).facts, "" if plan else "the board did not come back in 5 s")
    assert "http" not in page.replace("http://www.w3.org/2000/svg", ""), "the page needs no network"
    golden(f"monitor/page-{name}.html", page.replace(__version__, "VERSION"))


@pytest.fixture
def make_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    monkeypatch.chdir(tmp_path)
    made: list[FakeBoard] = []

    def make(**settings: Any) -> FakeBoard:
        made.append(FakeBoard(tmp_path, **settings))
        return made[-1]

    yield make
    for board in made:
        board.close()


def monitor(capsys: Capture, board: FakeBoard, *flags: object) -> str:
    """The transcript, without what differs from run to run."""
    said = edgelearn(capsys, "monitor", "--port", board.port.name, "--timeout", "0.3", "--interval", "0.05", *flags)
    text = said.transcript
    return re.sub(r"\d+\.\d (samples|steps)/s", r"# \1/s", re.sub(r"after \d+\.\d s", "after # s", text))


def test_a_session_with_a_reset(
    make_board: Make, monkeypatch: pytest.MonkeyPatch, golden: Golden, capsys: Capture
) -> None:
    monkeypatch.setattr("edgelearn.watch.watcher.SILENCE", 0.3)
    board = make_board()

    def reset() -> None:
        while board.status.samples < 20:
            time.sleep(0.005)
        board.reset_state()

    thread = threading.Thread(target=reset)
    thread.start()
    text = monitor(capsys, board, "--count", 4, "--report", "page.html")
    thread.join()
    golden("monitor/session.txt", text)


def _says(board: FakeBoard, text: bytes) -> None:
    board.says = text


WRONG: dict[str, tuple[dict[str, Any], Callable[[FakeBoard], object]]] = {
    "silent": ({}, lambda board: setattr(board, "silent", True)),
    "wrong-baud": ({"baud": 921_600}, lambda board: None),
    "garbage": ({}, lambda board: _says(board, bytes(range(128, 200)))),
    "other-program": ({}, lambda board: _says(board, b"\r\nHello from blinky 1.2\r\n")),
    "old-protocol": ({"protocol": 2}, lambda board: None),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_a_board(name: str, make_board: Make, golden: Golden, capsys: Capture) -> None:
    settings, spoil = WRONG[name]
    board = make_board(**settings)
    spoil(board)
    golden(f"monitor/error-{name}.txt", monitor(capsys, board, "--baud", 115200))


def test_the_rate_is_found(make_board: Make, golden: Golden, capsys: Capture) -> None:
    """Unless one was named."""
    golden("monitor/rate.txt", monitor(capsys, make_board(baud=921_600), "--count", 1))


def test_plans_of_builds(make_board: Make, tmp_path: Path, golden: Golden, capsys: Capture) -> None:
    """The right one, one of another plan, one that is none; and one that a build has left by itself."""
    board = make_board()
    (tmp_path / "other.json").write_text(json.dumps({**PLAN, "plan": "f" * 16}))
    (tmp_path / "none.json").write_text("[]")
    for name in ("other", "none"):
        golden(f"monitor/plan-{name}.txt", monitor(capsys, board, "--plan", f"{name}.json", "--count", 1))
    (tmp_path / "out" / "build").mkdir(parents=True)
    (tmp_path / "other.json").rename(tmp_path / "out" / "build" / "plan.json")
    golden("monitor/plan-note.txt", monitor(capsys, board, "--count", 1))
    (tmp_path / "out" / "build" / "plan.json").write_text(json.dumps(PLAN))
    monitor(capsys, board, "--count", 1, "--report", "page.html")
    assert "fullest at conv2" in (tmp_path / "page.html").read_text()


@dataclass(frozen=True)
class Comport:
    device: str
    vid: int | None = None
    pid: int | None = None
    serial_number: str | None = None
    product: str | None = None


STLINK = [Comport(f"/dev/ttyACM{k}", 0x0483, 0x374B, f"066BFF5{k}", "STM32 STLink") for k in range(2)]
PORTS: dict[str, tuple[list[Comport], tuple[str, ...]]] = {
    "none": ([Comport("/dev/ttyS0")], ()),
    "something-else": ([Comport("/dev/ttyUSB0", 0x1234, 0x5678, None, "Label printer")], ()),
    "several": (STLINK, ("--board", "nucleo_test.toml")),
    "emulated": (STLINK, ("--board", "qemu-m4")),
}


@pytest.mark.parametrize("name", PORTS)
def test_finding_a_board(
    name: str, tmp_path: Path, golden: Golden, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ports, flags = PORTS[name]
    _board_file(tmp_path)
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: ports)
    monkeypatch.setattr("edgelearn.boards.available", lambda: ["qemu-m4"])
    golden(f"monitor/ports-{name}.txt", edgelearn(capsys, "monitor", *flags).transcript)


def test_a_board_that_is_found(
    make_board: Make, tmp_path: Path, golden: Golden, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its id among other ports; its baud rate is its file's."""
    board = make_board()
    _board_file(tmp_path)
    ports = [Comport("/dev/ttyS0"), Comport(board.port.name, 0x0483, 0x374B, "066BFF50", "STM32 STLink")]
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: ports)
    monkeypatch.setattr("edgelearn.boards.available", lambda: ["qemu-m4"])
    said = edgelearn(capsys, "monitor", "--board", "nucleo_test.toml", "--count", 1)
    golden("monitor/found.txt", said.transcript)


def _board_file(folder: Path) -> None:
    text = (MODEL.parents[2] / "boards" / "qemu-m4.toml").read_text()
    usb = '[usb]\nids = ["0483:374B"]\nsource = "the board\'s manual"\n'
    (folder / "nucleo_test.toml").write_text(re.sub(r"(?ms)^\[emulator\].*\Z", usb, text))


def test_nobody_listens(golden: Golden, capsys: Capture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for name, url in {"refused": f"socket://127.0.0.1:{port}", "no-port": "/dev/ttyNONE7"}.items():
        golden(
            f"monitor/error-{name}.txt",
            edgelearn(capsys, "monitor", "--port", url).transcript.replace(str(port), "5555"),
        )


def test_a_port_that_is_taken(make_board: Make, golden: Golden, capsys: Capture) -> None:
    board = make_board()
    program = "import serial, time\np = serial.Serial('ttyBOARD', exclusive=True)\nprint(flush=True)\ntime.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        text = monitor(capsys, board)
        other.kill()
    golden("monitor/error-taken.txt", re.sub(r"by python\S* \(process \d+\)", "by PROGRAM (process #)", text))


def test_a_port_of_others(golden: Golden, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may not open it; on Debian its group is dialout."""
    monkeypatch.setattr("grp.getgrgid", lambda number: Group("dialout"))
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        monkeypatch.chdir(folder)
        board = FakeBoard(Path(folder))
        board.port.chmod(0)
        os.seteuid(65534 if user == 0 else user)
        try:
            text = monitor(capsys, board)
        finally:
            os.seteuid(user)
            board.close()
    golden("monitor/error-permission.txt", text)


@dataclass(frozen=True)
class Group:
    gr_name: str


def test_a_rate_that_no_board_has(golden: Golden, capsys: Capture) -> None:
    golden("monitor/error-baud.txt", edgelearn(capsys, "monitor", "--port", "x", "--baud", "3000000").transcript)


def test_the_view_of_a_run(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `edgelearn run` draws it."""
    from edgelearn.cli.live import Course
    from edgelearn.cli.pipeline import plan_job
    from edgelearn.cli.settings import make_job
    from edgelearn.link.frames import Statistics

    monkeypatch.setattr("edgelearn.cli.output.Timer.seconds", property(lambda self: 12.5))
    course = Course(plan_job(make_job({"model": str(MODEL), "precision": "mixed"})))
    course.plan = PLAN
    course.link = Statistics(frames=1234, resends=2, damaged=1)
    for k in range(1, 201):
        loss, accuracy = 2.0 / (1 + k / 20), 1 - 0.9 / (1 + k / 30)
        step = {"event": "step", "epoch": 2, "step": k, "samples": k, "of": 235, "loss": loss, "mean_loss": loss}
        step |= {"accuracy": accuracy, "lr": 0.01, "grad_norm": 0.83, "insn": 1_234_567}
        course.add(step)
    course.add({"event": "epoch", "loss_scale": 512.0, "skipped": 1})
    golden("monitor/view-run.txt", "\n".join(draw(course.scene(step))) + "\n")
