"""New ranges for the activations behind the trained layers of a quantised ONNX file; see ranges.py.

Here each pair of casts has a scale of its own. Only what moves elements without a word on their scale shares one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from edgelearn.export.ranges import fitted, real_value, runs, widened
from edgelearn.formats import S8, S32
from edgelearn.graph import Graph, Node, Quant

# Ops whose result consists of elements of their operands.
MOVES = ("reshape", "transpose", "slice", "concat", "max_pool2d", "pad")


def new_scales(graph: Graph, weights: Mapping[str, np.ndarray], samples: Iterable[np.ndarray]) -> dict[str, Quant]:
    """Scale and zero point of each activation whose old ones do not fit the new weights, by its name.

    `graph` is the file as it was imported, `weights` real values by name, `samples` (device shape) real numbers.
    """
    changed = {name for name, value in weights.items() if not np.array_equal(value, real_value(graph, name))}
    groups = [group for group in _groups(graph, _behind(graph, changed)) if _movable(graph, group)]
    if not groups:
        return {}
    limits: dict[str, tuple[float, float]] = {}
    for computed in runs(graph, weights, samples):
        for node, value in computed:
            limits[node.outputs[0]] = widened(limits.get(node.outputs[0]), value)
    out: dict[str, Quant] = {}
    for group in groups:
        held = [limits[name] for name in group if name in graph.meta["scales"]]
        old = graph.tensors[min(group)].quant
        assert old is not None
        new = fitted(old, min(low for low, _ in held), max(high for _, high in held))
        out |= dict.fromkeys(group, new) if new else {}
    return out


def input_scales(graph: Graph, ranges: Mapping[str, Quant]) -> dict[str, float]:
    """The new input scales of layers whose int32 biases follow them, by the layer's name."""
    return {n.name: ranges[n.inputs[0]].scale[0] for n in _following(graph) if n.inputs[0] in ranges}


def _following(graph: Graph) -> list[Node]:
    layers = [n for n in graph.nodes if len(n.inputs) == 3 and n.inputs[2]]
    return [n for n in layers if graph.tensors[n.inputs[1]].format is S8 and graph.tensors[n.inputs[2]].format is S32]


def _behind(graph: Graph, weights: set[str]) -> set[str]:
    """The quantised activations that depend on a changed weight."""
    reached = set(weights)
    for node in graph.nodes:
        if reached.intersection(node.inputs):
            reached.update(node.outputs)
    return {name for name in reached - weights if graph.tensors[name].quant is not None}


def _groups(graph: Graph, behind: set[str]) -> list[set[str]]:
    """Activations that must keep one scale together, all of them behind changed weights."""
    groups: dict[str, set[str]] = {}
    for node in graph.nodes:
        (name,) = node.outputs
        if graph.tensors[name].quant is None:
            continue
        groups.setdefault(name, {name})
        for source in node.inputs if _shares(graph, node) else ():
            whole = groups.setdefault(source, {source}) | groups[name]
            groups.update(dict.fromkeys(whole, whole))
    unique = {id(group): group for group in groups.values()}
    return [group for group in unique.values() if group <= behind]


def _shares(graph: Graph, node: Node) -> bool:
    """Whether a node's operands have its result's integers: moved ones, or those that a ReLU has marked."""
    own, (first, *_) = graph.tensors[node.outputs[0]].quant, node.inputs
    marked = node.op == "relu" and first not in graph.meta["scales"]
    return (marked or node.op in MOVES) and all(graph.tensors[name].quant == own for name in node.inputs)


def _movable(graph: Graph, group: set[str]) -> bool:
    """Whether the file has constants for the group's scale and zero point, and all biases can follow."""
    held = [graph.meta["scales"][name] for name in group if name in graph.meta["scales"]]
    if not held or any(not scales.scales or not scales.zeros for scales in held):
        return False
    readers = [n.inputs[2] for n in graph.nodes if len(n.inputs) == 3]
    layers = [n for n in _following(graph) if n.inputs[0] in group]
    return all(n.inputs[2] in graph.meta["export"] and readers.count(n.inputs[2]) == 1 for n in layers)
