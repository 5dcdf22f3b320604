"""The README's own program runs as it stands, and so does the CI file of a new project."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from edgelearn.cli.app import COMMANDS
from tests.support.cli import ROOT, edgelearn, environment

README = (ROOT / "README.md").read_text()


def block(language: str) -> str:
    """The one block of that language."""
    found = re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert len(found) == 1
    return str(found[0])


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH on which `python` and `edgelearn` are the tests' own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    interpreter = shlex.quote(sys.executable)
    for name, command in (("python", interpreter), ("edgelearn", f"{interpreter} -m edgelearn")):
        (folder / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (folder / name).chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def _bash(text: str, folder: Path, path: str) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text], cwd=folder, env=environment(PATH=path), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_two_minutes_with_your_own_model(tmp_path: Path, path: str) -> None:
    (tmp_path / "make.py").write_text(block("python"))
    _bash(block("sh"), tmp_path, path)
    assert (tmp_path / "out" / "trained.onnx").is_file()
    assert (tmp_path / "edgelearn.xml").is_file()


def test_the_workflow_of_a_new_project(
    tmp_path: Path, path: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert edgelearn(capsys, "new", "watch", "--example", "wearable").code == 0
    workflow = (tmp_path / "watch" / ".github" / "workflows" / "edgelearn.yml").read_text()
    steps = re.findall(r"^ +run: (edgelearn .*)$", workflow, re.MULTILINE)
    assert len(steps) == 1
    _bash(steps[0], tmp_path / "watch", path)
    assert (tmp_path / "watch" / "edgelearn.xml").is_file()


def test_readme_names_commands_that_exist() -> None:
    named = set(re.findall(r"`?edgelearn ([a-z]+)\b", README)) - {"compiles"}
    assert named <= set(COMMANDS)


def test_readme_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []
