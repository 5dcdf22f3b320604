"""Runs the command line, in this process or in one of its own, and tidies up what differs from run to run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
WEARABLE = ROOT / "examples" / "wearable"
MODEL, DATA = WEARABLE / "wearable.onnx", WEARABLE / "person9.npz"


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def transcript(self) -> str:
        """Everything, as a golden file keeps it."""
        return f"{self.out}{'--- stderr' + chr(10) + tidy(self.err) if self.err else ''}[exit code {self.code}]\n"


def tidy(text: str) -> str:
    """Times differ from run to run."""
    return re.sub(r"\bin [\d.]+ s\b", "in # s", text)


def edgelearn(capsys: pytest.CaptureFixture[str], *args: object) -> Said:
    """One command in this process."""
    from edgelearn.cli.app import run

    capsys.readouterr()
    code = run([str(a) for a in args])
    out, err = capsys.readouterr()
    return Said(code, out, err)


def environment(**changes: str) -> dict[str, str]:
    """For a process of its own, which may run in any folder."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **changes}


def spawn(*args: object, cwd: Path, **changes: str) -> subprocess.Popen[str]:
    """One command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "edgelearn", *map(str, args)],
        cwd=cwd,
        env=environment(**changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def small_data(path: Path, train: int = 12, test: int = 10) -> Path:
    """A part of the example's data: runs in no time."""
    with np.load(DATA) as archive:
        sizes = {"x_train": train, "y_train": train, "x_test": test, "y_test": test}
        np.savez(path, **{name: archive[name][:size] for name, size in sizes.items()})
    return path
