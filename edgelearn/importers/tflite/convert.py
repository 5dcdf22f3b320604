"""Walks the nodes of a file and builds the device graph, collecting every problem on the way."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgelearn.errors import InputError
from edgelearn.graph import Role, Tensor
from edgelearn.importers.content import MALFORMED
from edgelearn.importers.onnx.names import printable
from edgelearn.importers.tflite import arithmetic, conv, elementwise, pool, shape
from edgelearn.importers.tflite.builder import LARGEST, Builder
from edgelearn.importers.tflite.call import HANDLERS, Call, Const, Result, Unsupported, Value, sample_shape
from edgelearn.importers.tflite.file import File, FileTensor, Operator
from edgelearn.importers.tflite.fold import FOLDS, shape_of
from edgelearn.importers.tflite.names import edge_name
from edgelearn.importers.tflite.numbers import activation_format, quant_of

FAMILIES = (arithmetic, conv, elementwise, pool, shape)
# What broken options and operands lead to inside a handler; anything else is a fault of ours and may be seen.
_MALFORMED = (ValueError, IndexError, TypeError, OverflowError, AttributeError, KeyError, ZeroDivisionError)


@dataclass
class Conversion:
    """What came of the walk: `result` is None exactly if there are `problems`."""

    builder: Builder
    result: Value | None
    problems: tuple[str, ...]


def convert(file: File) -> Conversion:
    """Build the graph of a file. InputError if it has not one input and one output of a supported kind."""
    return _Walk(file).run()


class _Walk:
    def __init__(self, file: File) -> None:
        self.file = file
        self.builder = Builder(file.name)
        self.values: dict[int, Result | None] = {}
        self.problems: list[str] = []

    def run(self) -> Conversion:
        source, target = self._only("input", self.file.inputs), self._only("output", self.file.outputs)
        self._input(source)
        needed = self._needed(target.index)
        last: Call | None = None
        for operator in self.file.operators:
            if operator.index in needed:
                last = self._node(operator) or last
        result = self.values.get(target.index)
        if self.problems:
            return Conversion(self.builder, None, tuple(self.problems))
        if not isinstance(result, Value) or not self.builder.nodes or last is None:
            raise InputError("the output does not depend on the input through any layer", where=self.file.name)
        return Conversion(self.builder, self.builder.settle(result, last), ())

    def _only(self, what: str, indices: tuple[int, ...]) -> FileTensor:
        if len(indices) != 1:
            names = tuple(f"{what} '{printable(self.file.tensors[k].name)}'" for k in indices)
            raise InputError(
                f"the model has {len(indices)} {what}s, supported is one", where=self.file.name, details=names
            )
        return self.file.tensors[indices[0]]

    def _input(self, source: FileTensor) -> None:
        title = f"input '{printable(source.name)}'"
        if not source.shape or source.shape[0] != 1:
            batch = source.shape[0] if source.shape else "none"
            raise InputError(f"{title} has a batch of {batch}, supported is 1", where=self.file.name)
        if math.prod(source.shape) > LARGEST or min(source.shape) < 1:
            raise InputError(
                f"one sample of {title} has the shape {source.shape[1:]}: more than any board holds, or nothing",
                where=self.file.name,
            )
        try:
            fmt, quant = activation_format(source)
            device = sample_shape(source.shape)
        except Unsupported as reason:
            raise InputError(f"{title}: {reason}", where=self.file.name) from None
        name = self.builder.claim(edge_name(source.name, "input"))
        self.builder.input = self.builder.add(Tensor(name, device, Role.INPUT, fmt, quant=quant)).name
        self.values[source.index] = Value(name, source.shape)

    def _needed(self, target: int) -> set[int]:
        """The nodes that the output depends on; others are left out without a word."""
        wanted, kept = {target}, set()
        for operator in reversed(self.file.operators):
            if wanted.intersection(operator.outputs):
                kept.add(operator.index)
                wanted.update(operator.inputs)
        return kept

    def _node(self, operator: Operator) -> Call | None:
        outputs = [self.file.tensors[k] for k in operator.outputs]
        value: Result | None = None
        call = None
        try:
            if len(outputs) != 1:
                raise Unsupported(f"it has {len(outputs)} outputs, supported is one")
            call = self._call(operator, outputs[0])
            value = self._import(call) if call else None
        except Unsupported as reason:
            value = self._problem(operator, outputs, str(reason))
        except _MALFORMED:
            value = self._problem(operator, outputs, MALFORMED)
        for output in outputs:
            self.values[output.index] = value
        return call

    def _call(self, operator: Operator, output: FileTensor) -> Call | None:
        if operator.op not in HANDLERS and operator.op not in FOLDS and operator.op != "SHAPE":
            raise Unsupported("this op is not supported")
        inputs: list[Result | None] = []
        for index in operator.inputs:
            if index < 0:
                inputs.append(None)
            elif index in self.values:
                if self.values[index] is None:
                    return None  # made by a node that is already on the list of problems
                inputs.append(self.values[index])
            else:
                inputs.append(_stored(self.file.tensors[index]))
        return Call(operator, inputs, output, self.builder)

    def _import(self, call: Call) -> Result:
        if call.op == "SHAPE":
            return shape_of(call)
        if call.op in FOLDS and all(isinstance(value, Const) for value in call.inputs):
            return FOLDS[call.op](call)
        if call.op not in HANDLERS:
            raise Unsupported("supported only on constants")
        value = HANDLERS[call.op](call)
        declared = call.output.shape
        if isinstance(value, Value) and declared and value.shape != declared:
            raise Unsupported(f"its result has the shape {value.shape}, the file says {declared}")
        return value

    def _problem(self, operator: Operator, outputs: list[FileTensor], why: str) -> Result | None:
        shapes = ", ".join(self._describe(index) for index in operator.inputs if index >= 0) or "no inputs"
        title = f"'{printable(outputs[0].name)}'" if outputs and outputs[0].name else "(no name)"
        self.problems.append(f"node {operator.index} {title}: {operator.op} of {shapes}: {why}")
        try:
            return self.builder.placeholder(outputs[0]) if len(outputs) == 1 else None
        except Unsupported:
            return None

    def _describe(self, index: int) -> str:
        value = self.values.get(index)
        return str(value.shape if isinstance(value, Value) else self.file.tensors[index].shape)


def _stored(tensor: FileTensor) -> Const:
    """A constant as it stands in the file; int8 ones with their scales."""
    assert tensor.data is not None
    return Const(tensor.data, tensor, quant_of(tensor) if tensor.type == "INT8" else None)
