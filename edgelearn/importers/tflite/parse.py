"""Reads the flatbuffer of a TensorFlow Lite file: every count bounded, every failure one InputError."""

from __future__ import annotations

import importlib
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from edgelearn.errors import InputError
from edgelearn.importers.content import MOST_BYTES, MOST_ELEMENTS, content_of
from edgelearn.importers.onnx.names import printable
from edgelearn.importers.tflite.file import MAGIC, File, FileTensor, Operator, Span, check_order
from edgelearn.importers.tflite.options import read_options

MOST_ITEMS = 20_000  # operators, tensors, buffers
MOST_OPERANDS = 64
MOST_AXES = 8
DTYPES: dict[str, np.dtype[Any]] = {
    "FLOAT32": np.dtype("<f4"), "FLOAT16": np.dtype("<f2"), "INT8": np.dtype("i1"), "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"), "BOOL": np.dtype("?"),
}  # fmt: skip


HINT = "convert the model again and write all of it, or copy the file again"


class _Damaged(Exception):
    """What a file says can't be; the text names it."""


def read_file(path: Path) -> File:
    """The model in a file; InputError if it can't be read, is no TensorFlow Lite model, is damaged or too large."""
    return parse(content_of(path, MOST_BYTES), path.name)


def parse(content: bytes, where: str) -> File:
    """The bytes of a file as a File; InputError if they are none."""
    if content[4:8] != MAGIC:
        raise InputError("not a TensorFlow Lite model: the file does not begin like one", where=where, hint=HINT)
    schema = _schema()
    # A broken flatbuffer leads the reader anywhere: out of range, to text that is none, to numbers that are absurd.
    try:
        found = _Reader(schema, content, where).read()
    except InputError:
        raise
    except Exception as error:
        # What the flatbuffer's reader says is about the reader, and no help.
        details = (str(error),) if isinstance(error, _Damaged) else ()
        raise InputError(
            "not a TensorFlow Lite model, or one that is damaged or cut short", where=where, details=details, hint=HINT
        ) from None
    check_order(found)
    return found


@cache
def _schema() -> Any:
    # Loaded when first needed: a few hundred small modules, a quarter of a second.
    return importlib.import_module("tflite")


def _names(enum: Any) -> dict[int, str]:
    return {value: name for name, value in vars(enum).items() if isinstance(value, int)}


class _Reader:
    def __init__(self, schema: Any, content: bytes, where: str) -> None:
        self.schema, self.content, self.where = schema, content, where
        self.model = schema.Model.GetRootAs(content, 0)

    def read(self) -> File:
        model = self.model
        if model.Version() != 3:
            raise InputError(f"the file has schema version {model.Version()}, supported is 3", where=self.where)
        if model.SubgraphsLength() < 1:
            raise InputError("the model has no graph", where=self.where)
        graph = model.Subgraphs(0)
        buffers = self._count(model.BuffersLength(), "buffers")
        tensors = self._count(graph.TensorsLength(), "tensors")
        operators = self._count(graph.OperatorsLength(), "operators")
        names = _names(self.schema.BuiltinOperator)
        codes = [
            self._code(model.OperatorCodes(k), names)
            for k in range(self._count(model.OperatorCodesLength(), "operator codes"))
        ]
        self.types = _names(self.schema.TensorType)
        self.spans = [self._span(model.Buffers(k)) for k in range(buffers)]
        return File(
            self.where,
            self.content,
            tuple(self._tensor(k, graph.Tensors(k)) for k in range(tensors)),
            tuple(self._operator(k, graph.Operators(k), codes, tensors) for k in range(operators)),
            self._indices(graph.InputsLength(), graph.Inputs, tensors, 0),
            self._indices(graph.OutputsLength(), graph.Outputs, tensors, 0),
        )

    def _count(self, count: int, what: str) -> int:
        if not 0 <= count <= MOST_ITEMS:
            raise _Damaged(f"{count} {what}")
        return count

    def _code(self, code: Any, names: dict[int, str]) -> str:
        # Files from before 2020 have their code in the first field; later ones in both, or only in the second.
        builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        name = names.get(builtin, f"operator {builtin}")
        if name != "CUSTOM":
            return name
        custom = code.CustomCode() or b""
        return f"CUSTOM {printable(custom.decode('utf-8', 'replace'))}".strip()

    def _span(self, buffer: Any) -> Span | None:
        if buffer.Offset() > 1 or buffer.Size() > 1:
            raise InputError("the weights stand behind the model's own structure; not supported", where=self.where)
        count = buffer.DataLength()
        if not count:
            return None
        start = buffer._tab.Vector(buffer._tab.Offset(4))
        return self._within(Span(start, count))

    def _within(self, span: Span) -> Span:
        if span.offset < 0 or span.nbytes < 0 or span.offset + span.nbytes > len(self.content):
            raise _Damaged("data beyond the end of the file")
        return span

    def _indices(self, count: int, get: Any, limit: int, least: int) -> tuple[int, ...]:
        if not 0 <= count <= MOST_OPERANDS:
            raise _Damaged(f"{count} operands")
        found = tuple(int(get(k)) for k in range(count))
        if any(not least <= k < limit for k in found):
            raise _Damaged("an operand that is no tensor")
        return found

    def _operator(self, index: int, operator: Any, codes: list[str], tensors: int) -> Operator:
        op = codes[operator.OpcodeIndex()]
        inputs = self._indices(operator.InputsLength(), operator.Inputs, tensors, -1)
        outputs = self._indices(operator.OutputsLength(), operator.Outputs, tensors, 0)
        return Operator(index, op, inputs, outputs, read_options(self.schema, op, operator))

    def _tensor(self, index: int, tensor: Any) -> FileTensor:
        name = (tensor.Name() or b"").decode("utf-8", "replace")
        rank = tensor.ShapeLength()
        if not 0 <= rank <= MOST_AXES:
            raise _Damaged(f"a tensor of {rank} axes")
        shape = tuple(int(tensor.Shape(k)) for k in range(rank))
        kind = self.types.get(tensor.Type(), f"type {tensor.Type()}")
        span = self.spans[tensor.Buffer()]
        data = None if span is None else self._data(name, shape, kind, span)
        scale, zero_point, axis, *spans = self._quantization(tensor.Quantization())
        return FileTensor(
            index, name, shape, kind, tensor.Buffer(), data, span, scale, zero_point, axis, *spans
        )  # fmt: skip

    def _data(self, name: str, shape: tuple[int, ...], kind: str, span: Span) -> np.ndarray | None:
        if any(size < 0 for size in shape) or math.prod(shape) > MOST_ELEMENTS:
            raise InputError(f"weight '{printable(name)}' has an absurd shape {shape}", where=self.where)
        dtype = DTYPES.get(kind)
        if dtype is None:
            return np.frombuffer(self.content, np.uint8, span.nbytes, span.offset)
        if math.prod(shape) * dtype.itemsize != span.nbytes:
            raise InputError(
                f"weight '{printable(name)}' is damaged: {span.nbytes} bytes for {shape} of {kind}", where=self.where
            )
        return np.frombuffer(self.content, dtype, math.prod(shape), span.offset).reshape(shape)

    def _quantization(
        self, quantization: Any
    ) -> tuple[tuple[float, ...], tuple[int, ...], int, Span | None, Span | None]:
        if quantization is None or not quantization.ScaleLength():
            return (), (), 0, None, None
        counts = quantization.ScaleLength(), quantization.ZeroPointLength()
        if max(counts) > MOST_ELEMENTS:
            raise _Damaged(f"{max(counts)} scales")
        span = self._within(Span(quantization._tab.Vector(quantization._tab.Offset(8)), 4 * counts[0]))
        scale = np.frombuffer(self.content, "<f4", counts[0], span.offset)
        zero_point, zero_span = np.zeros(counts[0], np.int64), None
        if counts[1]:
            zero_point = quantization.ZeroPointAsNumpy()
            zero_span = self._within(Span(quantization._tab.Vector(quantization._tab.Offset(10)), 8 * counts[1]))
        return (
            tuple(float(s) for s in scale), tuple(int(z) for z in zero_point), quantization.QuantizedDimension(), span,
            zero_span,
        )  # fmt: skip
