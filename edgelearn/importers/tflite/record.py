"""How a trained weight goes back into a TensorFlow Lite file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TfliteRecord:
    """The tensor of the file that a weight is: device layout and file layout have the same order in memory.

    `tensor` is its index in the main graph, `source` its name, `shape` and `type` (FLOAT32, FLOAT16, INT8 or INT32)
    are the file's.
    """

    tensor: int
    source: str
    shape: tuple[int, ...]
    type: str
