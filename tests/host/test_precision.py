"""Training in half precision: the generated C and numpy take the same steps, near those of float32, and an update with
a gradient that is not finite is left out.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given

from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.graph import Graph, Role
from edgelearn.memory import overlaps
from edgelearn.ops.scaling import CLEAN, OVERFLOW, SCALE, SKIPPED, UPDATES
from edgelearn.plan import Plan, make_plan
from edgelearn.reference import Reference
from edgelearn.schedule import check_order
from tests.host.test_random_graphs import configs, examples, graphs
from tests.support import mobilenets
from tests.support.clib import CModel
from tests.support.compare import apart, optim
from tests.support.nets import NETS, Net, sample

HALF = 2.0**-10  # from one half to the next, relative
BUILDERS = {**NETS, "mobilenet v3": mobilenets.v3}
CONFIGS = {
    "fp16": TrainConfig(precision="fp16", lr=0.05, weight_decay=0.01),
    "fp16-nearest-momentum-clip": TrainConfig(
        precision="fp16", rounding="nearest", lr=0.02, momentum=0.9, batch=2, clip_norm=0.1
    ),
    "fp16-recompute": TrainConfig(precision="fp16", lr=0.05, recompute=1.0),
    "fp16-adam": TrainConfig(precision="fp16", optimizer="adam", lr=0.01, momentum=0.9, weight_decay=0.01),
    "mixed": TrainConfig(precision="mixed", lr=0.05, weight_decay=0.01),
    "mixed-momentum-clip": TrainConfig(precision="mixed", lr=0.02, momentum=0.9, clip_norm=0.1),
    "mixed-adamw-batch": TrainConfig(precision="mixed", optimizer="adamw", lr=0.01, momentum=0.8, batch=2),
}


class Both:
    """The generated C and the numpy reference of one plan, taking the same steps."""

    def __init__(self, source: Graph, config: TrainConfig, folder: Path) -> None:
        self.plan: Plan = make_plan(source, config, load("host"))
        self.model = CModel(self.plan, folder)
        self.model.settings = lambda step: optim(config)
        self.oracle = Reference(self.plan.graph, np.float32, lambda step: optim(config))
        loss = self.plan.graph.meta["loss"]
        self.data = [sample(source, 100 + k, loss) for k in range(12)]
        self.worst = 0.0

    def train(self, count: int, first: int = 0) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            for x, target in self.data[first : first + count]:
                got, truth = self.model.train(x, target), self.oracle.train(x, target).loss
                self.worst = max(self.worst, abs(got - truth) / (abs(truth) + 1e-3))

    def scaling(self) -> list[float]:
        """The same in both."""
        assert self.oracle.scaling is not None
        found = self.model.scaling()
        assert found == self.oracle.scaling.tolist()
        return found


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("net", BUILDERS)
def test_the_generated_code_takes_the_references_steps(net: str, config: str, tmp_path: Path) -> None:
    """Three updates: losses to 1e-3, weights to two steps of a half at each tensor's largest value."""
    both = Both(BUILDERS[net](), CONFIGS[config], tmp_path)
    both.train(3 * CONFIGS[config].batch)
    assert both.worst <= 1e-3
    error, where = apart(both.model.weights(), both.oracle.weights())
    assert error <= 2 * HALF, where
    error, where = apart(both.model.state(), {n: both.oracle.values[n] for n in both.model.state()})
    assert error <= 5e-2, where
    assert both.scaling()[UPDATES] == 3


@pytest.mark.parametrize("net", NETS)
def test_mixed_takes_the_steps_of_float32(net: str, tmp_path: Path) -> None:
    """Against float32, which torch has confirmed: three updates differ by 2 % of the largest change of each tensor,
    what rounding every activation and gradient to eleven bits costs; fp16 by rounding of the weights as well.
    """
    source, plain = NETS[net](), CONFIGS["mixed"].with_changes(precision="fp32")
    plan = make_plan(source, plain, load("host"))
    truth = Reference(plan.graph, np.float32, lambda step: optim(plain))
    mixed, half = (Both(source, CONFIGS[name], tmp_path) for name in ("mixed", "fp16"))
    for both in (mixed, half):
        both.train(3)
    truth.fit(mixed.data[:3])
    start = {t.name: np.asarray(t.data) for t in plan.graph.of_role(Role.PARAM)}
    for name, weight in truth.weights().items():
        change = np.abs(weight - start[name]).max()
        assert np.abs(mixed.model.weights()[name] - weight).max() <= 0.02 * change + 1e-6, name
        rounding = 3 * HALF * np.abs(weight).max()
        assert np.abs(half.model.weights()[name] - weight).max() <= 0.02 * change + rounding, name


@examples(8)
@given(graphs(), configs())
def test_random_nets(source: Graph, config: TrainConfig) -> None:
    """A step of any net in either precision, in an order and at places that hold."""
    for precision in ("fp16", "mixed"):
        with tempfile.TemporaryDirectory() as folder:
            both = Both(source, config.with_changes(precision=precision), Path(folder))
            assert check_order(both.plan.schedule) == []
            assert overlaps(both.plan.arena) == []
            both.train(config.batch)
            truth = both.oracle.weights()
            assume(all(np.isfinite(w).all() for w in truth.values()))
            assert both.worst <= 5e-3
            error, where = apart(both.model.weights(), truth)
            assert error <= 4 * HALF, where


@pytest.mark.parametrize("precision", ["fp16", "mixed"])
def test_all_or_nothing_where_gradients_wait_for_each_other(precision: str, tmp_path: Path) -> None:
    """A scale at which every gradient overflows: no bit of weights or moments changes, the scale halves, it is counted,
    and once gradients fit, Adam's first step is a first step.
    """
    config = TrainConfig(optimizer="adam", lr=0.01, batch=2, loss_scale=2.0**24).with_changes(precision=precision)
    both = Both(NETS["mlp"](), config, tmp_path)
    before, state = both.model.weights(), both.model.state()
    both.train(4)
    skipped = both.scaling()
    assert skipped[SKIPPED] == 2
    assert (skipped[SCALE], skipped[CLEAN], skipped[OVERFLOW], skipped[UPDATES]) == (2.0**22, 0, 0, 2)
    assert both.model.step == both.oracle.step == 0
    for name, weight in both.model.weights().items():
        assert weight.tobytes() == before[name].tobytes(), name
    for name in state.keys() - {"loss_scaling"}:
        assert both.model.state()[name].tobytes() == state[name].tobytes(), name
    while both.scaling()[SKIPPED] == both.scaling()[UPDATES]:
        both.train(2)
    assert both.model.step == both.oracle.step == 1
    assert apart(both.model.weights(), both.oracle.weights())[0] <= 2 * HALF
    # The first step of Adam has the size of the learning rate, whatever the gradient.
    moved = np.abs(both.model.weights()["dense4_weight"].astype(float) - before["dense4_weight"]).max()
    assert moved == pytest.approx(0.01, rel=0.1)


def test_with_batch_one_a_weight_takes_its_whole_step_or_none(tmp_path: Path) -> None:
    """The gradient overflows on its way: layers nearer the output take the step that they take in a clean update, the
    others keep every bit.
    """
    net = Net((7,), "steep")
    for size in (9, 6):
        net.dense(size)
        net.relu()
    net.dense(4)
    source = net.graph()
    # What the first layer makes small the second makes large again, and so it does with the first one's gradient.
    factors = {"dense0_weight": 1e-3, "dense0_bias": 1e-3, "dense2_weight": 1e3}
    scaled = {n: replace(t, data=t.data * factors.get(n, 1.0)) for n, t in source.tensors.items() if t.data is not None}
    source = source.replace(tensors={**source.tensors, **scaled})
    whole = TrainConfig(precision="fp16", rounding="nearest", lr=0.1, loss_scale=4096.0, scale_every=0)
    clean = Both(source, whole.with_changes(loss_scale=1.0), tmp_path)
    both = Both(source, whole, tmp_path)
    before = both.model.weights()
    for one in (clean, both):
        one.train(1)
    assert clean.scaling()[SKIPPED] == 0
    assert both.scaling()[SKIPPED] == 1
    assert both.scaling()[SCALE] == 4096  # every 0: it stays
    after, want = both.model.weights(), clean.model.weights()
    left = {name for name in after if after[name].tobytes() != want[name].tobytes()}
    assert left == {"dense0_weight", "dense0_bias"}
    assert all(after[name].tobytes() == before[name].tobytes() for name in left)
    assert after["dense4_weight"].tobytes() != before["dense4_weight"].tobytes()


def test_the_scale_doubles_after_clean_updates(tmp_path: Path) -> None:
    config = TrainConfig(precision="fp16", lr=0.01, loss_scale=8.0, scale_every=3)
    both = Both(NETS["mlp"](), config, tmp_path)
    both.train(7)
    assert both.scaling() == [32, 0, 1, 0, 7]
    both.model.lib.el_model_reset()
    assert both.model.scaling() == [8, 0, 0, 0, 0]
