"""Small quantised ONNX files with random scales, as quantising tools write them, and onnxruntime's word on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

Shape = tuple[int, ...]
DISABLED = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL


class QdqNet:
    """A file under construction, from `x`; `kind` is the type of activations, `weights` that of weights."""

    def __init__(self, seed: int = 0, kind: str = "uint8", weights: str = "int8") -> None:
        self.rng = np.random.default_rng(seed)
        self.kind, self.weights = np.dtype(kind), np.dtype(weights)
        self.nodes: list[onnx.NodeProto] = []
        self.stored: dict[str, np.ndarray] = {}
        self.count = 0

    def node(self, op: str, inputs: Sequence[str], more: Sequence[str] = (), **attrs: Any) -> str:
        """The first output of a node; `more` are the names of others."""
        self.count += 1
        out = f"v{self.count}"
        self.nodes.append(helper.make_node(op, list(inputs), [out, *more], name=f"{op}_{self.count}", **attrs))
        return out

    def const(self, array: Any, name: str = "") -> str:
        self.count += 1
        name = name or f"c{self.count}"
        self.stored[name] = np.asarray(array)
        return name

    def scale(self, scale: Any, zero: Any = None, kind: np.dtype | None = None) -> list[str]:
        """The operands behind a quantised value: its scale, and its zero point if there is one."""
        names = [self.const(np.asarray(scale, np.float32))]
        return names if zero is None else [*names, self.const(np.asarray(zero).astype(kind or self.kind))]

    def zero(self) -> int:
        """A zero point of an activation: often at an end of the range, sometimes anywhere."""
        low, high = np.iinfo(self.kind).min, np.iinfo(self.kind).max
        return int(self.rng.choice([low, (low + high + 1) // 2, self.rng.integers(low, high + 1)]))

    def rounded(self, x: str, scale: float, zero: int) -> str:
        """`x` quantised and dequantised."""
        pair = self.scale(scale, zero)
        return self.node("DequantizeLinear", [self.node("QuantizeLinear", [x, *pair]), *pair])

    def source(self, scale: float = 0.05) -> str:
        """The model's input in int8."""
        return self.rounded("x", scale, self.zero())

    def weight(self, shape: Shape, axis: int | None, name: str = "") -> str:
        """Int8 weights, with a scale for each index of `axis`."""
        centre = 0 if self.weights.kind == "i" else 128
        integers = (self.rng.integers(-127, 128, shape) + centre).astype(self.weights)
        scale = self.rng.uniform(0.002, 0.01, () if axis is None else shape[axis])
        stored = self.const(integers, name)
        zero = np.full(scale.shape, centre)
        attrs = {} if axis is None else {"axis": axis}
        return self.node("DequantizeLinear", [stored, *self.scale(scale, zero, self.weights)], **attrs)

    def bias(self, x_scale: float, weight: str, count: int, name: str = "") -> str:
        """An int32 bias on the scale of input times weight."""
        maker = next(n for n in self.nodes if n.output[0] == weight)
        scale = (np.float32(x_scale) * self.stored[maker.input[1]]).astype(np.float32)
        stored = self.const(self.rng.integers(-3000, 3000, count).astype(np.int32), name)
        attrs = {"axis": 0} if scale.size > 1 else {}
        return self.node("DequantizeLinear", [stored, *self.scale(scale)], **attrs)

    def content(self, y: str, shape: Shape, opset: int = 17) -> onnx.ModelProto:
        """The model from `x` of this sample shape to the value `y`, which becomes the output of that name."""
        stored = [numpy_helper.from_array(array, name) for name, array in self.stored.items()]
        x, end = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape]) for name in ("x", "y"))
        nodes = [*self.nodes, helper.make_node("Identity", [y], ["y"])]
        graph = helper.make_graph(nodes, "net", [x], [end], stored)
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
        made = helper.make_model(graph, opset_imports=opsets, ir_version=10)
        made.graph.output[0].type.tensor_type.ClearField("shape")
        shapes = onnx.shape_inference.infer_shapes(made).graph.output[0].type.tensor_type
        made.graph.output[0].type.tensor_type.CopyFrom(shapes)
        made.graph.output[0].type.tensor_type.shape.SetInParent()  # the checker wants one, known or not
        return made


def session(content: bytes | onnx.ModelProto) -> onnxruntime.InferenceSession:
    """onnxruntime without its optimisations: every node as it is written, casts in single precision."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    options.graph_optimization_level = DISABLED
    content = content if isinstance(content, bytes) else content.SerializeToString()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def predict(content: bytes | onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    """What onnxruntime computes, one sample at a time."""
    runtime = session(content)
    name = runtime.get_inputs()[0].name
    return np.concatenate([runtime.run(None, {name: sample[None]})[0] for sample in x])


def quantised(folder: Path, made: onnx.ModelProto, samples: np.ndarray, **settings: Any) -> Path:
    """A float model quantised by onnxruntime's own tool with fixed scales."""
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.left = iter([{made.graph.input[0].name: sample[None]} for sample in samples])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.left, None)

    source, path = folder / "float.onnx", folder / "quantised.onnx"
    onnx.save(made, source)
    quantize_static(str(source), str(path), Reader(), **settings)
    return path


def initializers(path: Path) -> dict[str, bytes]:
    """The stored constants of a file, with shape and type."""
    return {t.name: t.SerializeToString() for t in onnx.load(path).graph.initializer}


def arrays(path: Path) -> dict[str, np.ndarray]:
    """The stored constants of a file."""
    return {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
