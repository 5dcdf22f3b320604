"""Gradient rules against central differences in float64: every op's examples, and whole nets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgelearn.config import TrainConfig
from edgelearn.graph import Graph, Layout, Node, Phase, Role, Tensor
from edgelearn.ops import OPS, Example, Shape
from edgelearn.ops.optimizers import Optim
from edgelearn.passes.differentiate import differentiate
from edgelearn.passes.partition import partition
from edgelearn.reference import Reference
from edgelearn.training import training_graph
from tests.support.nets import NETS, sample

CASES = [(op.name, k) for op in OPS.values() for k in range(len(op.examples))]
# What approximates a derivative is held against torch alone, in tests/host/test_training.py.
EXACT = [(op, k) for op, k in CASES if not OPS[op].approximates]


def single(op_name: str, example: Example, seed: int = 0) -> Graph:
    """One op behind a trained elementwise scale, so that its input gradient is needed, under an MSE loss."""
    op, rng = OPS[op_name], np.random.default_rng(seed)
    shape = example.shapes[0]
    tensors = {"x": Tensor("x", shape, Role.INPUT)}
    nodes = []
    scaled = []
    for k, wanted in enumerate(example.shapes[: example.maps]):
        scale = (1 + 0.3 * rng.random(shape)).astype(np.float32)
        tensors[f"scale{k}"] = Tensor(f"scale{k}", shape, Role.CONST, data=scale)
        tensors[f"s{k}"] = Tensor(f"s{k}", shape, Role.ACT)
        nodes.append(Node("mul", f"s{k}", ("x", f"scale{k}"), (f"s{k}",)))
        scaled.append(f"s{k}" if wanted == shape else _shaped(f"s{k}", wanted, tensors, nodes, rng))
    weights = []
    for k, weight in enumerate(example.shapes[example.maps :]):
        if weight is None:
            weights.append("")
            continue
        name = f"w{k}"
        tensors[name] = Tensor(name, weight, Role.CONST, data=rng.normal(size=weight).astype(np.float32))
        weights.append(name)
    (out,) = op.infer(example.attrs, example.shapes)
    tensors["y"] = Tensor("y", out, Role.ACT)
    nodes.append(Node(op_name, "y", (*scaled, *weights), ("y",), example.attrs))
    layout = Layout("x", shape, tuple(range(len(shape))), shape)
    return Graph(op_name, tensors, nodes, ("x",), ("y",), {"input": layout, "output": layout})


def _shaped(x: str, shape: Shape, tensors: dict[str, Tensor], nodes: list[Node], rng: np.random.Generator) -> str:
    """`x` in another shape, through a trained layer."""
    n = int(np.prod(shape))
    weights = rng.normal(size=(n, tensors[x].count)).astype(np.float32)
    tensors[f"{x}_w"] = Tensor(f"{x}_w", weights.shape, Role.CONST, data=weights)
    tensors[f"{x}_d"], tensors[f"{x}_r"] = Tensor(f"{x}_d", (n,), Role.ACT), Tensor(f"{x}_r", shape, Role.ACT)
    nodes.append(Node("dense", f"{x}_d", (x, f"{x}_w", ""), (f"{x}_d",)))
    nodes.append(Node("reshape", f"{x}_r", (f"{x}_d",), (f"{x}_r",), {"shape": shape}))
    return f"{x}_r"


def check_differences(graph: Graph, x: np.ndarray, target: np.ndarray | int, tolerance: float, probes: int = 6) -> None:
    """Every trained weight's gradient against (L(w + h) - L(w - h)) / 2h in float64."""
    oracle = Reference(graph, np.float64)
    oracle.train(x, target)
    rng = np.random.default_rng(1)
    checked = 0
    for weight in graph.of_role(Role.PARAM):
        gradient = oracle.values[f"{weight.name}_grad"].reshape(-1)
        base = oracle.values[weight.name].copy()
        scale = np.abs(gradient).max() + 1e-3
        for index in rng.choice(weight.count, min(probes, weight.count), replace=False):
            losses = []
            for h in (1e-6, -1e-6):
                moved = base.copy().reshape(-1)
                moved[index] += h
                oracle.load({weight.name: moved})
                losses.append(oracle.loss(x, target))
            oracle.load({weight.name: base})
            difference = (losses[0] - losses[1]) / 2e-6
            assert abs(difference - gradient[index]) <= tolerance * scale, f"{weight.name}[{index}]"
            checked += 1
    assert checked > 0


@pytest.mark.parametrize(("op", "k"), EXACT)
def test_every_op_against_finite_differences(op: str, k: int) -> None:
    example = OPS[op].examples[k]
    graph = single(op, example)
    trained = {t.name for t in graph.tensors.values() if t.data is not None}
    for node in graph.nodes:
        trained -= {node.inputs[i] for i in OPS[node.op].constants}
    graph = differentiate(partition(graph, trained), "mse", 1)
    rng = np.random.default_rng(2)
    x = rng.normal(size=graph.tensors["x"].shape) * 2
    check_differences(graph, x, rng.normal(size=graph.tensors["y"].shape), 1e-6)


@pytest.mark.parametrize("name", NETS)
def test_every_net_against_finite_differences(name: str) -> None:
    source = NETS[name]()
    config = TrainConfig(batch=2)
    graph = training_graph(source, config)
    x, target = sample(source, 3, graph.meta["loss"])
    check_differences(_undivided(graph), x, target, 1e-6)


def _undivided(graph: Graph) -> Graph:
    """The same program with batch 1's scale, so that gradients are those of the loss itself."""
    nodes = []
    for node in graph.nodes:
        if node.op.endswith(("xent_bwd", "mse_bwd")):
            node = replace(node, attrs={**node.attrs, "scale": 1.0})
        if node.phase is not Phase.UPDATE:
            nodes.append(node)
    return graph.replace(nodes=nodes)


def test_frozen_layers_get_no_gradient_and_no_mask() -> None:
    graph = training_graph(NETS["conv1d_net"](), TrainConfig(train="last"))
    backward = [n.op for n in graph.nodes if n.phase is Phase.BACKWARD]
    assert backward == ["softmax_xent_bwd", "dense_bwd_w", "bias_bwd"]
    assert not graph.of_role(Role.MASK)


def test_no_input_gradient_at_the_deepest_trained_layer() -> None:
    graph = training_graph(NETS["residual_net"](), TrainConfig())
    first = graph.nodes[0].name
    assert f"{first}_bwd_x" not in {n.name for n in graph.nodes}
    assert any(n.name == f"{first}_bwd_w" for n in graph.nodes)


def test_a_loss_that_is_not_finite_changes_nothing() -> None:
    graph = training_graph(NETS["mlp"](), TrainConfig())
    oracle = Reference(graph, np.float32, lambda step: Optim(lr=0.1))
    before = {k: v.copy() for k, v in oracle.weights().items()}
    x, target = sample(graph, 0)
    result = oracle.train(np.full_like(x, np.nan), target)
    assert not np.isfinite(result.loss)
    assert all((before[k] == v).all() for k, v in oracle.weights().items())
