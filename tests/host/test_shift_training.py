"""Shift layers that train by latents: numpy, generated C and torch take the same updates."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.graph import Graph
from edgelearn.ops.shift_latents import weights_of
from edgelearn.passes.shift_latents import Latents, latents_of
from edgelearn.plan import Plan, make_plan
from edgelearn.reference import Reference
from tests.host.test_training import torch_batches
from tests.support.clib import CModel
from tests.support.compare import apart, optim
from tests.support.nets import NETS
from tests.support.shifts import all_but_ends
from tests.support.torch_graph import TorchGraph
from tests.unit.test_shift_latents import _Sign, _Step

SETTINGS = {
    "sgd": {"lr": 0.05},
    "sgd-decay-recompute": {"lr": 0.05, "weight_decay": 0.01, "recompute": 0.5},
    "momentum-batch": {"lr": 0.02, "momentum": 0.9, "batch": 2, "weight_decay": 0.01},
    "momentum-clip": {"lr": 0.3, "momentum": 0.9, "clip_norm": 0.1},
    "adam": {"optimizer": "adam", "lr": 0.003},
    "adamw-batch-clip": {"optimizer": "adamw", "lr": 0.003, "batch": 2, "clip_norm": 0.5, "weight_decay": 0.1},
}


class TorchLatents(TorchGraph):
    """A graph in torch whose shift layers train by latents, the leaves of its autograd."""

    def __init__(self, graph: Graph, trained: set[str], plan: Plan) -> None:
        super().__init__(graph, trained)
        self.own = latents_of(plan.graph)
        tensors = plan.graph.tensors
        self.latents = {
            name: torch.tensor(tensors[own.name].data, dtype=self.dtype, requires_grad=True)
            for name, own in self.own.items()
        }
        others = [self.values[name] for name in sorted(trained - self.own.keys())]
        self.trained = [*others, *self.latents.values()]

    def loss(self, x: np.ndarray, target: np.ndarray | int, loss: str) -> torch.Tensor:
        for name, leaf in self.latents.items():
            self.values[name] = _weights(leaf, self.own[name])
        return super().loss(x, target, loss)


def _weights(leaf: torch.Tensor, own: Latents) -> torch.Tensor:
    """The discrete weights, with the gradient of sgn * sqrt(S + 1) * 2^-k."""
    scale = torch.zeros(leaf.shape[:-1], dtype=leaf.dtype)
    for t in range(1, leaf.shape[-1]):
        scale = (scale + 1) * _Step.apply(leaf[..., t])
    sign = _Sign.apply(leaf[..., 0])
    smooth = sign * torch.sqrt(scale + 1) * 2.0**-own.k
    return smooth + (sign * 2 ** (scale - own.k) - smooth).detach()


CASES = [("residual_net", name) for name in SETTINGS]
CASES += [("mlp", "sgd"), ("mlp", "adamw-batch-clip"), ("conv1d_net", "momentum-clip"), ("recurrent_net", "adam")]


@pytest.mark.parametrize(("net", "settings"), CASES)
def test_three_updates_agree(net: str, settings: str, tmp_path: Path) -> None:
    """To 1e-5 of each tensor's largest value; discrete weights are the same, and some have turned."""
    source = all_but_ends(NETS[net]())
    config = TrainConfig(shift_latents="all", latent_size=0.002, **SETTINGS[settings])
    plan = make_plan(source, config, load("host"))
    names, batches, loss = torch_batches(source, config)
    torch_net = TorchLatents(source, names, plan)
    torch_net.fit(batches, loss, config)

    model = CModel(plan, tmp_path)
    start = {**model.weights(), **model.state()}
    model.settings = lambda step: optim(config)
    oracle = Reference(plan.graph, np.float32, lambda step: optim(config))
    np.testing.assert_array_equal(
        [start[name].tobytes() == value.tobytes() for name, value in oracle.values.items() if name in start], True
    )
    for x, target in itertools.chain(*batches):
        c_loss, step = model.train(x, target), oracle.train(x, target)
        assert c_loss == pytest.approx(step.loss, rel=1e-5, abs=1e-6)

    own = latents_of(plan.graph)
    truth = {name: torch_net.values[name].detach().numpy() for name in names - own.keys()}
    truth |= {own[name].name: leaf.detach().numpy() for name, leaf in torch_net.latents.items()}
    for values in ({**model.weights(), **model.state()}, oracle.values):
        error, name = apart({name: values[name] for name in truth}, truth, floor=0.02)
        assert error <= 1e-5, f"{name} is {error:.1e} away from torch"
        for name, latents in own.items():
            exact = weights_of(np.moveaxis(truth[latents.name], -1, 0), latents.k)
            np.testing.assert_array_equal(values[name], exact)
    turned = sum(int((model.weights()[name] != start[name]).sum()) for name in own)
    assert turned > 0
    assert set(model.state()) >= {latents.name for latents in own.values()}


def test_a_reset_brings_latents_back(tmp_path: Path) -> None:
    source = all_but_ends(NETS["conv1d_net"]())
    config = TrainConfig(shift_latents="last", lr=0.05)
    plan = make_plan(source, config, load("host"))
    model = CModel(plan, tmp_path)
    model.settings = lambda step: optim(config)
    start = {name: value.tobytes() for name, value in (*model.weights().items(), *model.state().items())}
    _, batches, _ = torch_batches(source, config)
    for x, target in itertools.chain(*batches):
        model.train(x, target)
    moved = {name: value.tobytes() for name, value in (*model.weights().items(), *model.state().items())}
    assert [name for name in start if moved[name] != start[name]] == list(start)
    model.lib.el_model_reset()
    assert {n: v.tobytes() for n, v in (*model.weights().items(), *model.state().items())} == start
