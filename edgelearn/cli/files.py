"""Files appear whole or not at all: written beside their place and renamed."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

import numpy as np

from edgelearn.errors import InputError, UsageError

_locks: dict[Path, TextIO] = {}  # a lock lasts as long as its file is open


def make_folder(path: Path) -> Path:
    """The folder, made if it is not there."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot("make the folder", path, error) from None
    return path


def check_file(path: str | None, flag: str) -> None:
    """UsageError, before anything is done, for a file that can't be written in the end because a folder is there."""
    if path is not None and Path(path).is_dir():
        raise UsageError("this is a folder, not a file to write", where=f"{flag} {path}")


def lock_folder(path: Path) -> None:
    """Keep other edgelearn processes out of a folder until this one ends; InputError if one is in it already."""
    make_folder(path)
    if path.resolve() in _locks:
        return
    try:
        lock = (path / ".lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(
            "another edgelearn is at work in this folder", where=str(path), hint="wait for it, or give another --out"
        ) from None
    except OSError as error:
        raise _cannot("write to the folder", path, error) from None
    _locks[path.resolve()] = lock


def write_bytes(path: Path, data: bytes) -> None:
    """Replace a file in one go."""
    make_folder(path.parent)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        raise _cannot("write", path, error) from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replace a text file in one go."""
    write_bytes(path, text.encode())


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Save arrays by name as an npz archive."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # numpy's stub takes a keyword for one of its own
    write_bytes(path, buffer.getvalue())


def _cannot(what: str, path: Path, error: OSError) -> InputError:
    return InputError(f"can't {what}: {(error.strerror or str(error)).lower()}", where=str(path))
