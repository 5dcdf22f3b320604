"""A run over a port whose board is reset in the middle: it goes on from what was saved, or says what is lost."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgelearn import boards
from edgelearn.device import ChildDevice
from tests.support.cli import MODEL, edgelearn, small_data
from tests.support.fake_board import FakeBoard

Capture = pytest.CaptureFixture[str]
MOST = 5.0  # seconds that anything here takes at most


class Socket:
    """A board behind a TCP port. It is reset after so many answers, once for each number; `leaves`: its port too."""

    def __init__(self, elf: Path, store: Path | None, resets: list[int], *, leaves: bool = False) -> None:
        self.elf, self.store, self.resets, self.leaves = elf, store, resets, leaves
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.settimeout(0.1)
        self.port = f"socket://127.0.0.1:{self.server.getsockname()[1]}"
        self.stop = threading.Event()
        self.board = self._start()
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _start(self) -> ChildDevice:
        return ChildDevice(boards.load("qemu-m4"), self.elf, "uart", store=self.store)

    def _serve(self) -> None:
        while not self.stop.is_set():
            with contextlib.suppress(TimeoutError):
                host, _ = self.server.accept()
                with host:
                    self._carry(host)

    def _carry(self, host: socket.socket) -> None:
        host.settimeout(0.001)
        answers = 0
        while not self.stop.is_set():
            with contextlib.suppress(TimeoutError):
                data = host.recv(4096)
                if not data:
                    return
                self.board.write(data)
            if data := self.board.read(0.001):
                answers += data.count(b"\0")
                host.sendall(data)
            if self.resets and answers > self.resets[0]:
                answers, _ = 0, self.resets.pop(0)
                self.board.close()
                self.board = self._start()
                if self.leaves:
                    return

    def close(self) -> None:
        self.stop.set()
        self.thread.join(MOST)
        self.board.close()
        self.server.close()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return small_data(tmp_path / "small.npz", 9, 4)


@contextlib.contextmanager
def behind_a_port(elf: Path, store: Path | None, resets: list[int], *, leaves: bool) -> Iterator[Socket]:
    board = Socket(elf, store, resets, leaves=leaves)
    try:
        yield board
    finally:
        board.close()


FLAGS = ("--board", "qemu-m4", "--carrier", "uart", "--train", "last", "--samples", "f16", "--epochs", 4)


def test_a_run_goes_on_after_resets_bit_by_bit(tmp_path: Path, data: Path, capsys: Capture) -> None:
    """One that leaves the port as it is, where only silence tells, and one that takes the port along."""
    flags = (MODEL, "--data", data, *FLAGS, "--save-every", 6)
    assert edgelearn(capsys, "run", *flags, "--out", tmp_path / "whole").code == 0
    elf = tmp_path / "whole" / "build" / "image.elf"
    for leaves in (False, True):
        out = tmp_path / f"out{leaves}"
        with behind_a_port(elf, tmp_path / f"{leaves}.bin", [120], leaves=leaves) as board:
            said = edgelearn(capsys, "run", *flags, "--port", board.port, "--out", out)
            assert not board.resets
        assert said.code == 0, said.err
        assert "going on when it is back" in said.err
        assert "was reset" in said.err or leaves
        events = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        assert [e["when"] for e in events if e["event"] == "evaluated"] == ["before", "after"]
        restored = next(e for e in events if e["event"] == "restored")
        lost = next(e for e in events if e["event"] == "lost")
        assert 0 < restored["samples"] <= lost["samples"] + 30
        with np.load(out / "trained.npz") as found, np.load(tmp_path / "whole" / "trained.npz") as truth:
            assert all(np.array_equal(found[name], truth[name]) for name in truth.files)


def test_without_saves_a_reset_ends_the_run_and_says_what_is_kept(tmp_path: Path, data: Path, capsys: Capture) -> None:
    flags = (MODEL, "--data", data, *FLAGS)
    assert edgelearn(capsys, "build", *flags, "--out", tmp_path / "out" / "build").code == 0
    with behind_a_port(tmp_path / "out" / "build" / "image.elf", None, [120], leaves=False) as board:
        said = edgelearn(capsys, "run", *flags, "--port", board.port, "--out", tmp_path / "out")
    assert said.code == 4, said.err
    words = " ".join(said.err.split())
    assert "error: lost the board after" in words
    assert "was reset" in words
    assert "kept metrics.jsonl, trained.onnx in" in words
    assert "hint: with --save-every 100 a run goes on" in words
    assert (tmp_path / "out" / "trained.onnx").is_file()


def test_a_board_at_another_rate_is_found_at_it(tmp_path: Path, data: Path, capsys: Capture) -> None:
    """A board that can only greet: what it says of its plan was read at its own rate."""
    board = FakeBoard(tmp_path, baud=921_600)
    try:
        said = edgelearn(capsys, "run", MODEL, "--data", data, *FLAGS, "--port", board.port, "--out", tmp_path / "out")
    finally:
        board.close()
    assert said.code == 4
    assert "it answers at 921,600 baud" in said.err
    assert "ttyBOARD is stale: it was built from plan 0123456789abcdef" in " ".join(said.err.split())
