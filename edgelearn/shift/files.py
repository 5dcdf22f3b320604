"""Shift networks as ONNX files: float weights that are signed powers of two, and a note of which ones they are.

Any runtime runs such a file; importers/onnx/marks.py reads the note.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgelearn.errors import InputError
from edgelearn.export import export_onnx
from edgelearn.export.files import write_whole
from edgelearn.export.store import Store
from edgelearn.graph import Graph
from edgelearn.shift.norms import product_and_sum
from edgelearn.shift.tuning import Shifted


def epsilons(source: Path, graph: Graph) -> dict[str, float]:
    """The norms of an imported ONNX file that are BatchNormalization there, by the name of their means: epsilon."""
    from edgelearn.importers.onnx.file import read_model

    nodes = read_model(source)[0].graph.node
    found = {}
    for node in graph.nodes:
        proto = nodes[node.origin.index] if node.op == "batch_norm" and node.origin.index >= 0 else None
        if proto is not None and proto.op_type == "BatchNormalization":
            given = [a.f for a in proto.attribute if a.name == "epsilon"]
            found[node.inputs[3]] = float(given[0]) if given else 1e-5
    return found


def write(
    source: Path, graph: Graph, values: Mapping[str, np.ndarray], shifted: Mapping[str, Shifted],
    live: Mapping[str, float], out: Path,
) -> None:  # fmt: skip
    """Write the file at `source` with new weights, new statistics of its `live` norms, and the note.

    `values` has weights and statistics in device layout; `graph` is the imported one. InputError if that can't be.
    """
    import onnx

    from edgelearn.importers.onnx.marks import KEY, note

    records = graph.meta["export"]
    weights = {name: value for name, value in values.items() if name in records}
    norms = [node for node in graph.nodes if node.op == "batch_norm" and node.inputs[3] in live]
    fused = epsilons(source, graph)
    for node in norms:
        if node.inputs[3] not in fused:
            weights |= product_and_sum(graph, node, values)
    partial = out.with_name(f".{out.name}.partial")
    try:
        export_onnx(source, graph, weights, partial)
        model = onnx.load(partial)
    finally:
        partial.unlink(missing_ok=True)
    store = Store(model, source.name)
    for node in norms:
        if node.inputs[3] in fused:
            mean, inv_std = (values[name] for name in node.inputs[3:])
            _write_norm(store, node.origin.index, mean, inv_std, live[node.inputs[3]])
    text = note({records[name].source: (s.bits, s.k) for name, s in shifted.items()})
    for entry in [entry for entry in model.metadata_props if entry.key == KEY]:
        model.metadata_props.remove(entry)
    model.metadata_props.add(key=KEY, value=text)
    onnx.checker.check_model(model)
    write_whole(out, model.SerializeToString())


def _write_norm(store: Store, index: int, mean: np.ndarray, inv_std: np.ndarray, epsilon: float) -> None:
    """Running mean and variance as constants of a node's own: an exporter lets nodes share what was equal once."""
    variance = np.maximum(1 / np.square(inv_std.astype(np.float64)) - epsilon, 0).astype(np.float32)
    for slot, value in ((3, mean), (4, variance)):
        name = store.model.graph.node[index].input[slot]
        held = store.read(_source(store, name))
        if held is None or held.size != value.size:
            raise InputError(f"the file has no constant '{name}' of {value.size} values", where=store.where)
        value = value.astype(held.dtype).reshape(held.shape)
        if store.uses(name) == {(index, slot)} and store.read(name) is not None:
            store.write(name, value)
        else:
            store.split(name, "own", value, [(index, slot)])


def _source(store: Store, name: str) -> str:
    """The constant that a name stands for, through Identity nodes."""
    copies = {node.output[0]: node.input[0] for node in store.model.graph.node if node.op_type == "Identity"}
    while name in copies:
        name = copies[name]
    return name
