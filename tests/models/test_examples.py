"""The committed files of the examples are those that their scripts make of the pinned assets."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.cli import ROOT, environment
from tools.fetch_assets import fetch


@pytest.mark.parametrize("example", ["ecg", "digits"])
def test_the_script_makes_the_files_again(example: str) -> None:
    command = [sys.executable, str(ROOT / "tools" / f"make_{example}.py"), "--check"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{example}: nothing differs\n"), done.stderr


def test_the_keyword_model_is_the_pinned_one() -> None:
    """The archive beside it hangs on the versions of two speech synthesisers: `tools/make_keywords.py --check`."""
    assert (ROOT / "examples" / "keywords" / "ds_cnn.tflite").read_bytes() == fetch("keyword_spotting").read_bytes()
