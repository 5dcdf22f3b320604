"""What people read of an int8 prefix, word by word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.cli import DATA, MODEL, WEARABLE, edgelearn

Golden = Callable[[str, str], None]
Capture = pytest.CaptureFixture[str]

CASES: dict[str, tuple[object, ...]] = {
    "plan-prefix": ("--train", "last", "--data", DATA, "--calibrate", "percentile", "--calibration-samples", "20"),
    "error/prefix-no-data": ("--train", "last"),
    "error/prefix-nothing-frozen": ("--data", DATA),
}


@pytest.mark.parametrize("name", CASES)
def test_plan(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, golden: Golden, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    said = edgelearn(capsys, "plan", MODEL, "--int8-prefix", *CASES[name])
    assert max(map(len, said.out.splitlines()), default=0) <= 80
    golden(f"{name}.txt", said.transcript)


def test_an_int8_model_needs_no_prefix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, golden: Golden, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    model = WEARABLE.parent / "digits" / "resnet8.tflite"
    golden("error/prefix-int8.txt", edgelearn(capsys, "plan", model, "--train", "last", "--int8-prefix").transcript)
