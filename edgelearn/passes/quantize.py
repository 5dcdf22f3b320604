"""Quantises the frozen part of a float model: says how int8 stands for its weights and activations.

`lower` makes int8 ops of what is marked here, as of a model that came in int8. Weights are symmetric with one scale an
output channel, biases int32, activations have one scale and one zero point, from the ranges that calibration found.

Int8 reaches from the sample to the trained part or to the first layer that has no int8 form, and does not begin again
behind such a layer: an activation would be rounded to what the last bit of a float sum decides, and board and desktop
would part. Only a sample is rounded, which is the same number on both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import numpy as np

from edgelearn.calibrate import Ranges
from edgelearn.errors import InputError
from edgelearn.formats import S8, SHIFTS
from edgelearn.graph import Graph, Node, Phase, Quant, Role, Tensor, unique_name
from edgelearn.ops.fixed_point import HIGHEST, saturate
from edgelearn.ops.quantized import RULES
from edgelearn.ops.quantized.convert import quant_between, quantized
from edgelearn.ops.shift import encode_channels
from edgelearn.passes.dequantize import is_quantized
from edgelearn.passes.fold import CHANNEL_AXIS, fold_shifted
from edgelearn.passes.lower import lower

NO_SAMPLES = "--data samples.npz, with arrays x_train, y_train, x_test and y_test"
CLAMPS = ("relu", "clip")
MOVES = ("reshape", "transpose", "slice", "concat", "pad", "max_pool2d")  # integers that are copied or picked
LARGEST_BIAS = 2**30  # in steps of the sum, so that sum and bias together stay within 32 bits
# What the kernels of these give, whatever was seen.
FIXED = {
    "sigmoid": Quant((1 / 256,), (-128,)),
    "softmax": Quant((1 / 256,), (-128,)),
    "tanh": Quant((1 / 128,), (0,)),
}


def quantize(graph: Graph, ranges: Ranges | None) -> Graph:
    """A partitioned float graph with its frozen part marked for int8, by the (low, high) of its tensors.

    InputError where a model is int8 already, was not calibrated, or has no layer in front of the trained ones that has
    an int8 form.
    """
    if is_quantized(graph):
        raise InputError("the model is int8 already: what is frozen of it runs in int8", hint="leave --int8-prefix out")
    if ranges is None:
        raise InputError("the int8 prefix needs samples to calibrate it with", where="--int8-prefix", hint=NO_SAMPLES)
    refused: set[str] = set()
    while chosen := _reached(graph, refused):
        folded = fold_shifted(graph, chosen)
        chosen = chosen if folded is graph else _reached(folded, refused)
        marked = _Marking(folded, ranges, chosen).run()
        floats = _floats(marked, chosen)
        if not floats:
            return marked
        refused |= floats
    first = next(node for node in graph.nodes if node.phase is Phase.FORWARD)
    trained = [name for name in first.inputs if name and graph.tensors[name].role is Role.PARAM]
    why = "trains" if trained else f"has no int8 form ({first.op})"
    raise InputError(
        f"no layer can run in int8: the first one, '{first.name}', {why}", hint="--train last freezes all but the last"
    )


def _reached(graph: Graph, refused: set[str]) -> list[Node]:
    """The frozen nodes that int8 can reach from the sample on, without the outputs `refused`."""
    inside, chosen = set(graph.inputs[:1]), []
    for node in graph.nodes:
        maps = [name for name in node.inputs if name and graph.tensors[name].data is None]
        held = [graph.tensors[name].role for name in node.inputs if name and name not in maps]
        able = node.op in RULES or _is_affine(graph, node)
        if able and maps and inside.issuperset(maps) and Role.PARAM not in held and node.outputs[0] not in refused:
            chosen.append(node)
            inside.add(node.outputs[0])
    return chosen


def _floats(marked: Graph, chosen: Iterable[Node]) -> set[str]:
    """The first output of a chosen node that does not become int8 after all, for reasons that only its rule knows."""
    tensors = lower(marked).tensors
    wrong = (n.outputs[0] for n in chosen if n.outputs[0] in tensors and tensors[n.outputs[0]].format is not S8)
    return set(list(wrong)[:1])


def _is_affine(graph: Graph, node: Node) -> bool:
    """A BatchNorm of a map that could not be folded: it runs as a depthwise convolution of one by one."""
    return node.op == "batch_norm" and len(graph.tensors[node.inputs[0]].shape) == 3


def _affine(graph: Graph, node: Node) -> tuple[Node, list[Tensor]]:
    gamma, beta, mean, inv_std = (np.asarray(graph.tensors[name].data, np.float64) for name in node.inputs[1:])
    scale = gamma * inv_std
    weight = Tensor(graph.unique(f"{node.name}_scale"), (1, 1, len(scale)), Role.CONST, data=scale.reshape(1, 1, -1))
    bias = Tensor(graph.unique(f"{node.name}_shift"), mean.shape, Role.CONST, data=beta - mean * scale)
    attrs = {"kernel": (1, 1), "stride": (1, 1), "pads": (0, 0, 0, 0), "multiplier": 1}
    inputs = (node.inputs[0], weight.name, bias.name)
    made = [replace(t, data=np.asarray(t.data, np.float32)) for t in (weight, bias)]
    return replace(node, op="depthwise_conv2d", inputs=inputs, attrs=attrs), made


class _Marking:
    def __init__(self, graph: Graph, ranges: Ranges, chosen: list[Node]) -> None:
        self.graph, self.ranges = graph, ranges
        self.chosen = {node.name: node for node in chosen}
        self.tensors = dict(graph.tensors)
        self.maps = list(dict.fromkeys(n for node in chosen for n in (*self._maps(node), node.outputs[0])))
        self.group = {name: name for name in self.maps}  # tensors that share one scale, by one of them

    def run(self) -> Graph:
        for node in self.chosen.values():
            for a, b in pairwise(self._shared(node)):
                self._join(a, b)
        groups: dict[str, list[str]] = {}
        for name in self.maps:
            groups.setdefault(self._root(name), []).append(name)
        for members in groups.values():
            quant = self._quant(members)
            for name in members:
                self.tensors[name] = replace(self.tensors[name], format=S8, quant=quant)
        nodes = [self._node(node) if node.name in self.chosen else node for node in self.graph.nodes]
        read = {name for node in nodes for name in node.inputs}
        kept = {k: t for k, t in self.tensors.items() if t.data is None or k in read or k not in self.graph.tensors}
        return self.graph.replace(tensors=kept, nodes=nodes)

    def _maps(self, node: Node) -> list[str]:
        return [name for name in node.inputs if name and self.graph.tensors[name].data is None]

    # Which tensors share a scale

    def _root(self, name: str) -> str:
        while self.group[name] != name:
            name = self.group[name]
        return name

    def _join(self, a: str, b: str) -> None:
        self.group[self._root(a)] = self._root(b)

    def _shared(self, node: Node) -> list[str]:
        """The operands and the result of a node that have to have one scale."""
        padded_average = node.op == "avg_pool2d" and any(node.attrs["pads"])
        clamp = node.op in CLAMPS and not node.attrs.get("slope") and len(self.graph.consumers(node.inputs[0])) == 1
        fused = clamp and node.inputs[0] not in (*self.graph.inputs, *self.graph.outputs)
        return [*self._maps(node), node.outputs[0]] if node.op in MOVES or padded_average or fused else []

    def _quant(self, members: list[str]) -> Quant:
        """One scale for tensors that share it.

        What is only copied, picked or clamped within the group need not be held: to saturate before that is the same
        as to saturate behind it.
        """
        if len(members) == 1:
            maker = self.graph.producer(members[0])
            if maker and maker.op in FIXED:
                return FIXED[maker.op]
        ends = [name for name in members if not self._inner(name, members)]
        low, high = zip(*(self.ranges[name] for name in ends), strict=True)
        return quant_between(min(low), max(high))

    def _inner(self, name: str, members: list[str]) -> bool:
        """Whether all that reads a tensor picks from it and gives another one of the group."""
        readers = self.graph.consumers(name)
        picked = all(n.op in (*MOVES, *CLAMPS) and n.outputs[0] in members and n.name in self.chosen for n in readers)
        return bool(readers) and picked and name not in self.graph.outputs

    # What they read beside activations

    def _node(self, node: Node) -> Node:
        if _is_affine(self.graph, node):
            node, made = _affine(self.graph, node)
            self.tensors |= {t.name: t for t in made}
        inputs = list(node.inputs)
        slot = 1
        if len(inputs) > slot and inputs[slot] and (data := self.tensors[inputs[slot]].data) is not None:
            axis = CHANNEL_AXIS.get(node.op)
            own = quant_between(float(data.min()), float(data.max()))
            codes = None if axis is None else self._codes(node, data, axis)
            quant = own if axis is None else self._channels(node, np.asarray(data, np.float64), axis)
            inputs[slot] = codes or self._constant(inputs[slot], data, quant)
        return replace(node, inputs=tuple(inputs))

    def _channels(self, node: Node, data: np.ndarray, axis: int) -> Quant:
        """Symmetric, one scale an output channel: its largest weight is 127, unless its bias needs larger steps."""
        largest = np.abs(data).max(axis=tuple(k for k in range(data.ndim) if k != axis), initial=0.0)
        scale = np.maximum(largest / HIGHEST, self._least(node))
        scale = np.maximum(np.where(scale > 0, scale, 1.0), np.finfo(np.float32).tiny).astype(np.float32)
        return Quant(tuple(scale.tolist()), (0,) * len(scale), axis)

    def _least(self, node: Node) -> np.ndarray | float:
        """The smallest scale of weights with which the bias of each channel stays within LARGEST_BIAS."""
        source = self.tensors[node.inputs[0]].quant
        assert source is not None
        bias = self.tensors[node.inputs[2]].data if len(node.inputs) > 2 and node.inputs[2] else None
        return 0.0 if bias is None else np.abs(np.asarray(bias, np.float64)) / (source.scale[0] * LARGEST_BIAS)

    def _codes(self, node: Node, data: np.ndarray, axis: int) -> str:
        """Weights that the file marks as shifts, of one layer alone, as codes with one scale a channel; "" for others
        and where a bias needs larger steps.
        """
        name = node.inputs[1]
        bits, _ = self.graph.meta.get("shift", {}).get(name, (0, 0))
        found = encode_channels(data, bits, axis) if bits and len(self.graph.consumers(name)) < 2 else None
        if found is None or np.any(found[1] < self._least(node)):
            return ""
        own = unique_name(f"{name}_{bits}bit", self.tensors)
        quant = Quant(tuple(found[1].tolist()), (0,) * len(found[1]), axis)
        self.tensors[own] = Tensor(own, data.shape, Role.CONST, SHIFTS[bits], found[0], quant)
        return own

    def _constant(self, name: str, data: np.ndarray, quant: Quant) -> str:
        """An int8 constant in place of a float one, or beside it where others read that."""
        if quant.axis is None:
            integers = quantized(quant, data)
        else:
            shape = [-1 if k == quant.axis else 1 for k in range(data.ndim)]
            steps = np.asarray(data, np.float64) / np.asarray(quant.scale).reshape(shape)
            integers = saturate(np.rint(steps), -HIGHEST)
        alone = len(self.graph.consumers(name)) < 2
        own = name if alone else unique_name(f"{name}_s8", self.tensors)
        self.tensors[own] = Tensor(own, data.shape, Role.CONST, S8, integers, quant)
        return own
