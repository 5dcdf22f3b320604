"""`monitor` attaches to what runs already, changes nothing, and says what is wrong with a port."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgelearn.device.port import RATES
from edgelearn.link.diagnosis import PROBE
from tests.support.cli import MODEL, edgelearn

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of the native board that speaks on its standard input and output."""
    from edgelearn.cli.building import build_plan
    from edgelearn.cli.pipeline import plan_job
    from edgelearn.cli.settings import make_job

    job = make_job({"model": str(MODEL), "board": "host", "carrier": "uart"})
    return build_plan(job, plan_job(job), tmp_path_factory.mktemp("image")).elf


@contextlib.contextmanager
def _serving(elf: Path | None) -> Iterator[str]:
    """A port with the image behind it; without one it takes the call and stays silent."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        children: list[subprocess.Popen[bytes]] = []
        kept: list[socket.socket] = []

        def answer() -> None:
            with contextlib.suppress(OSError):
                connection, _ = server.accept()
                kept.append(connection)
                if elf:
                    children.append(subprocess.Popen([elf], stdin=connection, stdout=connection))

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield f"socket://127.0.0.1:{server.getsockname()[1]}"
        finally:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for child in children:
                child.kill()
                child.wait()
            for connection in kept:
                connection.close()


def test_lines_of_json(elf: Path, capsys: Capture) -> None:
    with _serving(elf) as port:
        said = edgelearn(capsys, "monitor", "--port", port, "--count", 3, "--interval", "0.01", "--json")
    assert said.code == 0
    hello, *readings = map(json.loads, said.out.splitlines())
    assert (hello["event"], hello["port"], len(hello["hash"])) == ("connected", port, 16)
    assert [r["event"] for r in readings] == ["status"] * 3
    assert [r["step"] for r in readings] == [0, 0, 0]


def test_lines_of_text(elf: Path, capsys: Capture) -> None:
    with _serving(elf) as port:
        said = edgelearn(capsys, "monitor", "--port", port, "--count", 2, "--interval", "0.01")
    assert said.code == 0
    assert [line.split("  ")[:2] for line in said.out.splitlines()] == [["step 0", "samples 0"]] * 2
    assert f"attached to {port}" in said.err


def test_a_silent_device(capsys: Capture) -> None:
    with _serving(None) as port:
        said = edgelearn(capsys, "monitor", "--port", port, "--timeout", "0.5")
    assert said.code == 4
    assert "is silent: no answer in 0.5 s" in said.err


def test_nobody_there(capsys: Capture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    said = edgelearn(capsys, "monitor", "--port", f"socket://127.0.0.1:{port}")
    assert said.code == 4
    assert "nobody listens on" in said.err


def test_no_such_port(capsys: Capture) -> None:
    said = edgelearn(capsys, "monitor", "--port", "/dev/ttyNONE7")
    assert said.code == 4
    assert "there is no port /dev/ttyNONE7" in said.err


def test_a_host_that_is_not_there(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*args: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    said = edgelearn(capsys, "monitor", "--port", "socket://desk.invalid:5555")
    assert (said.code, said.err) == (4, "error: there is no host desk.invalid\n  at socket://desk.invalid:5555\n")


def test_the_time_for_a_first_answer_is_the_time(capsys: Capture) -> None:
    """A silent port is asked at other rates as well, once."""
    master, slave = os.openpty()
    try:
        start = time.monotonic()
        said = edgelearn(capsys, "monitor", "--port", os.ttyname(slave), "--timeout", 0.3)
        taken = time.monotonic() - start
    finally:
        os.close(master)
        os.close(slave)
    assert (said.code, "is silent: no answer in 0.3 s" in said.err) == (4, True)
    assert taken < 0.3 + (len(RATES) - 1) * PROBE + 2


def test_what_could_not_be_written_in_the_end_is_said_at_once(tmp_path: Path, capsys: Capture) -> None:
    said = edgelearn(capsys, "monitor", "--port", "/dev/null", "--report", tmp_path)
    assert said.code == 2
    assert f"error: this is a folder, not a file to write\n  at --report {tmp_path}\n" in said.err
    said = edgelearn(capsys, "monitor", "--port", "/dev/null", "--project", tmp_path)
    assert (said.code, said.err.split()[-2:]) == (2, ["in", str(tmp_path)])
    assert said.err.startswith("error: there is no edgelearn.toml in")
