"""Projects that train in half precision from the start."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from edgelearn.project import examples
from tests.support.cli import edgelearn

Golden = Callable[[str, str], None]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("example", examples())
def test_an_example_in_half_precision(example: str, tmp_path: Path, golden: Golden, capsys: Capture) -> None:
    """Its settings say so, its plan does so, and the limits that were measured in float32 hold nothing."""
    said = edgelearn(capsys, "new", "halves", "--example", example, "--precision", "fp16")
    assert said.code == 0
    text = (tmp_path / "halves" / "edgelearn.toml").read_text()
    golden(f"settings/fp16-{example}.toml", text)
    settings = tomllib.loads(text)
    assert settings["train"]["precision"] == "fp16"
    assert not settings["test"].keys() & {"max_ram", "max_insn"}
    plan = json.loads(edgelearn(capsys, "plan", "--project", "halves", "--json").out)
    assert plan["precision"]["name"] == "fp16"
    assert plan["precision"]["bytes"]["f16"] > 0


def test_a_project_without_an_example(tmp_path: Path, golden: Golden, capsys: Capture) -> None:
    assert edgelearn(capsys, "new", "mine", "--precision", "mixed").code == 0
    golden("settings/mixed-plain.toml", (tmp_path / "mine" / "edgelearn.toml").read_text())
    assert edgelearn(capsys, "new", "yours", "--precision", "fp32").code == 0
    assert "precision" not in (tmp_path / "yours" / "edgelearn.toml").read_text()
    golden("error/new-precision.txt", edgelearn(capsys, "new", "x", "--precision", "fp8").transcript)
