"""Turns an int8 model into the float32 model that it stands for, so that all of it can be trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgelearn.formats import F32
from edgelearn.graph import Graph, Quant, Tensor

CASTS = ("quantize", "dequantize")


def real(data: np.ndarray, quant: Quant) -> np.ndarray:
    """The float32 values that integers stand for: scale * (integer - zero_point), rounded once."""
    axis = quant.axis
    shape = [-1 if axis is not None and k == axis else 1 for k in range(data.ndim)]
    scale, zero = (np.asarray(values, np.float64).reshape(shape) for values in (quant.scale, quant.zero_point))
    with np.errstate(over="ignore"):  # an absurd scale makes infinity, which is refused where weights are looked at
        return (scale * (data.astype(np.float64) - zero)).astype(np.float32)


def is_quantized(graph: Graph) -> bool:
    """Whether any tensor of the graph holds integers that stand for real numbers."""
    return any(t.quant is not None for t in graph.tensors.values())


def dequantize(graph: Graph) -> Graph:
    """The graph in float32: weights and biases by their scales, no rounding between layers, no casts.

    What int8 would saturate or round is kept, so that a prediction differs from the int8 model's by a few of its
    steps. Samples are real numbers on both sides. A graph without quantised tensors comes back as it is.
    """
    if not is_quantized(graph):
        return graph
    same: dict[str, str] = {}
    for node in graph.nodes:
        if node.op in CASTS:
            same[node.outputs[0]] = same.get(node.inputs[0], node.inputs[0])
    # A cast at the end leaves, its name stays: that is what a prediction is read by.
    last = {same[name]: name for name in graph.outputs if name in same and same[name] not in graph.inputs}
    final = {name: last.get(kept, kept) for name, kept in same.items()} | last
    tensors = {}
    for tensor in graph.tensors.values():
        name = final.get(tensor.name, tensor.name)
        if tensor.name not in same:
            tensors[name] = replace(_float(tensor), name=name)
    nodes = [
        replace(
            node,
            inputs=tuple(final.get(name, name) for name in node.inputs),
            outputs=tuple(final.get(name, name) for name in node.outputs),
        )
        for node in graph.nodes
        if node.op not in CASTS
    ]
    return graph.replace(tensors=tensors, nodes=nodes, outputs=tuple(final.get(n, n) for n in graph.outputs))


def _float(tensor: Tensor) -> Tensor:
    if tensor.quant is None:
        return tensor
    data = None if tensor.data is None else real(tensor.data, tensor.quant)
    return replace(tensor, format=F32, data=data, quant=None)
