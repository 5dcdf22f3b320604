"""Samples for which a network's gradient means the same in float32 as in float64.

A ReLU, or a maximum, has no gradient where it bends. Of the many thousand values that a net bends, one or two lie so
near the bend for most samples that rounding decides on which side; then float32 computes the gradient of another
network, exactly. Such samples are passed over, and those for which a layer's values cancel out.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from edgelearn.graph import Graph, Node
from edgelearn.ops import windows
from edgelearn.reference import Reference

SIDES = 8  # a value is this many times its rounding error away from the bend
CANCELLED = 4e-6  # rounding errors of a layer at most, of its largest value


def clear_sample(graph: Graph, samples: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The first sample (device layout) that has no value within rounding distance of a bend, and its prediction."""
    exact, rounded = Reference(graph, np.float64), Reference(graph, np.float32)
    for sample in samples:
        prediction = exact.forward(sample)
        rounded.forward(sample)
        if all(_clear(node, exact, rounded) for node in graph.nodes):
            return sample, prediction
    raise AssertionError(f"none of the samples keeps clear of every bend of {graph.name}")


def _clear(node: Node, exact: Reference, rounded: Reference) -> bool:
    x = exact.values[node.inputs[0]]
    error = np.abs(x - rounded.values[node.inputs[0]])
    if error.max() > CANCELLED * np.abs(x).max():
        return False
    if node.op == "relu":
        return bool((_distance(x, node.attrs["max"]) >= SIDES * error).all())
    if node.op == "max_pool2d":
        second, first = np.sort(_windows(node, x, -np.inf), axis=2)[:, :, -2:].transpose(2, 0, 1, 3)
        most = _windows(node, error, 0.0).max(axis=2)
        # Behind a ReLU all of a window may be zero: whoever wins, nothing flows through it.
        return bool(((first - second >= SIDES * most) | (first == 0.0)).all())
    return True


def _distance(x: np.ndarray, limit: float) -> np.ndarray:
    """From each value to the nearer bend."""
    return np.minimum(np.abs(x), np.abs(x - limit))


def _windows(node: Node, x: np.ndarray, fill: float) -> np.ndarray:
    """(Ho, Wo, kh * kw, C)."""
    win = windows.patches(node.attrs, x, fill=fill)
    return win.reshape(*win.shape[:2], -1, win.shape[4])
