"""Writes a model file whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from edgelearn.errors import InputError


def write_whole(path: Path, content: bytes) -> None:
    """Write beside the target and rename, so that nobody ever finds half a model. InputError if that fails."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"can't write the model: {reason}", where=str(path)) from None
