"""Collects the device graph: names, tensors, nodes, and how weights go back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from edgelearn.formats import F32, S8, S32, Format
from edgelearn.graph import Node, Origin, Quant, Role, Tensor, unique_name
from edgelearn.importers.onnx.call import Call, Unsupported
from edgelearn.importers.onnx.constant import Const, Scales, WeightRecord
from edgelearn.importers.onnx.names import node_name, printable
from edgelearn.importers.onnx.view import Factor, Shape, View, cut, dim_of, merged, offsets, ordered
from edgelearn.ops import OPS

# More elements than any board has bytes: stops absurd paddings and shapes before numpy allocates them.
LARGEST = 1 << 24
# What a layer could train, if the file holds it as it is.
WRITABLE = ("weight", "bias", "gamma", "beta", "scale", "slope")
NO_ATTRS: Mapping[str, Any] = {}
LAYERS = ("conv2d", "depthwise_conv2d", "dense")
# Ops whose result consists of elements of their operands: quantised if those are.
MOVES = ("reshape", "transpose", "slice", "concat", "max_pool2d")
# Quantised constants of layers, which training quantises anew, and the formats of others that stay as they are.
QUANTIZED = {"weight": (S8,), "bias": (S8, S32), "scale": (S8,), "slope": (S8,), "constant": (S8,)}


@dataclass
class _Weight:
    const: Const
    uses: list[tuple[int, int]] = field(default_factory=list)
    coded: Scales | None = None


class Builder:
    """The graph under construction.

    `file` is the file's name for messages, `readers` counts how often each ONNX value is read, `batch` is the
    batch size that the file fixes, or None. `integers` has the ONNX values that are integers in the file, with what
    they are above the device's int8: 128 for uint8, 0 for int8.
    `broken` has the values of nodes that could not be imported,
    `ranges` where the scales of quantised activations stand.
    """

    def __init__(self, file: str, readers: dict[str, int], batch: int | None) -> None:
        self.file = file
        self.readers = readers
        self.batch = batch
        self.tensors: dict[str, Tensor] = {}
        self.nodes: list[Node] = []
        self.warnings: list[str] = []
        self.input = ""
        self.integers: dict[str, int] = {}
        self.broken: set[str] = set()
        self.casts: dict[tuple[str, Quant], str] = {}
        self.ranges: dict[str, Scales] = {}
        self._places: dict[str, int] = {}
        self._taken: set[str] = set()
        self._weights: dict[tuple[Any, ...], str] = {}
        self._written: dict[str, _Weight] = {}
        self._settled: dict[tuple[Any, ...], View] = {}
        self._calls: dict[int, str] = {}
        self._made: dict[str, str] = {}

    # Names and tensors

    def claim(self, name: str) -> str:
        """A name that nothing has yet."""
        free = unique_name(name, self._taken)
        self._taken.add(free)
        return free

    def called(self, call: Call) -> str:
        """The name of the layer that a node becomes; the same at every call."""
        if call.index not in self._calls:
            weight = next((c.source for c in call.inputs if isinstance(c, Const) and c.source), "")
            name = node_name(call.proto.name, call.proto.op_type, weight)
            self._calls[call.index] = self.claim(name)
        return self._calls[call.index]

    def origin(self, call: Call) -> Origin:
        """Where a node stands in the file."""
        return Origin(self.file, printable(call.proto.name), call.proto.op_type, call.index)

    def tensor(self, name: str, shape: Shape, role: Role, data: np.ndarray | None = None) -> str:
        """Add a tensor; the name must be claimed. Unsupported if it is larger than any board could hold."""
        if any(size < 1 for size in shape):
            raise Unsupported(f"it makes an empty tensor {shape}")
        if math.prod(shape) > LARGEST:
            raise Unsupported(f"it makes a tensor {shape}, larger than the limit of {LARGEST} elements")
        self.tensors[name] = Tensor(name, shape, role, data=data)
        return name

    def placeholder(self, user_shape: Shape) -> View:
        """A stand-in for what an unsupported node makes, so that the nodes behind it can be checked too."""
        rank = len(user_shape)
        order = (*range(1, rank), 0) if rank in (2, 3) else tuple(range(rank))
        shape = tuple(user_shape[axis] for axis in order)
        shape = (1, *shape) if rank == 2 else shape
        return ordered(self.tensor(self.claim("unknown"), shape, Role.ACT), shape, user_shape, order)

    # Weights

    def weight(self, call: Call, suffix: str, const: Const, owner: str = "") -> str:
        """The CONST tensor of a constant, in device layout; the same initializer in the same layout only once.

        It is named after the layer `owner`, by default the one that the node becomes.
        """
        order = b"" if const.index is None else const.index.astype(np.int64).tobytes()
        key = (const.source, const.array.shape, const.scale, order) if const.source else None
        name = self._weights.get(key) if key else None
        if name is None:
            name = self.claim(f"{owner or self.called(call)}_{suffix}")
            data, fmt, quant = _stored(const, suffix)
            self.tensor(name, data.shape, Role.CONST, data)
            self.tensors[name] = replace(self.tensors[name], format=fmt, quant=quant)
            if key:
                self._weights[key] = name
            if suffix == "weight" and quant and any(quant.zero_point):
                where = self.origin(call)
                self.warnings.append(f"{name} has a zero point that is not its middle; its layer is float32 ({where})")
            if fmt is F32 and not np.isfinite(data).all():
                self.warnings.append(f"{name} holds NaN or infinite values ({self.origin(call)})")
        # A quantised constant of another kind than a layer's weight or bias stays as it is: nothing quantises it anew.
        kept = const.coded is not None and self.tensors[name].format is not (S8 if suffix == "weight" else S32)
        if const.source and const.index is not None and not kept:
            written = self._written.setdefault(name, _Weight(const))
            written.uses.append(const.use)
            written.coded = _scales(const, written.coded)
        elif suffix in WRITABLE and not kept:
            self.warnings.append(f"{name} is computed in the file and can't be written back ({self.origin(call)})")
        return name

    def records(self, shapes: dict[str, Shape]) -> dict[str, WeightRecord]:
        """How every weight that is still there is written back; `shapes` are those of the file's constants."""
        found = {}
        for name, weight in self._written.items():
            const = weight.const
            if const.index is not None:
                uses = tuple(dict.fromkeys(weight.uses))
                shape, order = shapes[const.source], const.index.ravel()
                found[name] = WeightRecord(const.source, shape, order, const.scale, uses, weight.coded)
        return found

    # Nodes

    def emit(
        self,
        call: Call,
        op: str,
        inputs: Sequence[str],
        attrs: Mapping[str, Any] = NO_ATTRS,
        suffix: str = "",
        owner: str = "",
    ) -> Tensor:
        """Add a node; its output's shape comes from the op's own rule. Unsupported if that refuses.

        It is named after the layer `owner`, by default the one that the ONNX node becomes.
        """
        infer = OPS[op].infer
        assert infer is not None
        try:
            shape = infer(attrs, [self.tensors[name].shape for name in inputs if name])[0]
        except ValueError as error:
            raise Unsupported(str(error)) from None
        name = self.called(call) if not suffix else self.claim(f"{owner or self.called(call)}_{suffix}")
        out = self.tensor(self.claim(f"{name}_out"), tuple(int(n) for n in shape), Role.ACT)
        quants = [self.tensors[source].quant for source in inputs if source]
        exact = op in MOVES or (op == "pad" and attrs["value"] == 0.0)
        if exact and quants[0] and all(quant == quants[0] for quant in quants):
            self.quantized(out, quants[0])
        self._places[out] = len(self.nodes)
        self.nodes.append(Node(op, name, tuple(inputs), (out,), attrs, origin=self.origin(call)))
        self._made[out] = call.proto.output[0]
        return self.tensors[out]

    def quantized(self, name: str, quant: Quant) -> None:
        """Make an activation one of integers that stand for real numbers."""
        self.tensors[name] = replace(self.tensors[name], format=S8, quant=quant)

    def producer(self, tensor: str) -> Node | None:
        """The node that makes a tensor, None for the model's input."""
        return self.nodes[self._places[tensor]] if tensor in self._places else None

    def add_bias(self, call: Call, view: View, const: Const) -> bool:
        """Give `const`, one value a channel, to the layer that makes `view`, if it has no bias yet."""
        at = self._places.get(view.tensor, -1)
        node = self.nodes[at] if at >= 0 else None
        if node is None or node.op not in LAYERS or node.inputs[2] or view.inner is not None:
            return False
        if self.readers.get(self._made.get(view.tensor, ""), 0) != 1:
            return False
        channels = self.tensors[node.outputs[0]].shape[-1]
        if const.array.shape != (channels,):
            return False
        bias = self.weight(call, "bias", const, node.name)
        self.nodes[at] = replace(node, inputs=(*node.inputs[:2], bias))
        return True

    def _reads(self, tensor: str) -> bool:
        return any(tensor in node.inputs for node in self.nodes)

    # Layout

    def settle(self, view: View, call: Call) -> View:
        """The view with its pending padding, if any, in memory."""
        if view.inner is None:
            # The input may have taken another shape since the view was made.
            return replace(view, shape=self.tensors[view.tensor].shape)
        key = (view.inner.tensor, view.pads, view.value)
        if key not in self._settled:
            out = self.emit(call, "pad", (view.inner.tensor,), {"pads": view.pads, "value": view.value}, "pad")
            self._settled[key] = View(out.name, out.shape, view.axes)
        return replace(self._settled[key], axes=view.axes)

    def arrange(self, call: Call, view: View, groups: Sequence[Sequence[int]]) -> str:
        """A device tensor (H, W, C) whose dimensions are the given groups of user axes.

        Emits a transpose where memory has to move. Unsupported where three axes are not enough, or where the same
        memory would have to be read in another shape.
        """
        shape = tuple(math.prod(view.user_shape[axis] for axis in group) for group in groups)
        factors = merged([f for group in groups for axis in group for f in view.axes[axis]])
        if factors in ([], [(math.prod(shape), 1)]):
            return self.reshaped(call, view.tensor, shape)
        dims: list[int | None] = []
        for group, size in zip(groups, shape, strict=True):
            part = merged([f for axis in group for f in view.axes[axis]])
            dims.append(None if size == 1 else dim_of(view.shape, part))
            if size > 1 and dims[-1] is None:
                return self._transposed(call, view.tensor, factors, shape)
        if len(view.shape) != 3:
            return self._transposed(call, view.tensor, factors, shape)
        spare = [dim for dim in range(3) if dim not in dims]
        perm = tuple(spare.pop(0) if dim is None else dim for dim in dims)
        out = self.emit(call, "transpose", (view.tensor,), {"perm": perm}, "order")
        return out.name

    def whole(self, call: Call, view: View) -> View:
        """A view of which every axis is one stretch of memory; a transpose to the user's order where it is none."""
        if all(len(merged(axis)) <= 1 for axis in view.axes):
            return replace(view, axes=tuple(tuple(merged(axis)) for axis in view.axes))
        split = [(part,) for axis in view.axes for factor in merged(axis) for part in cut(factor, view.shape)]
        if len(view.shape) != 3 or len(split) > 3:
            factors = merged([factor for axis in view.axes for factor in axis])
            tensor = self._transposed(call, view.tensor, factors, view.user_shape)
            return ordered(tensor, view.user_shape, view.user_shape, tuple(range(len(view.axes))))
        parts = View(view.tensor, view.shape, tuple(split))
        groups: list[list[int]] = [[], [], []][: 3 - len(split)] + [[axis] for axis in range(len(split))]
        tensor = self.arrange(call, parts, groups)
        order = range(len(view.axes))
        return ordered(tensor, self.tensors[tensor].shape, view.user_shape, tuple(order))

    def _transposed(self, call: Call, tensor: str, factors: Sequence[Factor], shape: Shape) -> str:
        """A device tensor whose memory holds these factors in this order: seen as a map of them, and transposed."""
        held = sorted(factors, key=lambda factor: -factor[1])
        strides = [math.prod(size for size, _ in held[k + 1 :]) for k in range(len(held))]
        if len(held) > 3 or strides != [stride for _, stride in held]:
            raise Unsupported("its input lies in memory in an order that one transpose can't bring right")
        spare = 3 - len(held)
        tensor = self.reshaped(call, tensor, (1,) * spare + tuple(size for size, _ in held))
        perm = (*range(spare), *(spare + held.index(factor) for factor in factors))
        moved = self.emit(call, "transpose", (tensor,), {"perm": perm}, "order").name
        return self.reshaped(call, moved, shape)

    def reshaped(self, call: Call, tensor: str, shape: Shape) -> str:
        """The same memory in another shape; the model's input may still take that shape itself."""
        known = self.tensors[tensor]
        if known.shape == shape:
            return tensor
        if tensor == self.input and not self._reads(tensor):
            self.tensors[tensor] = replace(known, shape=shape)
            return tensor
        return self.emit(call, "reshape", (tensor,), {"shape": shape}, "shape").name

    def flat_order(self, view: View) -> np.ndarray:
        """For every element in the user's order, where it lies in the device tensor; (count,) int64."""
        return offsets(view.axes).ravel()


def _stored(const: Const, suffix: str) -> tuple[np.ndarray, Format, Quant | None]:
    """A constant as the device has it: quantised where the file quantises it and an op may read it so."""
    found = const.integers()
    fmt = next((f for f in QUANTIZED.get(suffix, ()) if found and found[0].dtype == f.dtype), None)
    single = found is not None and len(found[1].scale) == 1
    if found is None or fmt is None or not (suffix in ("weight", "bias") or single):
        return np.ascontiguousarray(const.array, np.float32), F32, None
    return np.ascontiguousarray(found[0]), fmt, found[1]


def _scales(const: Const, known: Scales | None) -> Scales | None:
    """Where a quantised weight's scales are, with those that are known from other uses of it."""
    found = const.integers()
    if const.coded is None or found is None:
        return None
    return Scales(const.coded.scales, const.coded.zeros, found[2], const.coded.shift).also(known)
