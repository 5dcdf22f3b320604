"""Import of TensorFlow Lite models, float and int8: `load_tflite` reads a file and gives the device graph."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgelearn.errors import InputError
from edgelearn.graph import Graph, Layout, unique_name
from edgelearn.importers.onnx.names import identifier
from edgelearn.importers.tflite.builder import Builder
from edgelearn.importers.tflite.call import HANDLERS, Value
from edgelearn.importers.tflite.convert import convert
from edgelearn.importers.tflite.file import MAGIC, File
from edgelearn.importers.tflite.names import edge_name
from edgelearn.importers.tflite.parse import read_file
from edgelearn.importers.tflite.record import TfliteRecord

__all__ = ["MAGIC", "TfliteRecord", "load_tflite"]


def load_tflite(path: str | Path) -> Graph:
    """The device graph of a TensorFlow Lite file with one input, one output and a batch of 1.

    An int8 model keeps its integers: activations and weights are S8 with `quant`, biases S32 with the scale that the
    runtime uses (input times weight); `quantize` and `dequantize` nodes stand where the file has them, so that a
    float-input int8 model has a float INPUT. `passes.dequantize` turns all of it into float32. Where a float layer
    has int8 weights, only the weights carry `quant`. Weights are CONST. `meta` has `input` and `output` (Layout),
    `source` (the path), `export` (TfliteRecord by name, for weights that can be written back) and `warnings`.
    Raises InputError: the file can't be read or is damaged, or nodes are not supported, listed all at once.
    """
    path = Path(path)
    file = read_file(path)
    found = convert(file)
    if found.result is None:
        raise _unsupported(found.problems, path.name)
    return _graph(file, found.builder, found.result, path)


def _unsupported(problems: tuple[str, ...], where: str) -> InputError:
    count = len(problems)
    noun = "1 node is" if count == 1 else f"{count} nodes are"
    known = ", ".join(sorted(HANDLERS))
    return InputError(f"{noun} not supported", where=where, details=problems, hint=f"ops that can be imported: {known}")


def _graph(file: File, builder: Builder, result: Value, path: Path) -> Graph:
    graph = builder.graph(identifier(path.stem, "model"), result.tensor, {})
    wanted = edge_name(file.tensors[file.outputs[0]].name, "output")
    name = unique_name(wanted, (graph.tensors.keys() | {n.name for n in graph.nodes}) - {result.tensor})
    tensors = {
        (name if key == result.tensor else key): (replace(t, name=name) if key == result.tensor else t)
        for key, t in graph.tensors.items()
    }
    nodes = [
        replace(
            node,
            inputs=tuple(name if n == result.tensor else n for n in node.inputs),
            outputs=tuple(name if n == result.tensor else n for n in node.outputs),
        )
        for node in graph.nodes
    ]
    layouts = [
        Layout(key, shape, tuple(range(len(shape))), tensors[key].shape)
        for key, shape in ((builder.input, file.tensors[file.inputs[0]].shape[1:]), (name, result.shape[1:]))
    ]
    meta = {
        "input": layouts[0],
        "output": layouts[1],
        "source": str(path),
        "export": builder.records(file),
        "warnings": tuple(builder.warnings),
    }
    return graph.replace(tensors=tensors, nodes=nodes, outputs=(name,), meta=meta)
