"""ONNX models for the import and export tests, and a way to compare a device graph with onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from edgelearn.graph import Graph
from edgelearn.importers.onnx import load_onnx
from edgelearn.reference import evaluate

Nodes = Sequence[onnx.NodeProto]


def node(op: str, inputs: Sequence[str], output: str, name: str = "", **attrs: Any) -> onnx.NodeProto:
    return helper.make_node(op, list(inputs), [output], name=name, **attrs)


def model(
    nodes: Nodes,
    shape: Sequence[int],
    weights: Mapping[str, np.ndarray] | None = None,
    *,
    opset: int = 17,
    batch: int | str | None = "N",
) -> onnx.ModelProto:
    """A model from `x` (batch, *shape) to `y`; weights become initializers."""
    stored = [numpy_helper.from_array(np.asarray(a), name) for name, a in (weights or {}).items()]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *shape])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(list(nodes), "net", [x], [y], stored)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    made.ir_version = max(helper.find_min_ir_version_for(made.opset_import, True), 4)
    # The checker wants an output shape; its axes may all be open.
    inferred = onnx.shape_inference.infer_shapes(made, data_prop=True).graph.output[0].type.tensor_type
    known = inferred.shape.dim if inferred.HasField("shape") else []
    made.graph.output[0].type.tensor_type.shape.CopyFrom(onnx.TensorShapeProto(dim=known))
    return made


def save(made: onnx.ModelProto, folder: Path, name: str = "net.onnx") -> Path:
    path = folder / name
    path.write_bytes(made.SerializeToString())
    return path


def predict(path: Path, x: np.ndarray) -> np.ndarray:
    """What onnxruntime computes."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: x})[0])


def run(graph: Graph, x: np.ndarray) -> np.ndarray:
    """What the device graph computes, in the user's layout, the batch axis where the file has it."""
    before, behind = graph.meta["batch_axes"]
    samples = graph.meta["input"].to_device(np.moveaxis(x, before, 0))
    out = np.stack([evaluate(graph, sample, np.float32) for sample in samples])
    return np.moveaxis(graph.meta["output"].to_user(out), 0, behind)


def samples(graph: Graph, batch: int, seed: int) -> np.ndarray:
    """Random samples as the file takes them."""
    shape = (batch, *graph.meta["input"].user_shape)
    values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return np.ascontiguousarray(np.moveaxis(values, 0, graph.meta["batch_axes"][0]))


def compare(path: Path, batch: int = 2, seed: int = 0) -> Graph:
    """Import, run both, hold them equal within 1e-5 of the largest value; gives the graph."""
    graph = load_onnx(path)
    x = samples(graph, batch, seed)
    expected, found = predict(path, x), run(graph, x)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * max(1.0, float(np.abs(expected).max())))
    check(graph)
    return graph


def check(graph: Graph) -> None:
    """What every imported graph promises."""
    names = [n.name for n in graph.nodes] + list(graph.tensors)
    assert len(names) == len(set(names))
    assert all(name.isidentifier() and name.isascii() for name in names)
    assert all(len(n.outputs) == 1 and n.origin.index >= 0 and n.origin.file for n in graph.nodes)
    for name, record in graph.meta["export"].items():
        data = graph.tensors[name].data
        assert data is not None
        assert data.dtype == np.float32
        assert len(set(record.order)) == data.size
        assert set(record.order) <= set(range(int(np.prod(record.shape))))


def random(*shape: int, seed: int = 1, scale: float = 0.5) -> np.ndarray:
    return (np.random.default_rng(seed + sum(shape)).normal(size=shape) * scale).astype(np.float32)
