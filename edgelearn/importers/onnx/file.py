"""Reads an ONNX file and makes sure that it is one: bounded, whole, in order."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from edgelearn.errors import InputError
from edgelearn.importers.content import MOST_BYTES, MOST_ELEMENTS, content_of
from edgelearn.importers.onnx.external import MOST_AXES, take_in
from edgelearn.importers.onnx.names import printable

OLDEST, NEWEST = 7, 21
INTEGERS = {onnx.TensorProto.INT8: 0, onnx.TensorProto.UINT8: 128}  # and what they are above the device's int8
MOST_NODES = 10_000


def read_model(path: Path) -> tuple[onnx.ModelProto, int]:
    """The model in a file and its opset; weights that it keeps in other files of its folder are in the model.

    InputError if it can't be read, is no ONNX model, is damaged or, with its weights, too large, or was written for an
    opset outside 7 to 21.
    """
    where = path.name
    content = content_of(path, MOST_BYTES)
    if not content:
        raise InputError("the file is empty", where=where)
    model = parse(content, where)
    opset = _structure(model, where)
    take_in(model, path, MOST_BYTES - len(content))
    _check(model, where)
    return model, opset


def parse(content: bytes, where: str) -> onnx.ModelProto:
    """The bytes of a file as a ModelProto; InputError if they are none."""
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except (DecodeError, RecursionError, ValueError):
        raise InputError(
            "not an ONNX model, or one that is damaged or cut short",
            where=where,
            hint="write the file again; in Python: onnx.save(model, path)",
        ) from None
    if not model.HasField("graph") or not (model.graph.node or model.graph.output):
        raise InputError("not an ONNX model: it has no graph", where=where)
    return model


def _structure(model: onnx.ModelProto, where: str) -> int:
    """Checks all but the weights' values; gives the opset."""
    graph = model.graph
    # The parser hands text that is not UTF-8 over as bytes, in any place where text is expected.
    if any(isinstance(text, bytes) for text in _texts(model)):
        raise InputError("not an ONNX model, or one that is damaged: a name in it is not UTF-8", where=where)
    opset = _opset(model, where)
    if len(graph.node) > MOST_NODES or len(graph.initializer) > MOST_NODES:
        raise InputError(f"more than {MOST_NODES} nodes or weights", where=where)
    if graph.sparse_initializer:
        raise InputError("sparse weights are not supported", where=where)
    for tensor in _stored(graph):
        _check_stored(tensor, where)
    _check_order(graph, where)
    return opset


def _check(model: onnx.ModelProto, where: str) -> None:
    """Has onnx's own checker look at a model, weights and all."""
    # The checker stops at the first op that it does not know; those are listed later, all at once.
    if all(node.domain in ("", "ai.onnx") and onnx.defs.has(node.op_type) for node in model.graph.node):
        try:
            onnx.checker.check_model(model)
        except (onnx.checker.ValidationError, ValueError, RuntimeError, UnicodeDecodeError) as error:
            lines = str(error).strip().splitlines() or ["no reason given"]
            raise InputError(
                "not a valid ONNX model", where=where, details=(f"onnx.checker: {printable(lines[0])}",)
            ) from None


def _opset(model: onnx.ModelProto, where: str) -> int:
    versions = [o.version for o in model.opset_import if o.domain in ("", "ai.onnx")]
    if len(versions) != 1:
        raise InputError("the model does not say which opset it uses", where=where)
    if not OLDEST <= versions[0] <= NEWEST:
        raise InputError(
            f"the model uses opset {versions[0]}, supported are {OLDEST} to {NEWEST}",
            where=where,
            hint="export it again with opset 17, for example torch.onnx.export(..., opset_version=17)",
        )
    return int(versions[0])


def _texts(model: onnx.ModelProto) -> Iterator[str | bytes]:
    graph = model.graph
    for entry in model.opset_import:
        yield entry.domain
    for named in (*graph.initializer, *graph.input, *graph.output, *graph.value_info):
        yield named.name
    for value in graph.input:
        yield from (dim.dim_param for dim in value.type.tensor_type.shape.dim)
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)


def _stored(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                yield attribute.t


def _check_stored(tensor: onnx.TensorProto, where: str) -> None:
    name = printable(tensor.name) or "(no name)"
    if any(n < 0 for n in tensor.dims) or len(tensor.dims) > MOST_AXES or math.prod(tensor.dims) > MOST_ELEMENTS:
        raise InputError(f"weight '{name}' has an absurd shape {tuple(tensor.dims)[:MOST_AXES]}", where=where)


def _check_order(graph: onnx.GraphProto, where: str) -> None:
    """Every value is made once, and before it is read: no cycles."""
    known = {"", *(t.name for t in graph.initializer), *(v.name for v in graph.input)}
    for index, node in enumerate(graph.node):
        title = f"node {index} '{printable(node.name)}' ({printable(node.op_type)})"
        missing = [printable(name) for name in node.input if name not in known]
        if missing:
            raise InputError(f"{title} reads '{missing[0]}', which nothing before it makes", where=where)
        for name in node.output:
            if name and name in known:
                raise InputError(f"{title} makes '{printable(name)}' a second time", where=where)
            known.add(name)
    for value in graph.output:
        if value.name not in known:
            raise InputError(f"nothing makes the output '{printable(value.name)}'", where=where)


def as_array(tensor: onnx.TensorProto, where: str) -> np.ndarray:
    """A stored tensor as an array; InputError if its bytes do not fit its shape."""
    try:
        return np.asarray(onnx.numpy_helper.to_array(tensor))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        reason = printable(str(error).splitlines()[0]) if str(error) else type(error).__name__
        raise InputError(f"weight '{printable(tensor.name)}' is damaged: {reason}", where=where) from None


def batch_axes(graph: onnx.GraphProto, where: str) -> list[int]:
    """Which axis of the input may be the batch: the first one, or the second where a recurrent layer reads sequences.

    InputError as of `one_input` if no axis can be.
    """
    recurrent = any(node.op_type in ("GRU", "LSTM", "RNN") for node in graph.node)
    found, problems = [], []
    for axis in (0, 1) if recurrent else (0,):
        try:
            _, shape, _ = one_input(graph, where, axis)
            if axis == 0 or len(shape) == 2:
                found.append(axis)
        except InputError as error:
            problems.append(error)
    if not found:
        raise problems[0]
    return found


def one_input(graph: onnx.GraphProto, where: str, batch: int = 0) -> tuple[str, tuple[int, ...], int | None]:
    """The model's input: name, shape of one sample, and the batch size if the file fixes it; axis `batch` is the batch.

    InputError unless there is exactly one, float or quantised, with a batch axis and fixed sizes behind it.
    """
    stored = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in stored]
    if len(inputs) != 1:
        names = tuple(f"input '{printable(v.name)}'" for v in inputs)
        raise InputError(f"the model has {len(inputs)} inputs, supported is one", where=where, details=names)
    value = inputs[0]
    name = printable(value.name)
    kind = value.type.tensor_type
    quantised = kind.elem_type in INTEGERS and _states_scales(graph)
    if kind.elem_type not in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16) and not quantised:
        found = onnx.TensorProto.DataType.Name(kind.elem_type) if kind.elem_type in range(1, 24) else "no type"
        raise InputError(f"input '{name}' is {found}, supported is FLOAT", where=where)
    dims = list(kind.shape.dim)
    if len(dims) < 2:
        raise InputError(f"input '{name}' has {len(dims)} axes, expected the batch and at least one more", where=where)
    for k, dim in enumerate(dims):
        if k != batch and dim.dim_value < 1:
            called = f" ('{printable(dim.dim_param)}')" if dim.dim_param else ""
            raise InputError(
                f"axis {k} of input '{name}' has no fixed size{called}; only the batch may vary",
                where=where,
                hint="export the model with a fixed sample shape",
            )
    shape = tuple(dim.dim_value for k, dim in enumerate(dims) if k != batch)
    if math.prod(shape) > 1 << 24:
        raise InputError(f"one sample of input '{name}' has the shape {shape}: more than any board holds", where=where)
    size = dims[batch].dim_value
    return value.name, shape, size if size > 0 else None


def input_shift(graph: onnx.GraphProto, name: str) -> int | None:
    """What the input's integers are above int8, 128 or 0; None for a float input."""
    kinds = [value.type.tensor_type.elem_type for value in graph.input if value.name == name]
    return INTEGERS.get(kinds[0]) if kinds else None


def _states_scales(graph: onnx.GraphProto) -> bool:
    """Whether a file says somewhere what integers mean."""
    return any("Linear" in node.op_type or node.op_type == "QGemm" for node in graph.node)


def one_output(graph: onnx.GraphProto, where: str) -> str:
    """The name of the model's output; InputError unless there is exactly one."""
    if len(graph.output) != 1:
        names = tuple(f"output '{printable(v.name)}'" for v in graph.output)
        raise InputError(f"the model has {len(graph.output)} outputs, supported is one", where=where, details=names)
    return str(graph.output[0].name)
