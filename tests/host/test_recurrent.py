"""Recurrent nets as PyTorch exports them: gradients against its own layers, and training in C, numpy and torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from edgelearn import methods
from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.data import Dataset
from edgelearn.export.score import score_file
from edgelearn.graph import Graph, Phase, Role
from edgelearn.importers.onnx import load_onnx
from edgelearn.passes.differentiate import differentiate
from edgelearn.passes.partition import partition
from edgelearn.plan import make_plan
from edgelearn.reference import Reference, evaluate
from edgelearn.training import training_graph
from tests.host.test_training import run_three
from tests.unit.test_import_recurrent import FEATURES, STEPS, Torch, exported, made, save

CONFIGS = {
    "sgd": TrainConfig(lr=0.05),
    "momentum-batch": TrainConfig(lr=0.02, momentum=0.9, batch=2, weight_decay=0.01),
    "adamw-clip": TrainConfig(optimizer="adamw", lr=0.01, momentum=0.8, batch=2, clip_norm=0.5, epsilon=1e-3),
}
# Which of ONNX's gates PyTorch has in each place: r, z, n and i, f, g, o.
ORDER = {"GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2), "RNN": (0,)}


def gates(kind: str, gradient: torch.Tensor) -> np.ndarray:
    """A gradient of PyTorch with its gates in ONNX's order."""
    parts = np.split(gradient.numpy(), len(ORDER[kind]))
    return np.concatenate([parts[k] for k in ORDER[kind]])


def in_file(graph: Graph, oracle: Reference) -> dict[str, np.ndarray]:
    """All gradients, added up in the shapes of the file's tensors, by their names there."""
    found: dict[str, np.ndarray] = {}
    for name, record in graph.meta["export"].items():
        whole = found.setdefault(record.source, np.zeros(record.shape))
        whole.flat[record.order] = oracle.values[f"{name}_grad"].ravel()
    return found


@pytest.mark.parametrize("steps", [1, 2, 7])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("kind", ORDER)
def test_gradients_are_those_of_pytorch(kind: str, batch_first: bool, steps: int, tmp_path: Path) -> None:
    """Two layers, both biases of each, in float32 against PyTorch in float64: 1e-5 of each tensor's largest."""
    path = exported(tmp_path, kind, layers=2, batch_first=batch_first, steps=steps)
    source = load_onnx(path)
    graph = training_graph(source, TrainConfig(batch=2, loss="cross-entropy"))
    rng = np.random.default_rng(3)
    x = rng.normal(size=(steps, FEATURES)).astype(np.float32)
    oracle = Reference(graph, np.float32)
    oracle.train(source.meta["input"].to_device(x[None])[0], 1)
    torch.manual_seed(0)
    net = Torch(kind, batch_first, 2, "index", both=False).double()
    with torch.no_grad():  # the exported file's float32 weights are those of the same seed
        for parameter in net.parameters():
            parameter.copy_(parameter.float())
    sample = torch.tensor(x, dtype=torch.float64)
    scores = net(sample[None] if batch_first else sample[:, None])
    (torch.nn.functional.cross_entropy(scores, torch.tensor([1])) / 2).backward()
    truth = []
    for layer in range(2):
        w, r, b, c = (getattr(net.layer, f"{name}_l{layer}").grad for name in
                      ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))  # fmt: skip
        truth.append(np.concatenate((gates(kind, b), gates(kind, c)))[None])
        truth += [gates(kind, w)[None], gates(kind, r)[None]]
    truth += [net.head.weight.grad.numpy(), net.head.bias.grad.numpy()]
    for (name, found), want in zip(in_file(source, oracle).items(), truth, strict=True):
        assert found.shape == want.shape
        assert np.abs(found - want).max() <= 1e-5 * max(np.abs(want).max(), 1e-3), name


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("kind", ORDER)
def test_three_updates_agree(kind: str, config: str, tmp_path: Path) -> None:
    both = config == "sgd"
    graph = load_onnx(exported(tmp_path, kind, layers=2, both=both, take="index" if both else "last"))
    assert {methods_of(graph, choice) for choice in ("all", "last")} == {len(graph.meta["export"]), 2}
    run_three(graph, CONFIGS[config], tmp_path)


def methods_of(graph: Graph, choice: str) -> int:
    return len(methods.select(graph, choice))


@pytest.mark.parametrize("name", ["gru_reset_first", "lstm"])
def test_what_onnx_alone_has(name: str, tmp_path: Path) -> None:
    """The reset gate before the product; a first state and cell; the output of every step."""
    start = {"h": np.full((1, 1, 7), 0.25, np.float32)}
    models = {
        "gru_reset_first": lambda: made("GRU", more=start, shape=(STEPS, 1, FEATURES)),
        "lstm": lambda: made("LSTM", more={**start, "c": 2 * start["h"]}, shape=(STEPS, 1, FEATURES)),
    }
    run_three(load_onnx(save(models[name](), tmp_path)), TrainConfig(lr=0.05, loss="mse"), tmp_path)


def test_what_is_frozen_costs_nothing(tmp_path: Path) -> None:
    """A head on a frozen layer keeps no gates; the recurrent weights alone need no gradient of the projection."""
    source = load_onnx(exported(tmp_path, "GRU"))
    head = make_plan(source, TrainConfig(train="last"), load("host"))
    assert not head.graph.of_role(Role.MASK)
    assert {s.node.op for s in head.schedule.steps if s.node.phase is Phase.BACKWARD} == {
        "softmax_xent_bwd", "dense_bwd_w", "bias_bwd",
    }  # fmt: skip
    name = next(n.name for n in source.nodes if n.op == "gru")
    assert methods.select(source, name) == {n for n in source.meta["export"] if n.startswith(name)}
    own = {n for n in source.meta["export"] if "recurrent" in n}
    assert methods.select(source, f"{name}_input") == methods.select(source, name) - own
    graph = differentiate(partition(source, own), "cross-entropy", 1)
    backward = [n.op for n in graph.nodes if n.phase is Phase.BACKWARD]
    assert backward[-3:] == ["gru_bwd", "gru_bwd_w", "gru_bias_bwd"]


def test_the_gates_take_the_place_of_the_projection(tmp_path: Path) -> None:
    """A GRU's training needs one sequence of gates, the states, their gradient, and no more."""
    plan = make_plan(load_onnx(exported(tmp_path, "GRU", steps=50)), TrainConfig(), load("host"))
    shared = [set(slot.buffer.tensors) for slot in plan.arena.slots]
    gate = next(t.name for t in plan.graph.of_role(Role.MASK))
    node = next(s.node for s in plan.schedule.steps if s.node.op == "gru")
    back = next(s.node for s in plan.schedule.steps if s.node.op == "gru_bwd")
    assert any({gate, node.inputs[0], back.outputs[0]} <= group for group in shared)
    assert any({back.outputs[1], back.inputs[2]} <= group for group in shared)
    sequence, state, sample = 50 * 21 * 4, 50 * 7 * 4, 50 * FEATURES * 4
    assert plan.arena.nbytes <= sequence + 2 * state + sample + 1024


@pytest.mark.parametrize("dynamic", [False, True])
def test_a_file_with_time_first_is_scored_by_its_own_runtime(dynamic: bool, tmp_path: Path) -> None:
    """Where a batch in front would be taken for the time."""
    path = exported(tmp_path, "GRU", batch_first=False, dynamic=dynamic)
    graph = load_onnx(path)
    x = np.random.default_rng(2).normal(size=(20, STEPS, FEATURES)).astype(np.float32)
    y = np.array([np.argmax(evaluate(graph, s, np.float32)) for s in graph.meta["input"].to_device(x)])
    axes = graph.meta["batch_axes"]
    assert axes[0] == 1
    assert score_file(path, Dataset(x, y, x, y), "cross-entropy", axes).accuracy == 1.0
