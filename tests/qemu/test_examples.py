"""Each example, started as a project, learns on an emulated board: a short version of what its README has."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgelearn.boards import load
from tests.support.cli import edgelearn

Capture = pytest.CaptureFixture[str]


def start(capsys: Capture, example: str, board: str, **parts: int) -> None:
    """A project in the current folder with the first samples of the example's archive, `train=100, test=50`."""
    emulator = load(board).emulator
    if emulator is None or not shutil.which(emulator.program):
        pytest.skip(f"no emulator for {board}")
    assert edgelearn(capsys, "new", "mine", "--example", example, "--board", board).code == 0
    path = Path("mine", "data.npz")
    with np.load(path) as archive:
        arrays = {name: archive[name][: parts.get(name.partition("_")[2])] for name in archive.files}
    np.savez(path, **arrays)


def learn(capsys: Capture, *flags: object) -> dict[str, Any]:
    """What a run in that project came to."""
    said = edgelearn(capsys, "run", "--project", "mine", "--out", "out", "--json", *flags)
    assert said.code == 0, said.err
    assert Path("out", "trained.tflite").is_file()
    summary: dict[str, Any] = json.loads(said.out.splitlines()[-1])
    return summary


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("board", ["qemu-m4", "qemu-rv32"])
def test_ecg(board: str, capsys: Capture) -> None:
    """The whole run: its limits are the example's own."""
    start(capsys, "ecg", board)
    said = edgelearn(
        capsys, "test", "--project", "mine", "--out", "out", "--json", "--max-ram", "64K", "--max-flash", "96K"
    )
    assert said.code == 0, said.err
    cases = {case["name"]: case for case in json.loads(said.out)["cases"]}
    assert cases["held-out loss"]["value"] < 0.0065
    before = json.loads(Path("out", "summary.json").read_text())["before"]
    assert before["loss"] == pytest.approx(0.1267, abs=1e-4)


def test_digits(capsys: Capture) -> None:
    """A head for ten classes of photographs knows nothing of digits; 250 of them, twice, teach it most."""
    start(capsys, "digits", "qemu-m4", train=250, test=100)
    summary = learn(capsys, "--epochs", 2, "--lr", 1, "--warmup", 25)
    assert summary["before"]["accuracy"] < 0.12
    assert summary["after"]["accuracy"] > 0.65
    assert summary["exported"]["accuracy"] > 0.65


def test_keywords(capsys: Capture) -> None:
    """Twelve new words from voices that it has not heard, after half of the example's epochs."""
    start(capsys, "keywords", "qemu-m4", test=96)
    summary = learn(capsys, "--epochs", 4)
    assert summary["before"]["accuracy"] < 0.15
    assert summary["after"]["accuracy"] > 0.75
    assert summary["exported"]["accuracy"] > 0.75
