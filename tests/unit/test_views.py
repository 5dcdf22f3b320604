"""Pictures on a real terminal: they appear, they are redrawn, and the last one stays or goes as it should."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.cli import MODEL, environment, small_data
from tests.support.fake_board import FakeBoard
from tests.unit.test_watch import scalars


def on_terminal(*args: object, cwd: Path, until: Callable[[str], bool] = lambda text: False) -> tuple[int, str]:
    """One command on a terminal of 80 columns; Ctrl-C once `until` is true of what it drew. Its code and its text."""
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (30, 80))
    process = subprocess.Popen(
        [sys.executable, "-m", "edgelearn", *map(str, args)],
        cwd=cwd,
        env=environment(TERM="xterm", PYTHONIOENCODING="utf-8"),
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    drawn = bytearray()

    def read() -> None:
        try:
            while data := os.read(master, 4096):
                drawn.extend(data)
        except OSError:
            return  # the other end is closed

    reader = threading.Thread(target=read)
    reader.start()
    deadline = time.monotonic() + 60
    interrupted = False
    while process.poll() is None and time.monotonic() < deadline:
        if not interrupted and until(drawn.decode(errors="replace")):
            process.send_signal(signal.SIGINT)
            interrupted = True
        time.sleep(0.02)
    process.kill()
    reader.join()
    os.close(master)
    return process.wait(), drawn.decode()


def plain(text: str) -> str:
    """Without colours and movements of the cursor."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "")


def test_a_watch(tmp_path: Path) -> None:
    board = FakeBoard(tmp_path)
    try:
        code, text = on_terminal(
            *("monitor", "--port", "ttyBOARD", "--interval", "0.05"),
            cwd=tmp_path,
            until=lambda text: text.count("Ctrl-C ends") >= 4,
        )
    finally:
        board.close()
    assert code == 130
    assert "attached to ttyBOARD at 115,200 baud" in text
    last = plain(text).rpartition("plan 0123456789abcdef, ttyBOARD")[2]
    assert "loss 0." in last
    assert "█" in last
    assert "link      0 damaged, 0 gaps, 0 duplicates, 0 bytes overrun" in last
    assert last.rstrip().endswith("interrupted")
    assert "samples/s" not in text, "lines are for pipes"


def test_headless_on_a_terminal(tmp_path: Path) -> None:
    board = FakeBoard(tmp_path)
    try:
        flags = ("--port", "ttyBOARD", "--interval", "0.05", "--count", 3, "--headless")
        code, text = on_terminal("monitor", *flags, cwd=tmp_path)
    finally:
        board.close()
    assert code == 0
    assert len(re.findall(r"^step \d+  samples", text, re.MULTILINE)) == 3
    assert "\x1b" not in text


def test_a_run(tmp_path: Path) -> None:
    """The same picture while training, which makes room for the summary; and event files."""
    data = small_data(tmp_path / "data.npz", train=40)
    flags = ("--data", data, "--board", "host", "--epochs", 5, "--clip-norm", 1, "--tensorboard", "events")
    code, text = on_terminal("run", MODEL, *flags, cwd=tmp_path)
    assert code == 0, text
    drawn = plain(text)
    assert "training wearable on host, epoch" in drawn
    assert re.search(r"samples   \[#+\.*\] \d+ of 200, [\d.]+ a second", drawn)
    assert re.search(r"steps     \d+, [\d.]+ a second, learning rate 0\.01, gradient norm", drawn)
    assert re.search(r"RAM       [\d,]+ of [\d,]+ bytes as planned: weights 33,888", drawn)
    assert re.search(r"link      [\d,]+ frames, 0 sent again, 0 damaged", drawn)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<title>gradient norm</title>" in page
    assert re.search(r"<td>link</td><td>[\d,]+ frames, 0 sent again, 0 damaged</td>", page)
    found = scalars(tmp_path / "events")
    assert [step for step, _ in found["loss/sample"]] == list(range(1, 201))
    assert [step for step, _ in found["held_out/accuracy"]] == [0, 200]
    assert len(found["epoch/loss"]) == 5
    assert "training/gradient_norm" in found
