"""BatchNorm that an exporter wrote as a product and a sum: its statistics are gone, and are found again from samples.

Such a norm is y = (x - m) * g + b with constants. Weights that become powers of two change x, so that it has to follow
them as a norm with statistics does. With the mean and deviation of x over samples it is the same function,
y = (x - mean) / std * gamma + beta, of which the file takes g = gamma / std and b = beta + (m - mean) * g.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from edgelearn.graph import Graph, Node
from edgelearn.shift.choose import Start
from edgelearn.shift.network import Network

EPSILON = 1e-3  # that of Keras, whose exporters write such norms
SAMPLES = 128  # whose statistics are a beginning: running ones follow


def unfused(graph: Graph, live: Mapping[str, float]) -> list[Node]:
    """Norms of an imported graph that are not `live` and whose factor and sum stand in the file, each of its own."""
    records = graph.meta.get("export", {})
    uses = Counter(name for node in graph.nodes for name in node.inputs)
    norms = [node for node in graph.nodes if node.op == "batch_norm" and node.inputs[3] not in live]
    return [n for n in norms if all(uses[i] == 1 for i in n.inputs[1:]) and all(i in records for i in n.inputs[1:3])]


def revive(begun: Start, nodes: Iterable[Node], x: np.ndarray) -> Start:
    """The same function with statistics of some of the samples x (N, *shape), device layout, in these norms."""
    nodes = list(nodes)
    if not nodes:
        return begun
    net = Network(begun.graph)
    net.forward(x[:SAMPLES])
    tensors, values = dict(begun.graph.tensors), dict(begun.values)
    for node in nodes:
        seen, gamma, beta, mean, inv_std = (net.values[name] for name in node.inputs)
        rows = seen.reshape(-1, seen.shape[-1]).astype(np.float64)
        own, factor = rows.mean(axis=0), gamma * inv_std.astype(np.float64)
        std = np.sqrt(rows.var(axis=0) + EPSILON)
        new = (factor * std, beta + (own - mean) * factor, own, 1 / std)
        for name, value in zip(node.inputs[1:], new, strict=True):
            tensors[name] = replace(tensors[name], data=value.astype(np.float32))
        values |= {name: np.array(tensors[name].data) for name in node.inputs[1:3]}
    return replace(begun, graph=begun.graph.replace(tensors=tensors), values=values)


def product_and_sum(graph: Graph, node: Node, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the file's factor and sum are for a norm's `values`; `graph` is the imported one. By tensor name."""
    gamma, beta, mean, inv_std = (values[name].astype(np.float64) for name in node.inputs[1:])
    old_mean, old_inv = (np.asarray(graph.tensors[name].data, np.float64) for name in node.inputs[3:])
    factor = gamma * inv_std
    new = (factor / old_inv, beta + (old_mean - mean) * factor)
    return {name: value.astype(np.float32) for name, value in zip(node.inputs[1:3], new, strict=True)}
