"""Decides which layers of an int8 model run in int8: those that nothing trained stands in front of.

The frozen part computes with the file's own integers and gives the bits that TensorFlow Lite for Microcontrollers'
reference kernels give. Where the trained part begins, activations become real numbers; from there on, and in a layer
that has no int8 kernel, all is float32, with weights that mean what the integers mean. The result of a frozen layer
without one is rounded to the int8 that the file has there, and int8 goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from edgelearn.formats import F32, FORMATS, S8
from edgelearn.graph import Graph, Node, Origin, Role, Tensor, unique_name
from edgelearn.ops import OPS
from edgelearn.ops.fixed_point import HIGHEST, LOWEST, to_integer
from edgelearn.ops.quantized import RULES
from edgelearn.ops.quantized.base import Lowered, Site, whole
from edgelearn.ops.quantized.convert import cast_attrs
from edgelearn.passes.dequantize import is_quantized, real


def lower(graph: Graph) -> Graph:
    """A partitioned graph with int8 ops where it is frozen and float32 elsewhere; float graphs come back as they are.

    `meta["int8"]` has the names of the layers that run in int8, `meta["factors"]` those of the multipliers, shifts and
    tables that they read beside their weights. Samples and predictions are real numbers.
    """
    return _Lowering(graph).run() if is_quantized(graph) else graph


class _Lowering:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.tensors: dict[str, Tensor] = {}
        self.nodes: list[Node] = []
        self.integers: dict[str, str] = {}  # a tensor of the graph: the int8 tensor that holds it
        self.reals: dict[str, str] = {}  # the same for float32
        self.trained: set[str] = set()  # activations that depend on a trained weight
        self.fused: set[str] = set()  # nodes that another one computes
        self.layers: list[str] = []
        self.factors: list[str] = []
        self.taken = graph.tensors.keys() | {node.name for node in graph.nodes}

    def run(self) -> Graph:
        for name in self.graph.inputs:
            self._add(replace(self.graph.tensors[name], format=F32, quant=None))
            self.reals[name] = name
        for node in self.graph.nodes:
            if node.name not in self.fused and not self._integer_node(node):
                self._real_node(node)
        outputs = tuple(self._output(name) for name in self.graph.outputs)
        meta = {**self.graph.meta, "int8": tuple(self.layers), "factors": tuple(self.factors)}
        return self.graph.replace(tensors=self.tensors, nodes=self.nodes, outputs=outputs, meta=meta)

    # What is there

    def _claim(self, name: str) -> str:
        free = unique_name(name, self.taken)
        self.taken = self.taken | {free}
        return free

    def _add(self, tensor: Tensor) -> str:
        self.tensors[tensor.name] = tensor
        return tensor.name

    def _constant(self, name: str, data: np.ndarray) -> str:
        fmt = next(f for f in FORMATS.values() if f.dtype == data.dtype)
        return self._add(Tensor(self._claim(name), data.shape, Role.CONST, fmt, data))

    def _emit(
        self, op: str, name: str, inputs: tuple[str, ...], out: Tensor, attrs: Mapping[str, Any], origin: Origin
    ) -> str:
        self.nodes.append(Node(op, name, inputs, (self._add(out),), attrs, origin=origin))
        return out.name

    def _cast(self, op: str, name: str, source: Tensor, origin: Origin) -> str:
        """A `quantize` or `dequantize` node between the two forms of `source`."""
        assert source.quant is not None
        attrs = cast_attrs(source.quant)
        title = self._claim(f"{source.name}_{op}")
        out = Tensor(self._claim(f"{title}d"), source.shape, Role.ACT, OPS[op].formats[0])
        return self._emit(op, title, (name,), out, attrs, origin)

    def _real(self, name: str) -> str:
        """The float32 form of a tensor, made where it is first needed."""
        if name and name not in self.reals:
            tensor = self.graph.tensors[name]
            if tensor.data is None:
                self.reals[name] = self._cast("dequantize", self.integers[name], tensor, self._origin(name))
            else:
                data = tensor.data if tensor.quant is None else real(tensor.data, tensor.quant)
                fmt = tensor.format if tensor.quant is None else F32
                free = name if name not in self.tensors else self._claim(f"{name}_f32")
                self.reals[name] = self._add(replace(tensor, name=free, format=fmt, data=data, quant=None))
        return self.reals[name] if name else ""

    def _origin(self, name: str) -> Origin:
        maker = self.graph.producer(name)
        return maker.origin if maker else Origin()

    # Layers in int8

    def _integer(self, tensor: Tensor | None) -> bool:
        """Whether an operand can be read in int8 here."""
        if tensor is None or tensor.data is not None:
            return True
        return tensor.name in self.integers or whole(tensor)

    def _take(self, name: str) -> str:
        """The int8 form of an operand."""
        tensor = self.graph.tensors[name] if name else None
        if tensor is None:
            return ""
        if tensor.data is not None:
            free = name if name not in self.tensors else self._claim(f"{name}_{tensor.format.name}")
            if name not in self.integers:
                self.integers[name] = self._add(replace(tensor, name=free, quant=None))
        elif name not in self.integers:
            self.integers[name] = self._cast("quantize", self.reals[name], tensor, self._origin(name))
        return self.integers[name]

    def _integer_node(self, node: Node) -> bool:
        """Whether `node` was emitted in int8."""
        ins = tuple(self.graph.tensors[name] if name else None for name in node.inputs)
        if node.op not in RULES or not self._frozen(node):
            return False
        out, clamp = self.graph.tensors[node.outputs[0]], self._clamp(node)
        result = self.graph.tensors[clamp.outputs[0]] if clamp else out
        if not whole(ins[0]) or not whole(out) or not all(self._integer(t) for t in ins):
            return False
        site = Site(node, ins, result, *(self._bounds(clamp, result) if clamp else ()))
        lowered = RULES[node.op](site)
        if lowered is None and clamp:
            result, clamp = out, None  # what only copies can't clamp as well
            lowered = RULES[node.op](Site(node, ins, result))
        if lowered is None:
            return False
        self._emit_lowered(node, result, lowered)
        if clamp:
            self.fused.add(clamp.name)
        return True

    def _emit_lowered(self, node: Node, result: Tensor, lowered: Lowered) -> None:
        consts = tuple(self._constant(f"{node.name}_{suffix}", data) for suffix, data in lowered.consts.items())
        own = {k: self._constant(f"{node.inputs[k]}_s32", data) for k, data in lowered.replaced.items()}
        inputs = (*(own.get(k) or self._take(name) for k, name in enumerate(node.inputs)), *consts)
        out = Tensor(result.name, result.shape, Role.ACT, S8)
        self.integers[result.name] = self._emit(lowered.op, node.name, inputs, out, lowered.attrs, node.origin)
        self.layers.append(node.name)
        self.factors += consts

    def _clamp(self, node: Node) -> Node | None:
        """The ReLU or the clip that `node` can compute as well: its only reader, on the same scale."""
        name = node.outputs[0]
        readers = self.graph.consumers(name)
        if len(readers) != 1 or name in self.graph.outputs:
            return None
        if readers[0].op not in ("relu", "clip") or readers[0].attrs.get("slope"):
            return None
        return readers[0] if self.graph.tensors[readers[0].outputs[0]].quant == self.graph.tensors[name].quant else None

    @staticmethod
    def _bounds(clamp: Node, result: Tensor) -> tuple[int, int]:
        assert result.quant is not None
        scale, zero = result.quant.scale[0], result.quant.zero_point[0]
        floor, limit = clamp.attrs.get("low", 0.0), clamp.attrs.get("high", clamp.attrs.get("max"))
        high = HIGHEST if np.isinf(limit) else min(HIGHEST, zero + to_integer(limit, scale))
        return max(LOWEST, zero + to_integer(floor, scale)), high

    # Layers in float32

    def _real_node(self, node: Node) -> None:
        out = self.graph.tensors[node.outputs[0]]
        frozen = self._frozen(node)
        if not frozen:
            self.trained.update(node.outputs)
        if node.op in ("quantize", "dequantize"):
            # Where something trains, a float activation is the same on both sides.
            self.reals[out.name] = self._real(node.inputs[0])
            if frozen and any(self._frozen(reader) for reader in self.graph.consumers(out.name)):
                self._round(out)
            return
        inputs = tuple(self._real(name) for name in node.inputs)
        for name in node.outputs:
            self.reals[name] = self._add(replace(self.graph.tensors[name], format=F32, quant=None))
        self.nodes.append(replace(node, inputs=inputs))
        if frozen:
            self._round(out)

    def _frozen(self, node: Node) -> bool:
        """Whether nothing that trains stands in front of a node, as far as is known before it is reached."""
        return not any(n in self.trained or self.graph.tensors[n].role is Role.PARAM for n in node.inputs if n)

    def _round(self, out: Tensor) -> None:
        """Make a float result the int8 that the file has there; what reads it as float reads what that stands for."""
        if whole(out) and out.name not in self.integers:
            self.integers[out.name] = self._cast("quantize", self.reals.pop(out.name), out, self._origin(out.name))

    def _output(self, name: str) -> str:
        """The float32 form of a model's output, under the output's own name."""
        found = self._real(name)
        if found == name or found in self.graph.inputs:
            return found
        rename = {found: name} if name not in self.tensors else {found: name, name: self._claim(f"{name}_s8")}
        self.tensors = {
            rename.get(k, k): replace(t, name=rename.get(k, k)) for k, t in self.tensors.items()
        }  # fmt: skip
        self.nodes = [
            replace(
                node,
                inputs=tuple(rename.get(n, n) for n in node.inputs),
                outputs=tuple(rename.get(n, n) for n in node.outputs),
            )
            for node in self.nodes
        ]
        return name
