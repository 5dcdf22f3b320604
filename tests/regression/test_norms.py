"""Bugs that norms had, each with the smallest model that showed it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgelearn.boards import load as load_board
from edgelearn.config import TrainConfig
from edgelearn.graph import Role
from edgelearn.importers.onnx import load_onnx
from edgelearn.passes.lower import lower
from edgelearn.plan import make_plan
from edgelearn.reference import Reference
from tests.support.qdq_files import QdqNet, predict
from tests.unit.import_models import compare, model, node, random, save


def test_a_shift_that_two_layers_share_is_not_folded(tmp_path: Path) -> None:
    """Folding took it out of what trains, so that the other layer's bias stood still."""
    weights = {"v": random(4, 4), "w": random(4, 4), "b": random(4), "m": random(4), "s": 1 + random(4)}
    nodes = [
        node("MatMul", ["x", "v"], "a"), node("Sub", ["a", "m"], "c"), node("Mul", ["c", "s"], "d"),
        node("Add", ["d", "b"], "e"), node("MatMul", ["x", "w"], "f"), node("Add", ["f", "b"], "g"),
        node("Add", ["e", "g"], "y"),
    ]  # fmt: skip
    graph = compare(save(model(nodes, (4,), weights), tmp_path))
    plan = make_plan(graph, TrainConfig(fold_norms=True), load_board("host"))
    assert sum(node.op == "batch_norm" for node in plan.graph.nodes) == 1
    assert sum(t.count for t in plan.graph.of_role(Role.PARAM)) == sum(np.size(weights[n]) for n in weights)


def test_a_norm_that_leaves_float32_is_not_folded(tmp_path: Path) -> None:
    """The folded weights were infinite, after a warning of numpy's."""
    weights = {"w": random(4, 4), "s": random(4), "b": random(4), "v": random(4, 4)}
    weights["w"][1, 2], weights["s"][2] = 1e30, 1e20
    nodes = [node("MatMul", ["x", "w"], "a"), node("Mul", ["a", "s"], "c"), node("Add", ["c", "b"], "d"),
             node("MatMul", ["d", "v"], "y")]  # fmt: skip
    path = save(model(nodes, (4,), weights), tmp_path)
    plan = make_plan(load_onnx(path), TrainConfig(train="last"), load_board("host"))
    assert sum(node.op == "batch_norm" for node in plan.graph.nodes) == 1
    assert all(np.isfinite(t.data).all() for t in plan.graph.tensors.values() if t.data is not None)


def test_a_norm_is_not_gathered_across_integers(tmp_path: Path) -> None:
    """The rounding between its product and its sum was left out."""
    net = QdqNet(5, "int8")
    x = net.rounded(net.node("Conv", [net.source(), net.weight((4, 3, 1), 0)]), 0.05, 0)
    scaled = net.rounded(net.node("Mul", [x, net.const(1 + random(4, 1), "s")]), 0.25, 0)
    made = net.content(net.node("Add", [scaled, net.const(random(4, 1), "b")]), (3, 6))
    graph = load_onnx(save(made, tmp_path))
    assert [node.op for node in graph.nodes][-2:] == ["mul", "bias"]
    samples, reference = 2 * random(5, 3, 6), Reference(lower(graph))
    found = np.stack([reference.forward(sample).copy() for sample in graph.meta["input"].to_device(samples)])
    off = (graph.meta["output"].to_user(found) - predict(made, samples)) / 0.25
    assert np.abs(off - np.rint(off)).max() < 1e-3
    assert np.abs(np.rint(off)).max() <= 1
    assert np.count_nonzero(np.rint(off)) <= 0.05 * off.size
