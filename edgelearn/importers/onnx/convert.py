"""Walks the nodes of a checked model and builds the device graph, collecting every problem on the way."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import onnx

from edgelearn.errors import InputError
from edgelearn.graph import Role
from edgelearn.importers.content import MALFORMED
from edgelearn.importers.onnx import (
    arithmetic,
    conv,
    conv_transpose,
    elementwise,
    linear,
    norm,
    parts,
    pool,
    quantized,
    recurrent,
    shape,
)
from edgelearn.importers.onnx.builder import Builder
from edgelearn.importers.onnx.call import HANDLERS, Call, Handler, Misread, Result, Unsupported
from edgelearn.importers.onnx.constant import Const, indexed
from edgelearn.importers.onnx.file import as_array, input_shift, one_input, one_output
from edgelearn.importers.onnx.fold import FOLDS, foldable
from edgelearn.importers.onnx.names import identifier, printable
from edgelearn.importers.onnx.patterns import Step, steps
from edgelearn.importers.onnx.view import Shape, View, ordered

FAMILIES = (arithmetic, conv, conv_transpose, elementwise, linear, norm, parts, pool, quantized, recurrent, shape)
# Control flow by name, so that the message can say what is wrong with it.
CONTROL = ("If", "Loop", "Scan")
# Ops of which more than the first output may be read.
SEVERAL = ("Split", *recurrent.KINDS)
# What broken attributes and operands lead to inside a handler; anything else is a fault of ours and may be seen.
_MALFORMED = (ValueError, IndexError, TypeError, OverflowError, AttributeError, KeyError)


@dataclass
class Conversion:
    """What came of one walk: `result` is None exactly if there are `problems`.

    `misread`: another axis of the input must be the batch.
    """

    builder: Builder
    input: View
    result: View | None
    problems: tuple[str, ...]
    shapes: dict[str, Shape]
    misread: bool

    @property
    def rank(self) -> tuple[bool, int, int]:
        """What makes another reading of the input better: its problems, and how many transposes it takes."""
        return self.misread, len(self.problems), sum(node.op == "transpose" for node in self.builder.nodes)


def convert(model: onnx.ModelProto, opset: int, file: str, order: tuple[int, ...], batch: int = 0) -> Conversion:
    """Build the graph with the input's axes in memory in `order`; its axis `batch` is the batch.

    InputError for damaged weights.
    """
    return _Walk(model, opset, file, batch).run(order)


class _Walk:
    def __init__(self, model: onnx.ModelProto, opset: int, file: str, batch_axis: int) -> None:
        self.graph = model.graph
        self.opset = opset
        self.file = file
        self.batch_axis = batch_axis
        self.input, self.sample, batch = one_input(model.graph, file, batch_axis)
        self.output = one_output(model.graph, file)
        readers = Counter(name for node in self.graph.node for name in node.input if name)
        readers[self.output] += 1
        self.readers = readers
        self.builder = Builder(file, dict(readers), batch)
        self.halves: set[str] = set()
        self.stored = {t.name: self._single(t.name, as_array(t, file)) for t in self.graph.initializer}
        self.values: dict[str, Result | None] = {}
        self.inferred = _inferred(model)
        self.steps = steps(self.graph, self.stored | _constants(self.graph, file), self._rank)
        self.problems: list[str] = []
        self.last: Call | None = None
        self.misread = False

    def run(self, order: tuple[int, ...]) -> Conversion:
        name = self.builder.claim(identifier(self.input, "input"))
        device = tuple(self.sample[axis] for axis in order)
        device = (1, *device) if len(device) == 2 else device
        self.builder.input = self.builder.tensor(name, device, Role.INPUT)
        start = ordered(name, device, self.sample, order, self.batch_axis)
        self.values[self.input] = start
        shift = input_shift(self.graph, self.input)
        if shift is not None:
            self.builder.integers[self.input] = shift
        needed = self._needed()
        for index, step in enumerate(self.steps):
            if index in needed:
                self._node(index, step)
        if self.halves:
            several = f"and {len(self.halves) - 1} more " if len(self.halves) > 1 else ""
            self.builder.warnings.append(
                f"'{printable(min(self.halves))}' {several}are float16 in the file; the device computes in float32"
            )
        try:
            result = None if self.problems else self._result()
        except Unsupported as reason:
            result = None
            self.problems.append(f"output '{printable(self.output)}': {reason}")
        shapes = {name: array.shape for name, array in self.stored.items()}
        return Conversion(self.builder, start, result, tuple(self.problems), shapes, self.misread)

    def _needed(self) -> set[int]:
        """The nodes that the output depends on; others are left out without a word."""
        wanted, kept = {self.output}, set()
        for index in reversed(range(len(self.steps))):
            node = self.steps[index].node
            if wanted.intersection(node.output):
                kept.add(index)
                wanted.update(node.input)
        return kept

    def _result(self) -> View:
        value, call = self.values.get(self.output), self.last
        if isinstance(value, View) and call is not None:
            batch = value.batch
            value = replace(self.builder.whole(call, self.builder.settle(value, call)), batch=batch)
        if not isinstance(value, View) or not self.builder.nodes:
            raise InputError("the output does not depend on the input through any layer", where=self.file)
        if self.input in self.builder.integers and self.builder.tensors[self.builder.input].quant is None:
            raise Unsupported("its input is integers without a scale")
        result = quantized.absorb(self.builder, value)
        if self.output in self.builder.integers:
            quantized.keep_range(self.builder, result.tensor)
        return result

    def _single(self, name: str, array: np.ndarray) -> np.ndarray:
        """A constant with float16 widened to float32."""
        if array.dtype != np.float16:
            return array
        self.halves.add(name)
        return array.astype(np.float32)

    def _rank(self, name: str) -> int | None:
        return len(self.inferred[name]) if name in self.inferred else None

    def _node(self, index: int, step: Step) -> None:
        node = step.node
        try:
            value = self._import(index, step)
        except Unsupported as reason:
            self.misread = self.misread or isinstance(reason, Misread)
            value = self._problem(index, node, str(reason))
        except _MALFORMED:
            value = self._problem(index, node, MALFORMED)
        values = value if isinstance(value, list) else [value]
        for position, name in enumerate(node.output):
            if name:
                self.values[name] = values[position] if position < len(values) else None

    def _import(self, index: int, step: Step) -> Result | list[Result | None] | None:
        node = step.node
        handler = _handler(node)
        if node.op_type == "Constant":
            name = node.output[0]
            self.stored[name] = self._single(name, _constant(node, self.file))
            return None
        extra = [name for name in node.output[1:] if name and self.readers[name] and node.op_type not in SEVERAL]
        if extra:
            raise Unsupported(f"its output '{printable(extra[0])}' is used, only the first is supported")
        inputs: list[Result | None] = []
        for slot, name in enumerate(node.input):
            if name in self.stored:
                inputs.append(indexed(self.stored[name], name, step.uses[slot]))
            elif name and self.values.get(name) is None:
                return None  # made by a node that is already on the list of problems
            else:
                inputs.append(self.values[name] if name else None)
        quantized.pass_integers(self.builder, node)
        call = self.last = Call(node, index, self.opset, inputs, self.builder)
        if foldable(node.op_type, inputs):
            return FOLDS[node.op_type](call)
        if handler is None:
            raise Unsupported("supported only on constants")
        return handler(call)

    def _problem(self, index: int, node: onnx.NodeProto, why: str) -> Result | None:
        shapes = ", ".join(self._describe(name) for name in node.input if name) or "no inputs"
        title = f"'{printable(node.name)}'" if node.name else "(no name)"
        self.problems.append(f"node {index} {title}: {printable(node.op_type)} of {shapes}: {why}")
        self.builder.broken.update(node.output)
        known = self.inferred.get(node.output[0]) if node.output else None
        if known is None or len(known) < 2 or node.op_type in recurrent.KINDS or any(size < 1 for size in known[1:]):
            return None
        try:
            return self.builder.placeholder(tuple(known[1:]))
        except Unsupported:
            return None

    def _describe(self, name: str) -> str:
        value = self.values.get(name)
        if name in self.stored:
            return str(self.stored[name].shape)
        if isinstance(value, Const):
            return str(value.array.shape)
        known, batch = (value.user_shape, value.batch) if isinstance(value, View) else (None, 0)
        if known is None and name in self.inferred:
            known = self.inferred[name][1:]
        return (
            "(?)" if known is None else "(" + ", ".join([*map(str, known[:batch]), "N", *map(str, known[batch:])]) + ")"
        )


def _handler(node: onnx.NodeProto) -> Handler | None:
    """What imports a node; None if only constants can be folded by it, or it is one. Unsupported if nothing does."""
    op = node.op_type
    if node.domain == quantized.MICROSOFT:
        if op not in quantized.CONTRIB_HANDLERS:
            raise Unsupported(quantized.why_not(op, f"domain {node.domain} is not supported"))
        return quantized.CONTRIB_HANDLERS[op]
    if node.domain not in ("", "ai.onnx"):
        raise Unsupported(f"domain {printable(node.domain)} is not supported")
    if op in CONTROL:
        raise Unsupported("control flow is not supported: a device runs the same layers for every sample")
    if op not in HANDLERS and op not in FOLDS and op != "Constant":
        raise Unsupported(quantized.why_not(op, "this op is not supported"))
    return HANDLERS.get(op)


def _constant(node: onnx.NodeProto, file: str) -> np.ndarray:
    """The value of a Constant node."""
    found = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    if "value" in found:
        return as_array(found["value"], file)
    for name, dtype in (
        ("value_float", np.float32), ("value_floats", np.float32), ("value_int", np.int64), ("value_ints", np.int64)
    ):  # fmt: skip
        if name in found:
            return np.asarray(found[name], dtype)
    raise Unsupported("only tensors and numbers are supported as constants")


def _constants(graph: onnx.GraphProto, file: str) -> dict[str, np.ndarray]:
    """The values of all Constant nodes that have one."""
    found = {}
    for node in graph.node:
        if node.op_type == "Constant" and node.output:
            with suppress(Unsupported, *_MALFORMED):
                found[node.output[0]] = _constant(node, file)
    return found


def _inferred(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Shapes that onnx can infer, for messages and patterns only; sizes that it does not know are 0."""
    if any(_aborts(node) for node in model.graph.node):
        return {}
    try:
        graph = onnx.shape_inference.infer_shapes(model).graph
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError, UnicodeDecodeError):
        return {}
    return {
        value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        for value in (*graph.value_info, *graph.input, *graph.output)
        if value.type.tensor_type.HasField("shape")
    }


def _aborts(node: onnx.NodeProto) -> bool:
    """Whether onnx's shape inference ends the process at this node: 1.23 indexes the outputs without looking."""
    stated = [attribute.i for attribute in node.attribute if attribute.name == "num_outputs"]
    return node.op_type == "Split" and bool(stated) and stated[0] != len(node.output)
