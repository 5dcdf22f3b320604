"""The numbers that kernel cases are made of: float32, or, within `in_halves`, float32 that a half can be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

_formats = [np.float32]


@contextmanager
def in_halves() -> Iterator[None]:
    """Cases that are made here can be computed in half precision."""
    _formats.append(np.float16)
    try:
        yield
    finally:
        _formats.pop()


def real(values: np.ndarray) -> np.ndarray:
    """As float32, rounded to the format that cases are made for."""
    with np.errstate(over="ignore"):
        return np.asarray(values).astype(_formats[-1]).astype(np.float32)
