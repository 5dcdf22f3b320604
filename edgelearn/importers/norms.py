"""A BatchNorm that a file writes out, (x - mean) * scale + shift, as the one layer that it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgelearn.graph import Graph, Node, Tensor

# Layers with a bias of their own, into which an importer has put the first sum of a norm behind them.
LAYERS = ("conv2d", "depthwise_conv2d", "dense")


def gather_norms(graph: Graph) -> Graph:
    """The graph with each `bias`, `mul`, `bias` of trainable weights, one value a channel, as a `batch_norm`.

    The first sum becomes the mean: frozen like any other statistic, and no weight to write back. Behind the scale it
    could do nothing that the shift can't. Right behind a layer there may be no first sum, and the mean is zero.
    """
    for last in [n for n in graph.nodes if n.op == "bias"]:
        scale = _before(graph, last, "mul")
        first = _before(graph, scale, "bias") if scale is not None else None
        if scale is not None and first is not None and first.inputs[0] not in graph.inputs:
            graph = _gathered(graph, first.inputs[0], first, scale, last)
        elif scale is not None and (layer := graph.producer(scale.inputs[0])) is not None and layer.op in LAYERS:
            graph = _gathered(graph, scale.inputs[0], None, scale, last)
    return graph


def _before(graph: Graph, node: Node, op: str) -> Node | None:
    """The node of this kind that only `node` reads; both with one trainable weight a channel, no integers between."""
    found = graph.producer(node.inputs[0])
    if found is None or found.op != op or found.outputs[0] in graph.outputs:
        return None
    if graph.tensors[node.inputs[0]].quant is not None:
        return None
    alone = len(graph.consumers(found.outputs[0])) == 1
    return found if alone and _per_channel(graph, node) and _per_channel(graph, found) else None


def _per_channel(graph: Graph, node: Node) -> bool:
    x, weight = node.inputs
    return weight in graph.meta["export"] and graph.tensors[weight].shape == graph.tensors[x].shape[-1:]


def _gathered(graph: Graph, x: str, first: Node | None, scale: Node, last: Node) -> Graph:
    shift = graph.tensors[last.inputs[1]]
    sums = None if first is None else graph.tensors[first.inputs[1]].data
    mean = np.zeros(shift.shape, np.float32) if sums is None else -sums
    names: dict[str, str] = {}
    for suffix, data in (("mean", mean), ("inv_std", np.ones(shift.shape, np.float32))):
        name = names[suffix] = graph.unique(f"{last.name}_{suffix}")
        graph = graph.replace(tensors={**graph.tensors, name: Tensor(name, shift.shape, shift.role, data=data)})
    norm = replace(last, op="batch_norm", inputs=(x, scale.inputs[1], *last.inputs[1:], *names.values()))
    nodes = [norm if n is last else n for n in graph.nodes if n is not first and n is not scale]
    read = {name for n in nodes for name in n.inputs}
    unread = {n for part in (first, scale) if part for n in (*part.inputs, *part.outputs)} - read
    export = {name: record for name, record in graph.meta["export"].items() if name not in unread}
    tensors = {name: tensor for name, tensor in graph.tensors.items() if name not in unread}
    return graph.replace(tensors=tensors, nodes=nodes, meta={**graph.meta, "export": export})
