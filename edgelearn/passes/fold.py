"""Folds a frozen BatchNorm into the layer before it, and unfolds trained weights on the way home.

w' = w * s and b' = (b - mean) * s + beta with s = gamma * inv_std, per output channel.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from edgelearn.graph import Graph, Node, Role, Tensor

# The axis of the output channel in each layer's weights.
CHANNEL_AXIS = {"conv2d": 0, "depthwise_conv2d": 2, "dense": 0}


@dataclass(frozen=True)
class Folded:
    """What was folded where: names in the imported graph; `axis` is the output channel's axis in `weight`."""

    weight: str
    bias: str
    folded_bias: str
    beta: str
    scale: np.ndarray
    offset: np.ndarray
    axis: int


def _shifts(graph: Graph, layer: Node) -> bool:
    """Whether weights are marked as shifts, which a factor a channel would make floats of again."""
    return layer.inputs[1] in graph.meta.get("shift", {})


def _foldable(graph: Graph, norm: Node) -> Node | None:
    """The layer that `norm` can be folded into: its only reader, with weights of its own, none of them quantised."""
    layer = graph.producer(norm.inputs[0])
    if layer is None or layer.op not in CHANNEL_AXIS or norm.inputs[0] in graph.outputs:
        return None
    alone = len(graph.consumers(layer.outputs[0])) == 1
    own = all(len(graph.consumers(w)) == 1 for w in layer.inputs[1:] if w)
    real = all(
        graph.tensors[name].quant is None for name in (*layer.inputs[1:], *layer.outputs, *norm.inputs[1:]) if name
    )
    return layer if alone and own and real else None


def _invertible(graph: Graph, norm: Node) -> bool:
    """Whether trained weights can be unfolded: no channel is scaled to (nearly) nothing."""
    gamma, inv_std = (graph.tensors[norm.inputs[k]].data for k in (1, 4))
    return bool(np.all(np.abs(np.asarray(gamma, np.float64) * np.asarray(inv_std, np.float64)) > 1e-6))


def _along(scale: np.ndarray, axis: int, ndim: int) -> np.ndarray:
    return scale.reshape([-1 if k == axis else 1 for k in range(ndim)])


def fold_norms(graph: Graph, trained: set[str], force: bool = False) -> tuple[Graph, set[str]]:
    """Fold every BatchNorm that nothing trains (or all of them, with `force`); gives the graph and what now trains.

    Where only the norm's shift trains, it becomes the layer's bias, whose gradient is the same. A norm with a trained
    scale stays visible unless `force`, and so does a frozen norm behind a trained layer: folding it would change the
    step that the layer's weights take.
    """
    for norm in [n for n in graph.nodes if n.op == "batch_norm"]:
        layer = _foldable(graph, norm)
        touched = trained & {*norm.inputs, *(layer.inputs if layer else ())}
        # Scale or shift that train elsewhere too can't be part of this layer's weights.
        tied = any(len(graph.consumers(name)) > 1 for name in trained & set(norm.inputs))
        harmless = touched <= {norm.inputs[2]} or (force and _invertible(graph, norm))
        if layer is None or tied or not harmless or _shifts(graph, layer):
            continue
        graph, trained = _fold_one(graph, trained, layer, norm)
    return graph, trained


def fold_shifted(graph: Graph, chosen: Collection[Node]) -> Graph:
    """The norms among `chosen` nodes, which are frozen, folded into layers among them whose weights are marked as
    shifts: in int8 a channel has a factor of its own anyway.
    """
    names = {node.name for node in chosen}
    for norm in [n for n in chosen if n.op == "batch_norm"]:
        layer = _foldable(graph, norm)
        if layer is not None and layer.name in names and _shifts(graph, layer):
            graph, _ = _fold_one(graph, set(), layer, norm)
    return graph


def _fold_one(graph: Graph, trained: set[str], layer: Node, norm: Node) -> tuple[Graph, set[str]]:
    data = {name: graph.tensors[name].data for name in (*layer.inputs[1:], *norm.inputs[1:]) if name}
    gamma, beta, mean, inv_std = (np.asarray(data[name], np.float64) for name in norm.inputs[1:])
    axis, weight, bias = CHANNEL_AXIS[layer.op], layer.inputs[1], layer.inputs[2]
    scale = gamma * inv_std
    w = np.asarray(data[weight], np.float64)
    b = np.asarray(data[bias], np.float64) if bias else np.zeros_like(mean)
    offset = (b - mean) * scale
    tensors = dict(graph.tensors)
    folded_bias = bias or graph.unique(f"{layer.name}_bias")
    with np.errstate(over="ignore"):
        folded, moved = (w * _along(scale, axis, w.ndim)).astype(np.float32), (offset + beta).astype(np.float32)
    if not (np.isfinite(folded).all() and np.isfinite(moved).all()):
        return graph, trained  # what is finite apart stays apart
    tensors[weight] = Tensor(weight, folded.shape, Role.CONST, data=folded)
    tensors[folded_bias] = Tensor(folded_bias, mean.shape, Role.CONST, data=moved)
    merged = replace(layer, inputs=(layer.inputs[0], weight, folded_bias), outputs=norm.outputs)
    nodes = [merged if n is layer else n for n in graph.nodes if n is not norm]
    for name in {layer.outputs[0], *norm.inputs[1:]}.difference(*(n.inputs for n in nodes)):
        tensors.pop(name, None)
    record = Folded(weight, bias, folded_bias, norm.inputs[2], scale, offset, axis)
    done = (*graph.meta.get("folded", ()), record)
    if touched := trained & {*layer.inputs, *norm.inputs}:
        scaled = {weight} if touched - {norm.inputs[2]} else set()
        trained = (trained - set(norm.inputs[1:])) | scaled | {folded_bias}
    return graph.replace(tensors=tensors, nodes=nodes, meta={**graph.meta, "folded": done}), trained


def unfold(graph: Graph, weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Trained weights of a folded graph as weights of the imported one (the layer's own and the norm's shift)."""
    out = dict(weights)
    for record in graph.meta.get("folded", ()):
        if record.weight in out:
            w = out[record.weight].astype(np.float64)
            out[record.weight] = (w / _along(record.scale, record.axis, w.ndim)).astype(np.float32)
        if record.folded_bias in out:
            out[record.beta] = (out.pop(record.folded_bias).astype(np.float64) - record.offset).astype(np.float32)
    return out
