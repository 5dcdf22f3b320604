"""Whole nets: numpy truth, generated C and torch take the same training steps."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from edgelearn import methods
from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.graph import Graph, Role
from edgelearn.ops import OPS
from edgelearn.passes.differentiate import differentiate
from edgelearn.passes.partition import partition
from edgelearn.plan import make_plan
from edgelearn.reference import Reference
from edgelearn.training import training_graph
from tests.support.clib import CModel
from tests.support.compare import apart, optim
from tests.support.nets import NETS, sample
from tests.support.torch_graph import TorchGraph
from tests.unit.test_gradients import CASES, single

CONFIGS = {
    "sgd": TrainConfig(lr=0.05),
    "sgd-decay": TrainConfig(lr=0.05, weight_decay=0.01),
    "sgd-recompute": TrainConfig(lr=0.05, weight_decay=0.01, recompute=1.0),
    "momentum-recompute": TrainConfig(lr=0.02, momentum=0.9, recompute=0.5),
    "sgd-batch": TrainConfig(lr=0.05, batch=3, weight_decay=0.01),
    "momentum": TrainConfig(lr=0.02, momentum=0.9),
    "momentum-batch": TrainConfig(lr=0.02, momentum=0.9, batch=2, weight_decay=0.01),
    "momentum-clip": TrainConfig(lr=0.02, momentum=0.9, batch=2, clip_norm=0.1),
    "clip": TrainConfig(lr=0.05, clip_norm=0.05),
    "adam": TrainConfig(optimizer="adam", lr=0.01, momentum=0.9, weight_decay=0.01),
    "adamw-batch": TrainConfig(optimizer="adamw", lr=0.01, momentum=0.8, weight_decay=0.1, batch=2, clip_norm=0.5),
}
STEPS = 3
Pair = tuple[np.ndarray, np.ndarray | int]


def torch_batches(source: Graph, config: TrainConfig) -> tuple[set[str], list[list[Pair]], str]:
    """What torch trains of a graph, the samples of three updates, and by which loss."""
    graph = training_graph(source, config, thrifty=False)
    loss = graph.meta["loss"]
    data = [sample(source, 100 + k, loss) for k in range(STEPS * config.batch)]
    batches = [data[k : k + config.batch] for k in range(0, len(data), config.batch)]
    return {t.name for t in graph.of_role(Role.PARAM)}, batches, loss


def run_three(source: Graph, config: TrainConfig, tmp_path: Path) -> None:
    """Three updates on numpy (float32), C and torch (float64), which agree to 1e-5 of each tensor's largest value."""
    plan = make_plan(source, config, load("host"))
    names, batches, loss = torch_batches(source, config)
    torch_net = TorchGraph(source, names)
    torch_net.fit(batches, loss, config)
    truth = torch_net.weights(names)

    model = CModel(plan, tmp_path)
    model.settings = lambda step: optim(config)
    oracle = Reference(plan.graph, np.float32, lambda step: optim(config))
    for x, target in itertools.chain(*batches):
        c_loss, step = model.train(x, target), oracle.train(x, target)
        assert c_loss == pytest.approx(step.loss, rel=1e-5, abs=1e-6)
    start = {name: source.tensors[name].data for name in names}
    for result in (model.weights(), {k: v.reshape(truth[k].shape) for k, v in oracle.weights().items()}):
        error, name = apart(result, truth, floor=0.02)
        assert error <= 1e-5, f"{name} is {error:.1e} away from torch"
    moved, _ = apart(truth, start)
    assert moved > 1e-4, "the steps changed nothing"


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("net", NETS)
def test_three_steps_agree(net: str, config: str, tmp_path: Path) -> None:
    run_three(NETS[net](), CONFIGS[config], tmp_path)


@pytest.mark.parametrize("net", NETS)
def test_gradients_agree_with_torch(net: str, tmp_path: Path) -> None:
    """Every weight's gradient in float32 against torch in float64: 1e-5 of the tensor's largest."""
    source = NETS[net]()
    graph = training_graph(source, TrainConfig(batch=2))
    names = methods.select(source, "all")
    x, target = sample(source, 5, graph.meta["loss"])
    torch_net = TorchGraph(source, names)
    torch_net.loss(x, target, graph.meta["loss"]).backward()
    oracle = Reference(graph, np.float32)
    oracle.train(x, target)
    truth = torch_net.gradients(names)
    assert truth.keys() == names
    error, name = apart({n: 2 * oracle.values[f"{n}_grad"] for n in names}, truth)
    assert error <= 1e-5, name


@pytest.mark.parametrize(("op", "k"), CASES)
def test_every_op_agrees_with_torch(op: str, k: int) -> None:
    """Each op's examples: all gradients in float32 against torch in float64, 1e-5 of the tensor's largest."""
    source = single(op, OPS[op].examples[k])
    names = methods.select(source, "all")
    graph = differentiate(partition(source, names), "mse", 1)
    rng = np.random.default_rng(7)
    x = (2 * rng.normal(size=source.tensors["x"].shape)).astype(np.float32)
    target = rng.normal(size=source.tensors["y"].shape).astype(np.float32)
    torch_net = TorchGraph(source, names)
    loss = torch_net.loss(x, target, "mse")
    loss.backward()
    oracle = Reference(graph, np.float32)
    assert oracle.train(x, target).loss == pytest.approx(loss.item(), rel=1e-5)
    error, name = apart({n: oracle.values[f"{n}_grad"] for n in names}, torch_net.gradients(names))
    assert error <= 1e-5, name


@pytest.mark.parametrize("net", NETS)
def test_the_same_steps_give_the_same_bits(net: str, tmp_path: Path) -> None:
    source, config = NETS[net](), TrainConfig(lr=0.05, momentum=0.9, batch=2)
    plan = make_plan(source, config, load("host"))
    runs = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        model = CModel(plan, tmp_path / name)
        model.settings = lambda step: optim(config)
        for k in range(6):
            model.train(*sample(source, k, plan.graph.meta["loss"]))
        runs.append({k: v.tobytes() for k, v in model.weights().items()})
    assert runs[0] == runs[1]


def test_folded_norms_give_the_same_prediction(tmp_path: Path) -> None:
    source = NETS["conv1d_net"]()
    x, _ = sample(source, 1)
    outputs = []
    for fold in (False, True):
        folder = tmp_path / str(fold)
        folder.mkdir()
        plan = make_plan(source, TrainConfig(fold_norms=fold), load("host"))
        assert any(s.node.op == "batch_norm" for s in plan.schedule.steps) is not fold
        outputs.append(CModel(plan, folder).forward(x))
    np.testing.assert_allclose(outputs[0], outputs[1], rtol=1e-5, atol=1e-6)
