"""Collects the device graph: names, tensors with their quantisation, nodes, and how weights go back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from edgelearn.formats import F32, S8, Format
from edgelearn.graph import Graph, Node, Origin, Quant, Role, Tensor
from edgelearn.importers.onnx.names import printable
from edgelearn.importers.tflite.call import Call, Const, Shape, Unsupported, Value, sample_shape
from edgelearn.importers.tflite.file import File, FileTensor
from edgelearn.importers.tflite.names import layer_names
from edgelearn.importers.tflite.numbers import activation_format
from edgelearn.importers.tflite.record import TfliteRecord
from edgelearn.ops import OPS

# More elements than any board has bytes: stops absurd paddings and shapes before numpy allocates them.
LARGEST = 1 << 24
NO_ATTRS: Mapping[str, Any] = {}
WRITABLE = ("weight", "bias", "slope")
# Ops between float and integers; they stand at the edges of an int8 model and do not compute.
CASTS = ("quantize", "dequantize")


@dataclass
class _Weight:
    file: FileTensor
    names: set[str] = field(default_factory=set)


class Builder:
    """The graph under construction; `file` is the file's name for messages."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.tensors: dict[str, Tensor] = {}
        self.nodes: list[Node] = []
        self.warnings: list[str] = []
        self.input = ""
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}
        self._makers: dict[str, Node] = {}
        self._readers: dict[str, set[str]] = {}
        self._calls: dict[int, str] = {}
        self._weights: dict[tuple[Any, ...], str] = {}
        self._written: dict[int, _Weight] = {}
        self._settled: dict[Value, str] = {}
        self._reshaped: dict[tuple[str, Shape], str] = {}
        self._constants = 0

    # Names and tensors

    def claim(self, *names: str) -> str:
        """The first of some names that nothing has yet; numbered if all are taken."""
        free = next((n for n in names if n not in self._taken), "")
        last, number = names[-1], self._numbers.get(names[-1], 2)
        while not free or free in self._taken:
            free, number = f"{last}_{number}", number + 1
            self._numbers[last] = number
        self._taken.add(free)
        return free

    def called(self, call: Call) -> str:
        """The name of the layer that a node becomes; the same at every call."""
        if call.index not in self._calls:
            sources = [c.file.name for c in call.inputs if isinstance(c, Const) and c.file]
            self._calls[call.index] = self.claim(*layer_names(call.op, [*sources, call.output.name]))
        return self._calls[call.index]

    def origin(self, call: Call) -> Origin:
        """Where a node stands in the file; nodes have no names there, so that it is its output's."""
        return Origin(self.file, printable(call.output.name), call.op, call.index)

    def add(self, tensor: Tensor) -> Tensor:
        """Add a tensor under a claimed name. Unsupported if it is larger than any board could hold."""
        if any(size < 1 for size in tensor.shape):
            raise Unsupported(f"it makes an empty tensor {tensor.shape}")
        if tensor.count > LARGEST:
            raise Unsupported(f"it makes a tensor {tensor.shape}, larger than the limit of {LARGEST} elements")
        self.tensors[tensor.name] = tensor
        return tensor

    def placeholder(self, declared: FileTensor) -> Value:
        """A stand-in for what an unsupported node makes, so that the nodes behind it can be checked too."""
        fmt, quant = activation_format(declared)
        name = self.claim("unknown")
        self.add(Tensor(name, sample_shape(declared.shape), Role.ACT, fmt, quant=quant))
        return Value(name, declared.shape)

    # Weights

    def weight(
        self, call: Call, suffix: str, const: Const, shape: Shape, quant: Quant | None = None, fmt: Format | None = None
    ) -> str:
        """The CONST tensor of a constant in device shape; what the file stores once is one tensor here as well.

        `quant` replaces the constant's own (in the device's axes).
        """
        array = np.ascontiguousarray(const.array).reshape(shape)
        fmt = fmt or (F32 if const.quant is None else S8)
        quant = quant or const.quant
        key = (const.file.buffer, const.file.type, shape, quant) if const.file else None
        name = self._weights.get(key) if key else None
        if name is None:
            self._constants += array.size
            if self._constants > 4 * LARGEST:
                raise Unsupported("all constants together are larger than any board could hold")
            name = self.claim(f"{self.called(call)}_{suffix}")
            data = array.astype(fmt.dtype, copy=False)
            self.add(Tensor(name, shape, Role.CONST, fmt, data, quant))
            if key:
                self._weights[key] = name
            if fmt is F32 and not np.isfinite(data).all():
                self.warnings.append(f"{name} holds NaN or infinite values ({self.origin(call)})")
        if suffix == "slope" and quant is not None:
            return name  # nothing quantises it anew
        if const.file and suffix in WRITABLE:
            self._written.setdefault(const.file.buffer, _Weight(const.file)).names.add(name)
        elif suffix in WRITABLE:
            self.warnings.append(f"{name} is computed in the file and can't be written back ({self.origin(call)})")
        return name

    def records(self, file: File) -> dict[str, TfliteRecord]:
        """How every weight is written back, by name; warns of those that can't be, because they share their bytes."""
        kinds: dict[int, set[tuple[Any, ...]]] = {}
        for index in {index for operator in file.operators for index in operator.inputs if index >= 0}:
            tensor = file.tensors[index]
            kinds.setdefault(tensor.buffer, set()).add((tensor.type, tensor.shape, tensor.scale))
        found = {}
        for buffer, weight in self._written.items():
            stored = weight.file
            if len(weight.names) > 1 or len(kinds[buffer]) > 1:
                names = " and ".join(sorted(weight.names))
                self.warnings.append(f"{names} can't be trained: the file keeps the same bytes for another tensor too")
                continue
            found[min(weight.names)] = TfliteRecord(stored.index, stored.name, stored.shape, stored.type)
        return found

    # Nodes

    def emit(
        self, call: Call, op: str, inputs: Sequence[str], attrs: Mapping[str, Any] = NO_ATTRS, suffix: str = ""
    ) -> Tensor:
        """Add a node; its output's shape comes from the op's own rule, its format from what the file says.

        Unsupported if the op's rule refuses, or if integers and float would meet.
        """
        fmt, quant = activation_format(call.output)
        ins = [self.tensors[name] for name in inputs if name]
        if op not in CASTS and any(t.data is None and t.format is not fmt for t in ins):
            raise Unsupported(f"it mixes {' and '.join(sorted({fmt.name, *(t.format.name for t in ins)}))}")
        shape = ins[0].shape if op in CASTS else self._infer(op, attrs, [t.shape for t in ins])
        name = self.called(call) if not suffix else self.claim(f"{self.called(call)}_{suffix}")
        out = self.add(Tensor(self.claim(f"{name}_out"), shape, Role.ACT, fmt, quant=quant))
        self._append(Node(op, name, tuple(inputs), (out.name,), attrs, origin=self.origin(call)))
        return out

    @staticmethod
    def _infer(op: str, attrs: Mapping[str, Any], shapes: list[Shape]) -> Shape:
        infer = OPS[op].infer
        assert infer is not None
        try:
            return tuple(int(n) for n in infer(attrs, shapes)[0])
        except ValueError as error:
            raise Unsupported(str(error)) from None

    def _append(self, node: Node) -> None:
        self.nodes.append(node)
        self._makers[node.outputs[0]] = node
        for name in node.inputs:
            self._readers.setdefault(name, set()).add(node.name)

    # Layout

    def settle(self, value: Value, call: Call) -> Value:
        """The value with its pending padding, if any, in memory."""
        if not any(value.pads):
            return value
        if value not in self._settled:
            before = self.tensors[value.tensor]
            name = self.claim(f"{before.name.removesuffix('_out')}_pad")
            attrs = {"pads": value.pads, "value": value.fill}
            out = self.claim(f"{name}_out")
            shape = self._infer("pad", attrs, [before.shape])
            self.add(Tensor(out, shape, Role.ACT, before.format, quant=before.quant))
            self._append(Node("pad", name, (before.name,), (out,), attrs, origin=self.origin(call)))
            self._settled[value] = out
        return Value(self._settled[value], value.shape)

    def shaped(self, call: Call, name: str, shape: Shape) -> str:
        """The tensor `name` as one of `shape`: itself, or behind a reshape, which moves no memory."""
        tensor = self.tensors[name]
        if tensor.shape == shape or self.takes(name, shape):
            return name
        if math.prod(shape) != tensor.count:
            raise Unsupported(f"it reads {tensor.shape} as {shape}")
        if "reshape" not in OPS:
            raise Unsupported(f"it reads {tensor.shape} as {shape}; reshaping between layers is not supported")
        if (name, shape) not in self._reshaped:
            title = self.claim(f"{self.called(call)}_reshape")
            out = self.add(replace(tensor, name=self.claim(f"{title}_out"), shape=shape, role=Role.ACT))
            self._append(Node("reshape", title, (name,), (out.name,), {"shape": shape}, origin=self.origin(call)))
            self._reshaped[name, shape] = out.name
        return self._reshaped[name, shape]

    def takes(self, name: str, shape: Shape) -> bool:
        """Give the model's input, and a cast right behind it, another shape; False if something has read it already."""
        maker = self._makers.get(name)
        chain = [name, *(maker.inputs if maker and maker.op in CASTS else ())]
        free = all(self._readers.get(t, set()) <= {maker.name if maker else ""} for t in chain)
        if chain[-1] != self.input or not free or math.prod(shape) != self.tensors[name].count:
            return False
        for changed in chain:
            self.tensors[changed] = replace(self.tensors[changed], shape=shape)
        return True

    def graph(self, name: str, output: str, meta: Mapping[str, Any]) -> Graph:
        """What was built."""
        return Graph(name, self.tensors, tuple(self.nodes), (self.input,), (output,), meta)
