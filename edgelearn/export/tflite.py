"""Writes trained weights into a TensorFlow Lite file: its bytes stay, weights and their scales are patched in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgelearn.errors import InputError
from edgelearn.export.files import write_whole
from edgelearn.export.ranges import input_scales, measured_by, new_ranges
from edgelearn.export.requantize import requantized
from edgelearn.formats import F32
from edgelearn.graph import Graph, Quant

if TYPE_CHECKING:
    from edgelearn.importers.tflite.file import File, FileTensor


def export_tflite(
    source_path: str | Path,
    graph: Graph,
    weights: Mapping[str, np.ndarray],
    out_path: str | Path,
    samples: np.ndarray | None = None,
) -> tuple[str, ...]:
    """Write a copy of the model at `source_path` with new values for the named weights.

    `graph` is what the importer made of that file, quantised or dequantised; `weights` are float arrays in device
    layout by tensor name, not necessarily all. Int8 weights are quantised anew with the scales that their new range
    needs (as many as the file has), biases with the scales that follow. A weight, and of int8 weights a channel, that
    did not change keeps its exact bits. With `samples`, real numbers (N, *input shape) in the user's layout, the
    activations behind changed weights get new ranges where their old ones do not fit; gives the names of those.

    Raises InputError: a name is no weight of the file, a shape differs, a value is not finite or does not fit the
    file's format, the file is not the one that was imported, or the result can't be written. The output appears whole
    or not at all.
    """
    from edgelearn.importers.tflite import load_tflite
    from edgelearn.importers.tflite.file import Span
    from edgelearn.importers.tflite.parse import parse, read_file

    source = Path(source_path)
    file, own = read_file(source), load_tflite(source)
    arrays = {name: _checked(name, array, graph, own, source.name) for name, array in weights.items()}
    content = bytearray(file.content)

    def put(span: Span | None, data: bytes) -> None:
        assert span is not None
        assert span.nbytes == len(data)
        content[span.offset : span.offset + span.nbytes] = data

    for name, array in arrays.items():
        stored = file.tensors[own.meta["export"][name].tensor]
        tensor = own.tensors[name]
        if tensor.format is F32 and not np.array_equal(array, np.asarray(tensor.data)):
            put(stored.span, _packed(name, array, stored.type))
    ranges = _ranges(file, own, arrays, samples)
    for index, quant in ranges.items():
        put(file.tensors[index].scale_span, np.asarray(quant.scale, "<f4").tobytes())
        put(file.tensors[index].zero_span, np.asarray(quant.zero_point, "<i8").tobytes())
    for name, new in requantized(own, arrays, input_scales(file, own, ranges)).items():
        record = own.meta["export"].get(name)
        if record is None:
            raise InputError(f"'{name}' shares its bytes with other tensors and can't be written back", where=file.name)
        stored = file.tensors[record.tensor]
        put(stored.span, new.data.tobytes())
        if stored.scale_span is not None and len(stored.scale) == len(new.scale):
            _alone(file.tensors, stored.index, file.name)
            put(stored.scale_span, np.asarray(new.scale, "<f4").tobytes())
    parse(bytes(content), source.name)
    write_whole(Path(out_path), bytes(content))
    return tuple(file.tensors[index].name for index in sorted(ranges))


def _ranges(file: File, own: Graph, weights: Mapping[str, np.ndarray], samples: np.ndarray | None) -> dict[int, Quant]:
    chosen = measured_by(own, samples)
    return {} if chosen is None else new_ranges(file, own, weights, chosen)


def _checked(name: str, array: np.ndarray, graph: Graph, own: Graph, where: str) -> np.ndarray:
    """A new value as float32, once it is sure that it belongs to this file."""
    known = graph.meta["export"].get(name)
    if known is None:
        why = "can't be written back" if name in graph.tensors else "is no weight of this model"
        raise InputError(f"'{name}' {why}", hint=f"the weights are: {', '.join(graph.meta['export'])}")
    if own.meta["export"].get(name) != known or own.tensors[name].shape != graph.tensors[name].shape:
        raise InputError(
            f"the file has no tensor '{known.source}' of shape {known.shape}, which '{name}' came from",
            where=where,
            hint="export to the file that was imported, unchanged",
        )
    if tuple(array.shape) != own.tensors[name].shape:
        raise InputError(f"weight '{name}' has shape {tuple(array.shape)}, expected {own.tensors[name].shape}")
    value = np.asarray(array, np.float32)
    if not np.isfinite(value).all():
        raise InputError(f"weight '{name}' holds NaN or infinity; a model with it would be of no use")
    return value


def _packed(name: str, array: np.ndarray, kind: str) -> bytes:
    if kind == "FLOAT32":
        return array.astype("<f4").tobytes()
    if np.abs(array).max(initial=0.0) > np.finfo(np.float16).max:
        raise InputError(f"weight '{name}' holds a value too large for float16, in which the file keeps it")
    return array.astype("<f2").tobytes()


def _alone(tensors: Sequence[FileTensor], index: int, where: str) -> None:
    """InputError if another tensor keeps its scales in the same bytes."""
    spans = [tensor.scale_span for tensor in tensors]
    if spans.count(spans[index]) > 1:
        raise InputError(f"tensor {index} shares its scales with another one and can't be quantised anew", where=where)
