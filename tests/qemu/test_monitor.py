"""Boards in QEMU are watched on their UART as real ones are, through resets and through a restart of the emulator."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgelearn.build import Image
from edgelearn.build.toolchain import emulator_command
from edgelearn.device import attach
from edgelearn.link import Link
from edgelearn.wire import Hyper
from tests.qemu.images import image_of
from tests.support.cli import edgelearn
from tests.support.linear import LinearModel

Capture = pytest.CaptureFixture[str]
TRAINED = 12


class Machine:
    """A QEMU whose UART is a TCP port, or a pseudo-terminal, and whose reset button is a socket."""

    def __init__(self, image: Image, folder: Path, serial: str) -> None:
        self.qmp = folder / "qmp"
        self.command = [
            *emulator_command(image.board, image.elf, ["-chardev", serial, "-serial", "chardev:uart"]),
            *("-qmp", f"unix:{self.qmp},server=on,wait=off"),
        ]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.qmp.unlink(missing_ok=True)

    def ask(self, what: str) -> object:
        """A command of QEMU's machine protocol."""
        with socket.socket(socket.AF_UNIX) as line:
            while line.connect_ex(str(self.qmp)):
                assert self.process.poll() is None
            with line.makefile("rw") as stream:
                assert "QMP" in json.loads(stream.readline())
                for command in ("qmp_capabilities", what):
                    stream.write(json.dumps({"execute": command}) + "\n")
                    stream.flush()
                    answer = {}
                    while "return" not in answer:  # events come in between
                        answer = json.loads(stream.readline())
                return answer["return"]


@contextlib.contextmanager
def machine(image: Image, folder: Path, serial: str) -> Iterator[Machine]:
    running = Machine(image, folder, serial)
    try:
        yield running
    finally:
        running.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def train(port: str) -> None:
    """A host that comes, trains and leaves."""
    model = LinearModel()
    with attach(port) as device:
        link = Link(device)
        link.hello(model.hash, timeout=20)
        link.configure(Hyper(lr=0.01))
        assert [r.samples for r in link.train_many(model.samples(TRAINED))][-1] == TRAINED


@pytest.mark.parametrize("board", ["qemu-m4", "qemu-rv32imac"])
def test_a_reset_in_the_middle(board: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgelearn.watch.watcher.SILENCE", 0.5)
    number = free_port()
    port = f"socket://127.0.0.1:{number}"
    image = image_of(board, "uart")
    serial = f"socket,id=uart,host=127.0.0.1,port={number},server=on,wait=off,nodelay=on"
    with machine(image, tmp_path, serial) as running:
        running.ask("query-status")
        train(port)
        timer = threading.Timer(1.0, running.ask, ["system_reset"])
        timer.start()
        flags = ("--interval", "0.2", "--count", 12, "--json", "--report", tmp_path / "page.html")
        said = edgelearn(capsys, "monitor", "--port", port, *flags)
        timer.join()
    assert said.code == 0, said.err
    events = [json.loads(line) for line in said.out.splitlines()]
    kinds = [e["event"] for e in events]
    assert kinds.count("lost") == kinds.count("found") == 1
    at = kinds.index("found")
    assert (events[at]["reset"], events[at]["step_before"], events[at]["step"]) == (True, TRAINED, 0)
    before, after = ([e for e in part if e["event"] == "status"] for part in (events[:at], events[at:]))
    assert {e["step"] for e in before} == {TRAINED}
    assert {e["step"] for e in after} == {0}
    assert len(before) + len(after) == 12
    assert 0 < before[-1]["stack_used"] < image.board.stack
    page = (tmp_path / "page.html").read_text()
    assert f"the board was reset: step {TRAINED}, now 0" in page


def test_an_emulator_that_is_restarted(tmp_path: Path, capsys: Capture) -> None:
    """As a board that is unplugged and plugged in again."""
    number = free_port()
    port = f"socket://127.0.0.1:{number}"
    serial = f"socket,id=uart,host=127.0.0.1,port={number},server=on,wait=off,nodelay=on"
    with machine(image_of("qemu-m4", "uart"), tmp_path, serial) as running:
        running.ask("query-status")
        train(port)

        def restart() -> None:
            running.stop()
            running.start()

        timer = threading.Timer(1.0, restart)
        timer.start()
        said = edgelearn(capsys, "monitor", "--port", port, "--interval", "0.2", "--count", 10, "--json")
        timer.join()
    assert said.code == 0, said.err
    events = [json.loads(line) for line in said.out.splitlines()]
    (lost,) = [e for e in events if e["event"] == "lost"]
    assert lost["reason"] == f"{port} closed the connection"
    (found,) = [e for e in events if e["event"] == "found"]
    assert (found["reset"], found["step_before"], found["step"]) == (True, TRAINED, 0)


def test_a_terminal_at_two_megabaud(tmp_path: Path, capsys: Capture) -> None:
    """QEMU does not care for the rate; the port takes it."""
    with machine(image_of("qemu-m4", "uart"), tmp_path, "pty,id=uart") as running:
        devices = running.ask("query-chardev")
        assert isinstance(devices, list)
        port = next(d["filename"].removeprefix("pty:") for d in devices if d["label"] == "uart")
        train(port)
        flags = ("--baud", 2_000_000, "--interval", "0.05", "--count", 3, "--json")
        said = edgelearn(capsys, "monitor", "--port", port, *flags)
    assert said.code == 0, said.err
    connected, *readings = map(json.loads, said.out.splitlines())
    assert (connected["baud"], connected["hash"]) == (2_000_000, LinearModel().hash.hex())
    assert [r["samples"] for r in readings] == [TRAINED] * 3
