"""Quantises trained weights of an int8 model anew: symmetric, with the scales that their new range needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from edgelearn.formats import S8, S32
from edgelearn.graph import Graph, Node, Quant, Tensor
from edgelearn.passes.dequantize import real

_S8_MAX, _S32_MAX = 127, 2**31 - 1
_AS_THEY_ARE: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class Requantized:
    """The new integers of one tensor, their scales and their zero points: 0 where the scale is new."""

    data: np.ndarray
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]


def requantized(
    graph: Graph, weights: Mapping[str, np.ndarray], sources: Mapping[str, float] = _AS_THEY_ARE
) -> dict[str, Requantized]:
    """The integer tensors of an int8 graph that change if `weights` (float, by name) take new values, and if the inputs
    of some layers take new scales: `sources`, by the layer's name.

    With a weight's or an input's scales the scales of biases change too, so that a bias may be among the results
    although it is not among `weights`.
    """
    layers = [n for n in graph.nodes if len(n.inputs) > 2 and graph.tensors[n.inputs[1]].format is S8]
    out: dict[str, Requantized] = {}
    for name in dict.fromkeys(n.inputs[1] for n in layers):
        readers = [n for n in layers if n.inputs[1] == name]
        new = _weight(graph, graph.tensors[name], readers, weights, sources) if name in weights else None
        if new is not None:
            out[name] = new
        for node in readers:
            bias = node.inputs[2]
            touched = new is not None or bias in weights or node.name in sources
            if bias and graph.tensors[bias].format is S32 and touched:
                changed = _bias(graph, node, weights, new, sources)
                if changed is not None:
                    out[bias] = changed
    return out


def _weight(
    graph: Graph, old: Tensor, readers: list[Node], weights: Mapping[str, np.ndarray], sources: Mapping[str, float]
) -> Requantized | None:
    quant, data = _known(old)
    value = weights[old.name]
    axis = quant.axis
    others = tuple(k for k in range(value.ndim) if k != axis)
    moved = np.atleast_1d((value != real(data, quant)).any(axis=others if axis is not None else None))
    if not moved.any():
        return None
    largest = np.atleast_1d(np.abs(value).max(axis=others if axis is not None else None)).astype(np.float64)
    least = np.max([_least(graph, node, weights, len(quant.scale), sources) for node in readers], axis=0)
    scale = np.maximum(largest / _S8_MAX, least)
    keep = ~moved | (scale == 0)
    scale = np.where(keep, quant.scale, scale).astype(np.float32)
    shape = [-1 if k == axis else 1 for k in range(value.ndim)]
    fresh = np.clip(np.round(value / scale.astype(np.float64).reshape(shape)), -_S8_MAX, _S8_MAX)
    kept = np.broadcast_to(~moved.reshape(shape), value.shape)
    zero = np.where(moved, 0, quant.zero_point)
    integers = np.where(kept, data, fresh).astype(np.int8)
    return Requantized(integers, tuple(float(s) for s in scale), tuple(int(z) for z in zero))


def _least(
    graph: Graph, node: Node, weights: Mapping[str, np.ndarray], scales: int, sources: Mapping[str, float]
) -> np.ndarray:
    """The smallest weight scales with which the bias still fits 32 bits."""
    bias, source = node.inputs[2], _input_scale(graph, node, sources)
    if not bias or graph.tensors[bias].format is not S32 or not source:
        return np.zeros(scales)
    magnitude = np.abs(_bias_value(graph, bias, weights)).astype(np.float64)
    if scales == 1:
        magnitude = magnitude.max(keepdims=True)
    return np.asarray(magnitude / (source * _S32_MAX))


def _bias(
    graph: Graph,
    node: Node,
    weights: Mapping[str, np.ndarray],
    weight: Requantized | None,
    sources: Mapping[str, float],
) -> Requantized | None:
    old = graph.tensors[node.inputs[2]]
    quant, data = _known(old)
    value = _bias_value(graph, old.name, weights)
    scale, source = quant.scale, _input_scale(graph, node, sources)
    own = weight.scale if weight is not None else _known(graph.tensors[node.inputs[1]])[0].scale
    if (weight is not None or node.name in sources) and source and len(own) in (1, len(scale)):
        scale = tuple(source * s for s in own)
    same = (value == real(data, quant)) & (np.asarray(scale) == np.asarray(quant.scale))
    fresh = np.clip(np.round(value.astype(np.float64) / np.asarray(scale)), -_S32_MAX, _S32_MAX)
    zero = (0,) * len(scale)
    return None if same.all() else Requantized(np.where(same, data, fresh).astype(np.int32), scale, zero)


def _bias_value(graph: Graph, name: str, weights: Mapping[str, np.ndarray]) -> np.ndarray:
    if name in weights:
        return weights[name]
    quant, data = _known(graph.tensors[name])
    return real(data, quant)


def _input_scale(graph: Graph, node: Node, sources: Mapping[str, float]) -> float:
    """The scale of a layer's input, which its bias follows; 0 where that is float and the bias has its own."""
    if node.name in sources:
        return sources[node.name]
    quant = graph.tensors[node.inputs[0]].quant
    return 0.0 if quant is None else quant.scale[0]


def _known(tensor: Tensor) -> tuple[Quant, np.ndarray]:
    assert tensor.quant is not None
    assert tensor.data is not None
    return tensor.quant, tensor.data
