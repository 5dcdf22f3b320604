"""Networks with some layers' weights as signed powers of two, as an importer marks them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from edgelearn.graph import Graph
from edgelearn.shift import latents

LAYERS = ("conv2d", "depthwise_conv2d", "dense")


def shifted(graph: Graph, bits: Mapping[str, int]) -> Graph:
    """The graph with the weights of the named layers as the powers of two that are nearest."""
    tensors, marks = dict(graph.tensors), {}
    for node in graph.nodes:
        if node.name in bits:
            name = node.inputs[1]
            data = np.asarray(tensors[name].data)
            found, k = latents.near(data, bits[node.name], np.random.default_rng(0))
            tensors[name] = replace(tensors[name], data=latents.weights_of(found, k))
            marks[name] = (bits[node.name], k)
    return graph.replace(tensors=tensors, meta={**graph.meta, "shift": marks})


def all_but_ends(graph: Graph) -> Graph:
    """The graph with all layers but the first and the last as shifts, of 2, 3 and 4 bits in turn."""
    names = [node.name for node in graph.nodes if node.op in LAYERS][1:-1]
    return shifted(graph, {name: 2 + k % 3 for k, name in enumerate(names)})
