"""A worker of `tools/fuzz_models.py` whose importer does what a bug could do, chosen by the length of the file."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from edgelearn import importers
from edgelearn.errors import InputError
from tools import fuzz_models


def case(files: list[bytes], kind: str, seed: int, number: int) -> bytes:
    """In place of damage: as many bytes as the case's number."""
    return b"x" * number


def _load(path: Path) -> Any:
    size = path.stat().st_size
    if size == 1:
        os.abort()
    if size == 2:
        time.sleep(60)
    if size == 3:
        bytearray(1 << 40)
    if size == 4:
        raise KeyError("x")
    raise InputError("no model")


def work(*task: Any) -> None:
    """The worker's function."""
    importers.load, fuzz_models.case = _load, case
    fuzz_models.work(*task)
