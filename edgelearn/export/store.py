"""The constants of an ONNX file, and new values for some of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edgelearn.errors import InputError

if TYPE_CHECKING:
    import onnx

    from edgelearn.importers.onnx import WeightRecord


@dataclass(frozen=True)
class Change:
    """One trained weight with its new value in the file's layout."""

    name: str
    record: WeightRecord
    value: np.ndarray


def joined(changes: Sequence[Change]) -> list[Change]:
    """The changes, those joined that are parts of one constant read by one node: a recurrent layer's two biases."""
    whole: list[Change] = []
    for change in changes:
        order = change.record.order
        for k, other in enumerate(whole):
            if other.record.uses == change.record.uses and not np.isin(order, other.record.order).any():
                value = other.value.copy()
                value.flat[order] = change.value.flat[order]
                record = replace(other.record, order=np.concatenate((other.record.order, order)))
                whole[k] = Change(other.name, record, value)
                break
        else:
            whole.append(change)
    return whole


def apply(store: Store, source: str, changes: Sequence[Change]) -> None:
    """Write the new values of one constant; uses of it that took different ones get constants of their own."""
    uses, changes = store.uses(source), joined(changes)
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


class Store:
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
    tensor.ClearField("int32_data")  # where float16 and small integers may be kept
    tensor.raw_data = np.ascontiguousarray(value, value.dtype.newbyteorder("<")).tobytes()
