"""Import of ONNX models: `load_onnx` reads a file and gives the device graph."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx

from edgelearn.errors import InputError
from edgelearn.graph import Graph, Layout, unique_name
from edgelearn.importers.norms import gather_norms
from edgelearn.importers.onnx.call import HANDLERS
from edgelearn.importers.onnx.constant import WeightRecord
from edgelearn.importers.onnx.convert import Conversion, convert
from edgelearn.importers.onnx.file import batch_axes, one_input, one_output, read_model
from edgelearn.importers.onnx.marks import KEY, marks
from edgelearn.importers.onnx.names import identifier
from edgelearn.importers.onnx.view import View

__all__ = ["WeightRecord", "load_onnx"]


def load_onnx(path: str | Path) -> Graph:
    """The device graph of an ONNX file (opset 7 to 21, one float32 input, one output).

    Tensors are channels-last and have no batch axis; weights are CONST. `meta` has `input` and `output` (Layout),
    `batch_axes` (where input and output of the file have the batch), `source` (the path), `export` (WeightRecord by
    weight name, for those that can be written back), `scales` (Scales of quantised activations by name) and `warnings`.
    A quantised model keeps its integers, as that of `load_tflite` does.
    Raises InputError: the file can't be read or is damaged, or nodes are not supported, listed all at once.
    """
    path = Path(path)
    model, opset = read_model(path)
    best: Conversion | None = None
    for batch, order in _readings(model.graph, path.name):
        found = convert(model, opset, path.name, order, batch)
        if best is None or found.rank < best.rank:
            best = found
        if not any(best.rank):
            break
    assert best is not None
    if best.problems or best.result is None:
        raise _unsupported(best.problems, path.name)
    return _marked(_graph(best, best.result, path, one_output(model.graph, path.name)), model)


def _marked(graph: Graph, model: onnx.ModelProto) -> Graph:
    """The graph with meta["shift"]: bits and k of the weights that the file's note names."""
    found = marks(model)
    if found is None:
        text = f"the metadata '{KEY}' is not what edgelearn shift writes: its weights stay float32"
        return graph.replace(meta={**graph.meta, "warnings": (*graph.meta["warnings"], text)})
    records: dict[str, WeightRecord] = graph.meta["export"]
    shift = {name: found[record.source] for name, record in records.items() if record.source in found}
    return graph.replace(meta={**graph.meta, "shift": shift}) if shift else graph


def _readings(graph: onnx.GraphProto, where: str) -> list[tuple[int, tuple[int, ...]]]:
    """What may be the input's batch axis, and the order of the other axes in memory.

    The order is ours to choose: channels last suits most models, the user's own order those that start with a transpose
    of their own. The one that moves less memory wins.
    """
    found: list[tuple[int, tuple[int, ...]]] = []
    for batch in batch_axes(graph, where):
        rank = len(one_input(graph, where, batch)[1])
        orders = [(*range(1, rank), 0)] if rank in (2, 3) else []
        found += [(batch, order) for order in dict.fromkeys((*orders, tuple(range(rank))))]
    return found


def _unsupported(problems: tuple[str, ...], where: str) -> InputError:
    count = len(problems)
    noun = "1 node is" if count == 1 else f"{count} nodes are"
    known = ", ".join(sorted(HANDLERS))
    return InputError(f"{noun} not supported", where=where, details=problems, hint=f"ops that can be imported: {known}")


def _graph(found: Conversion, result: View, path: Path, output: str) -> Graph:
    builder = found.builder
    layouts = []
    for title, view, name in (("input", found.input, builder.input), ("output", result, result.tensor)):
        layout = _layout(view, builder.tensors[name].shape, name)
        if layout is None:
            problem = f"{title}: {view.user_shape} lies in memory in an order that no permutation of its axes gives"
            raise _unsupported((problem,), path.name)
        layouts.append(layout)
    tensors, nodes = dict(builder.tensors), list(builder.nodes)
    name = unique_name(identifier(output, "output"), (tensors.keys() | {n.name for n in nodes}) - {result.tensor})
    if result.tensor != builder.input:
        tensors = {
            (name if key == result.tensor else key): (replace(t, name=name) if key == result.tensor else t)
            for key, t in tensors.items()
        }
        nodes = [
            replace(
                node,
                inputs=tuple(name if n == result.tensor else n for n in node.inputs),
                outputs=tuple(name if n == result.tensor else n for n in node.outputs),
            )
            for node in nodes
        ]
    meta = {
        "input": layouts[0],
        "output": replace(layouts[1], name=name),
        "batch_axes": (found.input.batch, result.batch),
        "source": str(path),
        "export": builder.records(found.shapes),
        "scales": {name if key == result.tensor else key: scales for key, scales in builder.ranges.items()},
        "warnings": tuple(builder.warnings),
    }
    graph = Graph(identifier(path.stem, "model"), tensors, tuple(nodes), (builder.input,), (name,), meta)
    return gather_norms(graph)


def _layout(view: View, shape: tuple[int, ...], name: str) -> Layout | None:
    """The view as a permutation of whole axes, or None if it is none."""
    if any(len(axis) > 1 for axis in view.axes):
        return None
    strides = [axis[0][1] if axis else 0 for axis in view.axes]
    # Axes of size 1 may stand anywhere: last is as good as any.
    perm = tuple(int(k) for k in np.argsort([-s for s in strides], kind="stable"))
    return Layout(name, view.user_shape, perm, shape)
