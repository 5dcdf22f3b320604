"""Small TensorFlow Lite files made with the schema itself, and what their own runtime says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import tflite

from edgelearn.graph import Graph
from edgelearn.importers.tflite import load_tflite
from edgelearn.importers.tflite.options import FIELDS
from edgelearn.interpreter import Interpreter
from edgelearn.ops import OPS
from edgelearn.passes.dequantize import dequantize, real
from edgelearn.reference import evaluate

SAME, VALID = 0, 1
NONE, RELU, RELU_N1_TO_1, RELU6, TANH = range(5)


@dataclass
class _Tensor:
    name: str
    shape: tuple[int, ...]
    type: str
    buffer: int
    scale: tuple[float, ...]
    zero: tuple[int, ...]
    axis: int


@dataclass
class _Op:
    op: str
    inputs: list[int]
    output: int
    options: dict[str, Any]


@dataclass
class TfliteNet:
    """A file under construction: `tensor`, `const` and `op` give indices of tensors."""

    tensors: list[_Tensor] = field(default_factory=list)
    buffers: list[bytes] = field(default_factory=lambda: [b""])
    ops: list[_Op] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)

    def tensor(
        self, shape: Sequence[int], kind: str = "FLOAT32", name: str = "", scale: Any = (), zero: Any = (),
        axis: int = 0, buffer: int = 0,
    ) -> int:  # fmt: skip
        scale = tuple(np.atleast_1d(scale).astype(float)) if np.size(scale) else ()
        zero = tuple(int(z) for z in np.broadcast_to(zero if np.size(zero) else 0, len(scale)))
        name = name or f"t{len(self.tensors)}"
        self.tensors.append(_Tensor(name, tuple(shape), kind, buffer, scale, zero, axis))
        return len(self.tensors) - 1

    def const(self, array: np.ndarray, name: str = "", **quant: Any) -> int:
        kind = {"f4": "FLOAT32", "f2": "FLOAT16", "i1": "INT8", "i4": "INT32", "i8": "INT64"}[array.dtype.str[1:]]
        self.buffers.append(np.ascontiguousarray(array).tobytes())
        return self.tensor(array.shape, kind, name, buffer=len(self.buffers) - 1, **quant)

    def op(self, op: str, inputs: Sequence[int], shape: Sequence[int], options: Any = None, **out: Any) -> int:
        """Add a node; `out` describes its output tensor. Options that are not named are 0, dilation and beta 1."""
        output = self.tensor(shape, **out)
        self.ops.append(_Op(op, list(inputs), output, dict(options or {})))
        self.outputs = [output]
        return output

    def input(self, shape: Sequence[int], kind: str = "FLOAT32", **quant: Any) -> int:
        self.inputs.append(self.tensor(shape, kind, "x", **quant))
        return self.inputs[-1]

    def save(self, folder: Path, name: str = "net.tflite") -> Path:
        path = folder / name
        path.write_bytes(self.content())
        return path

    def content(self) -> bytes:
        b = flatbuffers.Builder(1024)
        names = list(dict.fromkeys(op.op for op in self.ops))
        buffers = [self._table(b, "Buffer", Data=_bytes(b, data) if data else None) for data in self.buffers]
        tensors = [self._tensor(b, tensor) for tensor in self.tensors]
        ops = [self._operator(b, op, names.index(op.op)) for op in self.ops]
        codes = [self._code(b, name) for name in names]
        graph = self._table(
            b, "SubGraph", Tensors=_offsets(b, tensors), Inputs=_ints(b, self.inputs),
            Outputs=_ints(b, self.outputs), Operators=_offsets(b, ops),
        )  # fmt: skip
        parts = {
            "OperatorCodes": _offsets(b, codes),
            "Subgraphs": _offsets(b, [graph]),
            "Buffers": _offsets(b, buffers),
        }
        b.Finish(self._table(b, "Model", Version=3, **parts), file_identifier=b"TFL3")
        return bytes(b.Output())

    def _code(self, b: Any, name: str) -> int:
        builtin = getattr(tflite.BuiltinOperator, name, tflite.BuiltinOperator.CUSTOM)
        custom = b.CreateString(name) if builtin == tflite.BuiltinOperator.CUSTOM else None
        return self._table(b, "OperatorCode", DeprecatedBuiltinCode=min(builtin, 127), BuiltinCode=builtin,
                           CustomCode=custom, Version=1)  # fmt: skip

    def _tensor(self, b: Any, t: _Tensor) -> int:
        quant = None
        if t.scale:
            scale = b.CreateNumpyVector(np.asarray(t.scale, np.float32))
            zero = b.CreateNumpyVector(np.asarray(t.zero, np.int64))
            quant = self._table(b, "QuantizationParameters", Scale=scale, ZeroPoint=zero, QuantizedDimension=t.axis)
        return self._table(
            b, "Tensor", Shape=_ints(b, t.shape), Type=getattr(tflite.TensorType, t.type), Buffer=t.buffer,
            Name=b.CreateString(t.name), Quantization=quant,
        )  # fmt: skip

    def _operator(self, b: Any, op: _Op, code: int) -> int:
        extra: dict[str, Any] = {}
        if op.op in FIELDS:
            table, fields = FIELDS[op.op]
            ones = dict.fromkeys(("DilationWFactor", "DilationHFactor", "StrideW", "StrideH", "Beta"), 1)
            known = {f: ones[f] for f in fields if f in ones}
            values = {k: _ints(b, v) if isinstance(v, list) else v for k, v in (known | op.options).items()}
            extra = {
                "BuiltinOptionsType": getattr(tflite.BuiltinOptions, table),
                "BuiltinOptions": self._table(b, table, **values),
            }
        return self._table(
            b, "Operator", OpcodeIndex=code, Inputs=_ints(b, op.inputs), Outputs=_ints(b, [op.output]), **extra
        )  # fmt: skip

    @staticmethod
    def _table(b: Any, name: str, **fields: Any) -> int:
        getattr(tflite, f"{name}Start")(b)
        for key, value in fields.items():
            if value is not None:
                getattr(tflite, f"{name}Add{key}")(b, value)
        return int(getattr(tflite, f"{name}End")(b))


def _bytes(b: Any, data: bytes) -> int:
    # Buffers start at multiples of 16, as the format asks.
    b.StartVector(1, len(data), 16)
    b.head -= len(data)
    b.Bytes[b.head : b.head + len(data)] = data
    b.vectorNumElems = len(data)
    return int(b.EndVector())


def _ints(b: Any, values: Sequence[int]) -> int:
    return int(b.CreateNumpyVector(np.asarray(values, np.int32)))


def _offsets(b: Any, values: Sequence[int]) -> int:
    b.StartVector(4, len(values), 4)
    for value in reversed(values):
        b.PrependUOffsetTRelative(value)
    return int(b.EndVector())


# What the runtime and the device graph compute


def samples(graph: Graph, count: int, seed: int = 0) -> np.ndarray:
    """Random samples in the user's layout; for an int8 model, real numbers that its input can hold exactly."""
    rng = np.random.default_rng(seed)
    shape = (count, *graph.meta["input"].user_shape)
    first = next((t for t in graph.tensors.values() if t.quant and t.data is None), None)
    if first is None or first.quant is None:
        return rng.normal(size=shape).astype(np.float32)
    integers = rng.integers(-128, 128, size=shape)
    return (first.quant.scale[0] * (integers - first.quant.zero_point[0])).astype(np.float32)


def run(graph: Graph, x: np.ndarray) -> np.ndarray:
    """What the dequantised device graph computes, in the user's layout."""
    real_graph = dequantize(graph)
    out = np.stack([evaluate(real_graph, sample, np.float32) for sample in graph.meta["input"].to_device(x)])
    return np.asarray(graph.meta["output"].to_user(out))


def simulate(graph: Graph, x: np.ndarray) -> np.ndarray:
    """What an int8 graph computes if every result is rounded to its tensor's integers, in the user's layout."""
    out = np.stack([_simulate(graph, sample) for sample in graph.meta["input"].to_device(x)])
    return np.asarray(graph.meta["output"].to_user(out))


def _simulate(graph: Graph, sample: np.ndarray) -> np.ndarray:
    values: dict[str, np.ndarray] = {}
    for tensor in graph.tensors.values():
        if tensor.data is not None:
            data = real(tensor.data, tensor.quant) if tensor.quant else tensor.data
            values[tensor.name] = data.astype(np.float64)
    values[graph.inputs[0]] = snapped(graph, graph.inputs[0], sample.astype(np.float64))
    for node in graph.nodes:
        values[node.outputs[0]] = step(graph, node, [values[i] if i else None for i in node.inputs])
    return values[graph.outputs[0]]


def step(graph: Graph, node: Any, inputs: Sequence[np.ndarray | None]) -> np.ndarray:
    """One node on real numbers, its result rounded to the integers of its output."""
    cast = node.op in ("quantize", "dequantize")
    out = inputs[0] if cast else OPS[node.op].compute(node.attrs, *inputs)[0]
    return snapped(graph, node.outputs[0], np.asarray(out))


def snapped(graph: Graph, name: str, value: np.ndarray) -> np.ndarray:
    quant = graph.tensors[name].quant
    if quant is None:
        return value
    scale, zero = quant.scale[0], quant.zero_point[0]
    return np.asarray(scale * (np.clip(np.round(value / scale) + zero, -128, 127) - zero))


def compare(path: Path, count: int = 3) -> Graph:
    """Import and hold against the runtime: float to 1e-5 of the largest value, int8 to one step of the output."""
    graph = load_tflite(path)
    check(graph)
    runtime, x = Interpreter(path, reference=True), samples(graph, count)
    expected = runtime.predict(x)
    int8 = any(t.quant and t.data is None for t in graph.tensors.values())
    found = simulate(graph, x) if int8 else run(graph, x)
    assert found.shape == expected.shape
    limit = 1.01 * runtime.step if int8 and runtime.step else 1e-5 * max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(found, expected, rtol=0, atol=limit)
    return graph


def check(graph: Graph) -> None:
    """What every imported graph promises."""
    names = [n.name for n in graph.nodes] + list(graph.tensors)
    assert len(names) == len(set(names))
    assert all(name.isidentifier() and name.isascii() for name in names)
    assert all(len(n.outputs) == 1 and n.origin.index >= 0 and n.origin.file for n in graph.nodes)
    for name in graph.meta["export"]:
        assert graph.tensors[name].data is not None
