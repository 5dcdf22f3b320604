"""Writes trained weights back into the user's own ONNX file; everything else in it stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgelearn.errors import InputError
from edgelearn.export.files import write_whole
from edgelearn.graph import Graph

if TYPE_CHECKING:
    import onnx

    from edgelearn.importers.onnx import WeightRecord


@dataclass(frozen=True)
class _Change:
    """One trained weight with its new value in the file's layout."""

    name: str
    record: WeightRecord
    value: np.ndarray


def export_onnx(source_path: str | Path, graph: Graph, weights: Mapping[str, np.ndarray], out_path: str | Path) -> None:
    """Write a copy of the model at `source_path` with new values for the named weights.

    `graph` is what the importer made of that file; `weights` are float arrays in device layout by tensor name, not
    necessarily all. A weight that did not change keeps its exact bits. Where the file uses one tensor in several
    places and the places were trained apart, the trained ones get tensors of their own.

    Raises InputError: a name is no weight of the file, a shape differs, the file is not the one that was imported,
    or the result can't be written. The output appears whole or not at all.
    """
    from edgelearn.importers.onnx.file import read_model

    model, _ = read_model(Path(source_path))
    where = Path(source_path).name
    store = _Store(model, where)
    changes: dict[str, list[_Change]] = {}
    for name, array in weights.items():
        record = _record(graph, name, array)
        original = store.read(record.source)
        if original is None or original.shape != record.shape or original.dtype not in (np.float32, np.float16):
            raise InputError(
                f"the file has no tensor '{record.source}' of shape {record.shape}, which '{name}' came from",
                where=where,
                hint="export to the file that was imported, unchanged",
            )
        value = _narrowed(_restored(record, array, original.astype(np.float32)), original, name)
        if value.tobytes() != original.tobytes():
            changes.setdefault(record.source, []).append(_Change(name, record, value))
    for source, found in changes.items():
        _apply(store, source, found)
    _write(model, Path(out_path))


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
    """The new value in the file's layout; elements that the training left alone keep their bits."""
    value = record.to_onnx(array)
    if record.scale == 1.0:
        return value
    # Dividing by a folded factor rounds: compare in device values, where unchanged means equal.
    before = (original.ravel()[record.order].astype(np.float64) * record.scale).astype(np.float32)
    same = np.empty(record.order.size, bool)
    same[record.order] = before == np.asarray(array, np.float32).ravel()
    return np.where(same.reshape(record.shape), original, value)


def _narrowed(value: np.ndarray, original: np.ndarray, name: str) -> np.ndarray:
    """The value in the file's own format; InputError if it does not fit."""
    with np.errstate(over="ignore"):
        narrow = value.astype(original.dtype)
    if np.isinf(narrow).sum() > np.isinf(value).sum():
        raise InputError(f"weight '{name}' has grown beyond what the file's float16 can hold")
    return narrow


def _apply(store: _Store, source: str, changes: Sequence[_Change]) -> None:
    uses = store.uses(source)
    claimed = {use for change in changes for use in change.record.uses}
    if uses <= claimed and all(c.value.tobytes() == changes[0].value.tobytes() for c in changes):
        store.write(source, changes[0].value)
        return
    if len(claimed) != sum(len(change.record.uses) for change in changes):
        names = " and ".join(f"'{change.name}'" for change in changes)
        raise InputError(
            f"{names} come from one tensor '{source}' through one node and were trained apart",
            where=store.where,
            hint="train only one of them",
        )
    # The last one may keep the tensor if nothing else reads it any more.
    rest = list(changes)
    if uses <= claimed:
        store.write(source, rest.pop().value)
    for change in rest:
        store.split(source, change.name, change.value, change.record.uses)


class _Store:
    """The constants of a model, readable and writable by name, be they initializers or Constant nodes."""

    def __init__(self, model: onnx.ModelProto, where: str) -> None:
        self.model = model
        self.where = where
        self.initializers = {tensor.name: tensor for tensor in model.graph.initializer}
        self.constants = {
            node.output[0]: node.attribute[0]
            for node in model.graph.node
            if node.op_type == "Constant" and node.output and node.attribute
        }

    def read(self, name: str) -> np.ndarray | None:
        """The value of a constant, or None if there is none of that name."""
        from edgelearn.importers.onnx.file import as_array

        if name in self.initializers:
            return as_array(self.initializers[name], self.where)
        attribute = self.constants.get(name)
        if attribute is None:
            return None
        if attribute.name == "value":
            return as_array(attribute.t, self.where)
        if attribute.name in ("value_float", "value_floats"):
            return np.asarray(attribute.f if attribute.name == "value_float" else list(attribute.floats), np.float32)
        return None

    def write(self, name: str, value: np.ndarray) -> None:
        """Give a constant that exists another value of the same shape."""
        if name in self.initializers:
            _fill(self.initializers[name], value)
            return
        attribute = self.constants[name]
        if attribute.name == "value":
            _fill(attribute.t, value)
        elif attribute.name == "value_float":
            attribute.f = float(value)
        else:
            attribute.floats[:] = [float(v) for v in value]

    def uses(self, name: str) -> set[tuple[int, int]]:
        """All (node, input) pairs that read a constant."""
        nodes = enumerate(self.model.graph.node)
        return {(k, slot) for k, node in nodes for slot, read in enumerate(node.input) if read == name}

    def split(self, source: str, name: str, value: np.ndarray, uses: Sequence[tuple[int, int]]) -> None:
        """Give some uses of a constant a tensor of their own."""
        import onnx

        from edgelearn.graph import unique_name

        graph = self.model.graph
        taken = {text for node in graph.node for text in (*node.input, *node.output)} | self.initializers.keys()
        own = unique_name(f"{source}_{name}", taken)
        graph.initializer.append(onnx.numpy_helper.from_array(np.ascontiguousarray(value), own))
        self.initializers[own] = graph.initializer[-1]
        # Before IR version 4 every initializer had to be an input as well.
        if self.model.ir_version < 4:
            kind = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
            graph.input.append(onnx.helper.make_tensor_value_info(own, kind, value.shape))
        for index, slot in uses:
            graph.node[index].input[slot] = own


def _fill(tensor: onnx.TensorProto, value: np.ndarray) -> None:
    tensor.ClearField("float_data")
    tensor.ClearField("int32_data")  # where float16 may be kept
    tensor.raw_data = np.ascontiguousarray(value, "<f2" if value.dtype == np.float16 else "<f4").tobytes()


def _write(model: onnx.ModelProto, path: Path) -> None:
    import onnx

    onnx.checker.check_model(model)
    write_whole(path, model.SerializeToString())
