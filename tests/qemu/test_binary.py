"""Two classes behind one output, on an emulated board: from a float file, an int8 one, and with latent replay."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.binary_files import archive, onnx_file, tflite_file
from tests.support.cli import edgelearn

TESTED = 80
# One held-out sample in 80: an exported int8 layer is rounded, the device's is not.
ROUNDED = 1 / TESTED


@pytest.mark.parametrize("file", ["sigmoid.onnx", "int8.tflite"])
def test_a_board_tells_two_classes_apart(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (onnx_file if file == "sigmoid.onnx" else tflite_file)(tmp_path / file)
    archive(tmp_path / "d.npz")
    settings = ("--data", "d.npz", "--board", "qemu-m4", "--lr", 0.1, "--epochs", 8)
    said = edgelearn(capsys, "run", file, *settings)
    assert said.code == 0, said.err
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    before, after, exported = (summary[key]["accuracy"] for key in ("before", "after", "exported"))
    assert before < 0.7
    assert after >= 0.85
    assert abs(exported - after) <= (0 if file == "sigmoid.onnx" else ROUNDED)


def test_latents_of_two_classes_are_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The session repeats what the board keeps; class 1 comes after class 0, which stays known."""
    monkeypatch.chdir(tmp_path)
    onnx_file(tmp_path / "sigmoid.onnx")
    with np.load(archive(tmp_path / "d.npz")) as arrays:
        np.savez(tmp_path / "d.npz", **arrays, phase_train=arrays["y_train"] - 1)
    settings = ("--data", "d.npz", "--board", "qemu-m4", "--train", "last", "--replay", 16, "--lr", 0.05)
    more = ("--replay-ratio", 3, "--epochs", 8)
    said = edgelearn(capsys, "run", "sigmoid.onnx", *settings, *more)
    assert said.code == 0, said.err
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["after"]["by_phase"].keys() == {"known", "phase 0"}
    assert min(summary["after"]["by_class"]) > 0.6, "without replay class 0 is never predicted again"
