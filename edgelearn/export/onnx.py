"""Writes trained weights back into the user's own ONNX file; everything else in it stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgelearn.errors import InputError
from edgelearn.export.files import write_whole
from edgelearn.export.quantized import quantized_changes
from edgelearn.export.store import Change, Store, apply
from edgelearn.graph import Graph
from edgelearn.passes.dequantize import is_quantized

if TYPE_CHECKING:
    import onnx

    from edgelearn.importers.onnx import WeightRecord


def export_onnx(
    source_path: str | Path,
    graph: Graph,
    weights: Mapping[str, np.ndarray],
    out_path: str | Path,
    samples: np.ndarray | None = None,
) -> tuple[str, ...]:
    """Write a copy of the model at `source_path` with new values for the named weights.

    `graph` is what the importer made of that file, quantised or dequantised; `weights` are float arrays in device
    layout by tensor name, not necessarily all. Weights that the file quantises are quantised anew with the scales that
    their new range needs. A weight, and of quantised ones a channel, that did not change keeps its exact bits. Where
    the file uses one tensor in several places and the places were trained apart, the trained ones get tensors of their
    own. With `samples`, real numbers (N, *input shape) in the user's layout, quantised activations behind changed
    weights get new ranges where their old ones do not fit; gives the names of those.

    Raises InputError: a name is no weight of the file, a shape differs, the file is not the one that was imported,
    or the result can't be written. The output appears whole or not at all.
    """
    from edgelearn.importers.onnx import load_onnx
    from edgelearn.importers.onnx.file import read_model

    model, _ = read_model(Path(source_path))
    where = Path(source_path).name
    store = Store(model, where)
    changes: dict[str, list[Change]] = {}
    quantised = {}
    for name, array in weights.items():
        record = _record(graph, name, array)
        if record.coded is not None:
            quantised[name] = np.asarray(array, np.float32)
            continue
        original = store.read(record.source)
        if original is None or original.shape != record.shape or original.dtype not in (np.float32, np.float16):
            raise InputError(
                f"the file has no tensor '{record.source}' of shape {record.shape}, which '{name}' came from",
                where=where,
                hint="export to the file that was imported, unchanged",
            )
        value = _narrowed(_restored(record, array, original.astype(np.float32)), original, name)
        if value.tobytes() != original.tobytes():
            changes.setdefault(record.source, []).append(Change(name, record, value))
    ranges: tuple[str, ...] = ()
    if quantised or (weights and is_quantized(graph)):
        others = {name: np.asarray(array, np.float32) for name, array in weights.items() if name not in quantised}
        found, ranges = quantized_changes(store, load_onnx(source_path), quantised, others, samples)
        for source, made in found.items():
            changes.setdefault(source, []).extend(made)
    for source, parts in changes.items():
        apply(store, source, parts)
    _write(model, Path(out_path))
    return ranges


def _record(graph: Graph, name: str, array: np.ndarray) -> WeightRecord:
    records: Mapping[str, WeightRecord] = graph.meta["export"]
    record = records.get(name)
    if record is None:
        known = ", ".join(records)
        computed = name in graph.tensors
        why = "is computed from other values in the file" if computed else "is no weight of this model"
        raise InputError(f"'{name}' {why} and can't be written back", hint=f"the weights are: {known}")
    tensor = graph.tensors.get(name)
    expected = tensor.shape if tensor is not None else (record.order.size,)
    if tuple(array.shape) != expected:
        raise InputError(f"weight '{name}' has shape {tuple(array.shape)}, expected {expected}")
    return record


def _restored(record: WeightRecord, array: np.ndarray, original: np.ndarray) -> np.ndarray:
    """The new value in the file's layout; elements that the training left alone, or that are no part of it, keep their
    bits.
    """
    flat, device = original.ravel().copy(), np.asarray(array, np.float32).ravel()
    # Dividing by a folded factor rounds: compare in device values, where unchanged means equal.
    before = (flat[record.order].astype(np.float64) * record.scale).astype(np.float32)
    changed = before != device
    flat[record.order[changed]] = device[changed].astype(np.float64) / record.scale
    return flat.reshape(record.shape)


def _narrowed(value: np.ndarray, original: np.ndarray, name: str) -> np.ndarray:
    """The value in the file's own format; InputError if it does not fit."""
    with np.errstate(over="ignore"):
        narrow = value.astype(original.dtype)
    if np.isinf(narrow).sum() > np.isinf(value).sum():
        raise InputError(f"weight '{name}' has grown beyond what the file's float16 can hold")
    return narrow


def _write(model: onnx.ModelProto, path: Path) -> None:
    import onnx

    onnx.checker.check_model(model)
    write_whole(path, model.SerializeToString())
