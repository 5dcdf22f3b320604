"""What layers are worth: against gradients taken one by one and a layer damaged on purpose; and the cache's key."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgelearn.config import TrainConfig
from edgelearn.data import Dataset
from edgelearn.errors import InputError
from edgelearn.graph import Graph
from edgelearn.importance import Choice, importance_key, layers_of, measure, weight_macs
from edgelearn.ops.optimizers import Optim
from edgelearn.reference import Reference, evaluate
from edgelearn.training import training_graph
from tests.support.nets import NETS


def data_of(graph: Graph, count: int = 24, seed: int = 1) -> Dataset:
    """Random samples with the labels that the net itself gives them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, *graph.tensors["x"].shape)).astype(np.float32)
    y = np.array([int(np.argmax(evaluate(graph, sample))) for sample in x])
    return Dataset(x, y, x[:2], y[:2])


def one_by_one(graph: Graph, data: Dataset) -> list[dict[str, np.ndarray]]:
    """Each sample's gradients in float64: what plain SGD with a rate of one takes off the weights."""
    found = []
    for x, y in zip(data.x_train, data.y_train, strict=True):
        reference = Reference(training_graph(graph, TrainConfig()), np.float64, lambda step: Optim(lr=1.0))
        before = {name: w.copy() for name, w in reference.weights().items()}
        reference.train(x, y)
        found.append({name: before[name] - w for name, w in reference.weights().items()})
    return found


@pytest.mark.parametrize("name", ["mlp", "conv1d_net", "residual_net", "recurrent_net"])
def test_fisher_and_gradient_are_those_of_the_single_samples(name: str) -> None:
    graph = NETS[name]()
    data = data_of(graph, 6)
    gradients = one_by_one(graph, data)
    fisher = measure(graph, TrainConfig(), data, Choice("fisher"))
    assert fisher.engine == "numpy"
    assert set(fisher.tensors) == set(gradients[0])
    for tensor, value in fisher.tensors.items():
        assert value == pytest.approx(np.mean([np.square(g[tensor]).sum() for g in gradients]), rel=1e-3, abs=1e-12)
    relative = measure(graph, TrainConfig(), data, Choice("gradient"))
    for layer in relative.layers:
        mean = [np.mean([g[t] for g in gradients], axis=0) for t in layer.tensors]
        weights = [np.asarray(graph.tensors[t].data) for t in layer.tensors]
        norms = [np.sqrt(sum(np.square(a).sum() for a in arrays)) for arrays in (mean, weights)]
        assert layer.value == pytest.approx(norms[0] / norms[1], rel=1e-3, abs=1e-9)


@pytest.mark.parametrize("layer", ["dense0", "dense2", "dense4"])
def test_the_layer_that_was_damaged_gains_most(layer: str) -> None:
    graph = NETS["mlp"](3)
    data = data_of(graph, 1000)
    name = f"{layer}_weight"
    weight = np.array(graph.tensors[name].data)
    weight[:, : weight.shape[1] // 2] *= -1  # of half its inputs it thinks the opposite
    graph = graph.replace(tensors={**graph.tensors, name: replace(graph.tensors[name], data=weight)})
    found = measure(graph, TrainConfig(lr=0.1), data, Choice("gain", samples=1000))
    assert found.ranked()[0].name == layer
    assert found.ranked()[0].value > 0
    assert (found.ranked()[0].accuracy or 0) > 0
    assert sum(found.tensors[t] for t in found.ranked()[0].tensors) == pytest.approx(found.ranked()[0].value)


def test_the_same_again_and_another_seed() -> None:
    graph = NETS["mlp"]()
    data = data_of(graph, 40)
    config = TrainConfig(lr=0.05)
    first, second = (measure(graph, config, data, Choice("gain", 16)) for _ in range(2))
    assert first == second
    assert first.tensors != measure(graph, config, data, Choice("gain", 16, seed=1)).tensors


def test_the_key_hears_of_all_that_matters_and_of_nothing_else() -> None:
    graph, config = NETS["mlp"](), TrainConfig()
    data = data_of(graph)
    key = importance_key(graph, config, data, Choice())
    assert key == importance_key(NETS["mlp"](), config.with_changes(epochs=9, lr=0.5, train="last"), data, Choice())
    others = [
        importance_key(NETS["mlp"](1), config, data, Choice()),
        importance_key(graph, config, data_of(graph, seed=2), Choice()),
        importance_key(graph, config, data, Choice("gradient")),
        importance_key(graph, config, data, Choice(samples=5)),
        importance_key(graph, config, data, Choice("gain")),
        importance_key(graph, config.with_changes(lr=0.5), data, Choice("gain")),
    ]
    assert len({key, *others}) == 7


def test_a_loss_that_is_not_finite_is_an_error() -> None:
    graph = NETS["autoencoder"]()
    x = np.full((4, 24), 3e38, np.float32)
    with np.errstate(all="ignore"), pytest.raises(InputError, match="the loss of training sample 0 is"):
        measure(graph, TrainConfig(), Dataset(x, x, x, x), Choice())


def test_training_that_blows_up_gains_nothing_and_harms_nobody_else() -> None:
    graph = NETS["autoencoder"]()
    x = np.random.default_rng(0).normal(size=(16, 24)).astype(np.float32)
    data = Dataset(x, x, x, x)
    with np.errstate(all="ignore"):
        wild = measure(graph, TrainConfig(lr=1e6), data, Choice("gain"))
    assert all(layer.value < 0 and layer.accuracy is None for layer in wild.layers)
    names = [name for name, _, _ in layers_of(graph)]
    assert [layer.name for layer in wild.layers] == names


def test_macs_of_a_weights_gradient() -> None:
    found = weight_macs(NETS["mlp"](), TrainConfig())
    assert found["dense0_weight"] == 13 * 17
    assert found["dense2_weight"] == 17 * 9
