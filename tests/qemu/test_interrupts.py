"""Ctrl-C in the middle of a build, as a terminal sends it: one word, no process left, and the next build just works."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.cli import MODEL, environment

MARK = "EDGELEARN_TEST_BUILD"
BUILDERS = {"system": ("obj", "*.o"), "platformio": (".pio", "build/**/*.o")}  # where objects appear


def _processes(mark: str) -> list[int]:
    """Whoever has the mark in its environment, as all have that a marked process starts."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"{MARK}={mark}".encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


@pytest.mark.parametrize(("builder", "to_all"), [("system", True), ("platformio", False)])
def test_a_build_that_was_interrupted(builder: str, to_all: bool, tmp_path: Path) -> None:
    """A terminal's Ctrl-C reaches the whole group, a job runner's signal the one process that it knows."""
    folder = tmp_path / "build"
    args = ("build", MODEL, "--board", "qemu-m4", "--builder", builder, "--out", folder)
    command = [sys.executable, "-m", "edgelearn", *map(str, args)]
    process = subprocess.Popen(
        command,
        env=environment(**{MARK: str(tmp_path)}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    place, pattern = BUILDERS[builder]
    deadline = time.monotonic() + 60
    while not any((folder / place).glob(pattern)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert len(_processes(str(tmp_path))) > 1
    (os.killpg if to_all else os.kill)(process.pid, signal.SIGINT if to_all else signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "interrupted"
    assert err.count("interrupted") == 1
    assert "Traceback" not in err
    assert _processes(str(tmp_path)) == []
    assert [p.name for p in (folder, folder / "src") for p in p.glob(".*.[0-9]*")] == []
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120)
    assert (done.returncode, "as planned" in done.stderr) == (0, True), done.stderr
