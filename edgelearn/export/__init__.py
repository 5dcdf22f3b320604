"""Writes trained weights back into the user's own model file; everything else in it stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgelearn.export.onnx import export_onnx
from edgelearn.export.tflite import export_tflite
from edgelearn.graph import Graph

__all__ = ["export_model", "export_onnx", "export_tflite"]

_TFLITE = b"TFL3"  # at offset 4 of every TensorFlow Lite file


def export_model(
    source_path: str | Path,
    graph: Graph,
    weights: Mapping[str, np.ndarray],
    out_path: str | Path,
    samples: np.ndarray | None = None,
) -> tuple[str, ...]:
    """Write a copy of the model at `source_path`, ONNX or TensorFlow Lite, with new values for the named weights.

    See `export_onnx` and `export_tflite`; the result is a file of the same kind. Gives the names of the activations
    that got new ranges, which only a quantised file does, and only with `samples` to measure them by.
    """
    try:
        with Path(source_path).open("rb") as file:
            start = file.read(8)
    except OSError:
        start = b""  # the importer of the file says what is wrong with it
    write = export_tflite if start[4:] == _TFLITE else export_onnx
    return write(source_path, graph, weights, out_path, samples)
