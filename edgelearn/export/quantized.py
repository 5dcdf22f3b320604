"""New values for the constants of an ONNX file that keeps its weights as integers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from edgelearn.errors import InputError
from edgelearn.export.onnx_ranges import input_scales, new_scales
from edgelearn.export.ranges import measured_by
from edgelearn.export.requantize import Requantized, requantized
from edgelearn.export.store import Change, Store
from edgelearn.graph import Graph, Quant
from edgelearn.passes.dequantize import real

if TYPE_CHECKING:
    from edgelearn.importers.onnx.constant import Scales, WeightRecord


def quantized_changes(
    store: Store,
    graph: Graph,
    weights: Mapping[str, np.ndarray],
    others: Mapping[str, np.ndarray],
    samples: np.ndarray | None,
) -> tuple[dict[str, list[Change]], tuple[str, ...]]:
    """What changes in the file if `weights` (float32, by name) take new values, by the constant, and the activations
    that get new ranges for it, measured by `samples`.

    `graph` is the quantised graph of the file itself, `others` are the new values of its float weights. InputError: a
    value is not finite, or the file is another one than the weights came from.
    """
    for name, value in weights.items():
        known = graph.tensors.get(name)
        if known is None or known.shape != value.shape or known.quant is None:
            raise InputError(
                f"the file has no quantised weight '{name}' of shape {value.shape}",
                where=store.where,
                hint="export to the file that was imported, unchanged",
            )
        if not np.isfinite(value).all():
            raise InputError(f"weight '{name}' holds NaN or infinity; a model with it would be of no use")
    changes: dict[str, list[Change]] = {}
    chosen = measured_by(graph, samples)
    everything = {**weights, **{name: value for name, value in others.items() if name in graph.tensors}}
    ranges = {} if chosen is None else new_scales(graph, everything, chosen)
    for name, quant in ranges.items():
        if name in graph.meta["scales"]:
            for change in _scales(store, graph.meta["scales"][name], name, quant):
                changes.setdefault(change.record.source, []).append(change)
    for name, new in requantized(graph, weights, input_scales(graph, ranges)).items():
        record: WeightRecord | None = graph.meta["export"].get(name)
        if record is None or record.coded is None:
            raise InputError(f"'{name}' is computed from other values in the file and can't be written back")
        found = [_integers(store, graph, record, name, new, weights), *_scales(store, record.coded, name, new)]
        for change in found:
            changes.setdefault(change.record.source, []).append(change)
    return changes, tuple(name for name in ranges if name in graph.meta["scales"])


def _integers(
    store: Store, graph: Graph, record: WeightRecord, name: str, new: Requantized, weights: Mapping[str, np.ndarray]
) -> Change:
    """The weight itself: integers, or the real numbers that the file rounds to them when it runs."""
    stored, coded = _read(store, record.source), record.coded
    assert coded is not None
    if stored.dtype.kind in "iu":
        return Change(name, record, record.to_onnx(new.data.astype(np.int64) + coded.shift, stored.dtype.name))
    tensor = graph.tensors[name]
    assert tensor.data is not None
    assert tensor.quant is not None
    before = record.to_onnx(real(tensor.data, tensor.quant))
    value = record.to_onnx(weights[name])
    return Change(name, record, np.where(before == value, stored, value.astype(stored.dtype)))


def _scales(store: Store, coded: Scales, name: str, new: Requantized | Quant) -> Iterator[Change]:
    """The scales and zero points of a tensor, as far as they are constants of their own and change."""
    from edgelearn.importers.onnx.constant import WeightRecord

    zero = np.asarray(new.zero_point) + coded.shift
    for places, values in ((coded.scales, np.asarray(new.scale)), (coded.zeros, zero)):
        for source, uses in places.items():
            stored = _read(store, source)
            flat = stored.ravel().copy()
            flat[coded.order] = values
            if flat.tobytes() != stored.tobytes():
                record = WeightRecord(source, stored.shape, np.arange(stored.size), 1.0, uses)
                yield Change(name, record, flat.reshape(stored.shape))


def _read(store: Store, source: str) -> np.ndarray:
    stored = store.read(source)
    assert stored is not None
    return stored
