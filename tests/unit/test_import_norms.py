"""A BatchNorm written out as difference, product and sum is the one layer that it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgelearn import methods
from edgelearn.export import export_model
from edgelearn.graph import Graph
from tests.unit.import_models import Nodes, compare, model, node, predict, random, run, save

WEIGHTS = {
    "w": random(3, 2, 3, 3), "b": random(3), "mean": random(3, 1, 1), "scale": 1 + random(3, 1, 1),
    "shift": random(3, 1, 1),
}  # fmt: skip
CONV = node("Conv", ["x", "w", "b"], "c")
RELU = node("Relu", ["c"], "r")
SUB = node("Sub", ["c", "mean"], "d")
MUL = node("Mul", ["d", "scale"], "e")
ADD = node("Add", ["e", "shift"], "y")


def imported(nodes: Nodes, folder: Path) -> Graph:
    read = {name for n in nodes for name in n.input}
    return compare(save(model(nodes, (2, 5, 6), {k: v for k, v in WEIGHTS.items() if k in read}), folder))


@pytest.mark.parametrize(
    ("nodes", "ops"),
    [
        ((CONV, SUB, MUL, ADD), ["conv2d", "batch_norm"]),
        ((node("Conv", ["x", "w"], "c"), SUB, MUL, ADD), ["conv2d", "batch_norm"]),
        ((CONV, node("Mul", ["c", "scale"], "e"), ADD), ["conv2d", "batch_norm"]),
        ((CONV, RELU, node("Sub", ["r", "mean"], "d"), MUL, ADD), ["conv2d", "relu", "batch_norm"]),
        ((CONV, RELU, node("Mul", ["r", "scale"], "e"), ADD), ["conv2d", "relu", "mul", "bias"]),
        ((CONV, SUB, MUL, node("Mul", ["e", "d"], "y")), ["conv2d", "bias", "mul", "mul"]),
        ((CONV, SUB, MUL, node("Add", ["e", "shift"], "f"), node("Add", ["e", "f"], "y")),
         ["conv2d", "bias", "mul", "bias", "add"]),
    ],
)  # fmt: skip
def test_what_becomes_of_it(nodes: Nodes, ops: list[str], tmp_path: Path) -> None:
    """Nothing is gathered where somebody else reads what lies between."""
    assert [n.op for n in imported(nodes, tmp_path).nodes] == ops


def test_the_sample_itself_is_not_normalised_by_weights(tmp_path: Path) -> None:
    weights = {"mean": random(1), "scale": 1 + random(1), "shift": random(1)}
    nodes = [node("Sub", ["x", "mean"], "d"), MUL, ADD]
    assert "batch_norm" not in [n.op for n in compare(save(model(nodes, (1, 4, 4), weights), tmp_path)).nodes]


def test_trained_weights_come_home(tmp_path: Path) -> None:
    """Scale and shift are written back where they stood; the mean stays as it was."""
    path, out = tmp_path / "net.onnx", tmp_path / "out.onnx"
    graph = imported((CONV, SUB, MUL, ADD), tmp_path)
    norm = graph.nodes[1]
    assert methods.select(graph, "all") == {*graph.nodes[0].inputs[1:], *norm.inputs[1:3]}
    moved = {name: np.asarray(graph.tensors[name].data) + 0.25 for name in methods.select(graph, "all")}
    export_model(path, graph, moved, out)
    stored = {t.name: numpy_helper.to_array(t) for t in onnx.load(out).graph.initializer}
    assert [n for n in WEIGHTS if not np.array_equal(stored[n], WEIGHTS[n])] == ["w", "b", "scale", "shift"]
    tensors = {n: replace(t, data=moved.get(n, t.data)) for n, t in graph.tensors.items()}
    x = np.random.default_rng(0).normal(size=(2, 2, 5, 6)).astype(np.float32)
    np.testing.assert_allclose(run(graph.replace(tensors=tensors), x), predict(out, x), rtol=0, atol=1e-5)
