"""Training methods: numpy, generated C and torch take the same steps, and what was learned goes home."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edgelearn import methods
from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.graph import Graph, Phase, Role
from edgelearn.methods.base import channel_view
from edgelearn.passes.split import home
from edgelearn.plan import make_plan
from edgelearn.reference import Reference
from edgelearn.training import training_graph
from tests.host.test_random_graphs import configs, examples, graphs
from tests.support.clib import CModel
from tests.support.compare import apart, optim
from tests.support.mobilenets import MOBILENETS
from tests.support.nets import NETS, sample
from tests.support.torch_graph import TorchGraph

ALL = {**NETS, **MOBILENETS}
PLAIN, MOMENTUM = {"lr": 0.05}, {"lr": 0.02, "momentum": 0.9, "batch": 2}
THRIFTY = {"lr": 0.05, "recompute": 0.5}
SETTINGS = {
    "full": {"method": "full", "blocks": 1},
    "last": {"method": "last"},
    "bias": {"method": "bias"},
    "sparse": {"method": "sparse"},
    "sparse-half": {"method": "sparse", "fraction": 0.5, "blocks": 2},
    "mobiletl": {"method": "mobiletl", "blocks": 2},
    "mobiletl-exact": {"method": "mobiletl", "exact_derivative": True},
}
CASES = [("v2", name, PLAIN) for name in SETTINGS]
CASES += [("v1", "sparse", PLAIN), ("v1", "mobiletl", MOMENTUM), ("v2", "bias", MOMENTUM)]
CASES += [("v3", name, PLAIN) for name in ("full", "mobiletl", "mobiletl-exact")] + [("v3", "sparse", MOMENTUM)]
CASES += [("v3", "mobiletl", THRIFTY), ("v2", "sparse-half", THRIFTY)]
CASES += [("recurrent_net", "sparse", PLAIN), ("recurrent_net", "bias", PLAIN), ("conv1d_net", "bias", PLAIN)]


def torch_of(source: Graph, choice: methods.Choice) -> TorchGraph:
    """The imported graph in torch: with the ops that the method puts in place of others, and masks for frozen parts."""
    nodes = [replace(node, op=choice.replaced.get(node.name, node.op)) for node in source.nodes]
    net = TorchGraph(source.replace(nodes=nodes), choice.trained)
    readers = {node.inputs[1]: node for node in source.nodes if len(node.inputs) > 1}
    for name, index in choice.channels.items():
        view, axis = channel_view(source, readers[name]) or ((), 0)
        mask = np.zeros(view)
        mask[(slice(None),) * axis + (index,)] = 1
        net.values[name].register_hook(partial(torch.mul, torch.tensor(mask).reshape(source.tensors[name].shape)))
    return net


def three_updates(source: Graph, config: TrainConfig, folder: Path) -> float:
    """Three updates in numpy (float32), C and torch (float64), which agree to 1e-5 of each tensor's largest value; what
    is frozen keeps its bits. Gives how far the weights moved.
    """
    choice, plan = methods.choose(source, config), make_plan(source, config, load("host"))
    loss = plan.graph.meta["loss"]
    data = [sample(source, 100 + k, loss) for k in range(3 * config.batch)]
    torch_net = torch_of(source, choice)
    torch_net.fit([data[k : k + config.batch] for k in range(0, len(data), config.batch)], loss, config)

    model, oracle = CModel(plan, folder), Reference(plan.graph, np.float32, lambda step: optim(config))
    model.settings = lambda step: optim(config)
    for x, target in data:
        assert model.train(x, target) == pytest.approx(oracle.train(x, target).loss, rel=1e-5, abs=1e-6)
    results = [home(plan.graph, found) for found in (model.weights(), oracle.weights())]
    truth = torch_net.weights(set(results[0]))
    start = {n: np.asarray(source.tensors[n].data) for n in truth}
    for result in results:
        error, worst = apart({k: v.reshape(truth[k].shape) for k, v in result.items()}, truth, floor=0.02)
        assert error <= 1e-5, f"{worst} is {error:.1e} away from torch"
        for weight in result.keys() & choice.channels.keys():
            view, axis = channel_view(source, next(n for n in source.nodes if weight in n.inputs)) or ((), 0)
            rest = np.setdiff1d(np.arange(view[axis]), choice.channels[weight])
            same = (np.take(a[weight].reshape(view), rest, axis) for a in (result, start))
            assert len({part.tobytes() for part in same}) == 1, f"frozen channels of {weight} changed"
    return apart(truth, start)[0]


@pytest.mark.parametrize(("net", "name", "rule"), CASES)
def test_three_updates_agree(net: str, name: str, rule: dict[str, float], tmp_path: Path) -> None:
    assert three_updates(ALL[net](), TrainConfig(**SETTINGS[name], **rule), tmp_path) > 1e-4


@examples(20)
@given(graphs(), configs(), st.sampled_from(("bias", "sparse")), st.sampled_from((0.25, 0.5)))
def test_random_graphs_agree(graph: Graph, config: TrainConfig, method: str, fraction: float) -> None:
    """Groups, multipliers and dense layers on maps included; without weight decay, which torch can't mask."""
    own = {"fraction": fraction} if method == "sparse" else {}
    changed = config.with_changes(method=method, weight_decay=0.0, **own)
    with tempfile.TemporaryDirectory() as folder:
        three_updates(graph, changed, Path(folder))


@pytest.mark.parametrize("fold", [False, True])
@pytest.mark.parametrize("name", SETTINGS)
def test_untrained_weights_come_home_as_they_were(name: str, fold: bool) -> None:
    """Through parts and folded norms alike."""
    source = MOBILENETS["v2"]()
    graph = training_graph(source, TrainConfig(fold_norms=fold, **SETTINGS[name]))
    found = home(graph, {t.name: np.asarray(t.data) for t in graph.of_role(Role.PARAM)})
    assert found.keys() <= source.tensors.keys()
    for weight, value in found.items():
        np.testing.assert_allclose(value, source.tensors[weight].data, rtol=1e-5, atol=1e-6, err_msg=weight)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("net", MOBILENETS)
def test_a_method_does_not_change_the_prediction(net: str, name: str) -> None:
    source = MOBILENETS[net]()
    x, _ = sample(source, 3)
    expected = Reference(source, np.float64).forward(x)
    graph = make_plan(source, TrainConfig(**SETTINGS[name]), load("host")).graph
    assert graph.meta["loss"] == "cross-entropy"
    np.testing.assert_allclose(Reference(graph, np.float64).forward(x), expected, rtol=1e-6, atol=1e-6)


def test_a_part_keeps_a_part() -> None:
    """Half of the channels: half of the weights in RAM, half of each layer's input kept, and no whole map beside it."""
    source = MOBILENETS["v1"](norms=False)
    whole = make_plan(source, TrainConfig(), load("host"))
    half = make_plan(source, TrainConfig(method="sparse", fraction=0.5), load("host"))
    matrices = [sum(t.nbytes for t, _ in p.params.tensors if len(t.shape) > 1) for p in (whole, half)]
    maps = [sum(t.nbytes for t in p.kept() if len(t.shape) > 1 and t.format.bits == 32) for p in (whole, half)]
    # The input has three channels, of which two are the half.
    assert matrices[1] == matrices[0] / 2 + 4 * 6 * 9 / 2
    assert maps[1] == maps[0] / 2 + 4 * 9 * 7 / 2
    assert half.weights == whole.weights
    backward = [n.op for n in half.graph.nodes if n.phase is Phase.BACKWARD and n.op.endswith("_bwd_w")]
    assert len(backward) == len([n for n in source.nodes if n.op in ("conv2d", "depthwise_conv2d", "dense")])
