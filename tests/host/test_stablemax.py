"""StableMax cross-entropy: numpy, torch and C agree, and a sample that was long learned has a gradient in halves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.errors import InputError
from edgelearn.graph import Role
from edgelearn.ops import OPS
from edgelearn.plan import make_plan
from edgelearn.training import training_graph
from tests.host.test_training import run_three
from tests.qemu.test_session import dataset, run
from tests.support.nets import NETS, sample
from tests.unit.test_gradients import _undivided, check_differences

LOSS = {"loss": "stablemax"}
CONFIG = TrainConfig(lr=0.02, momentum=0.9, batch=2, epochs=2, clip_norm=1.0, **LOSS)


@pytest.mark.parametrize("count", [2, 3, 10, 101])
def test_the_numpy_truth_is_torchs(count: int) -> None:
    """Loss and gradient in float64, at both signs and at zero."""
    rng = np.random.default_rng(count)
    for label in (0, count - 1):
        x = rng.normal(size=count) * 5
        x[count // 2] = 0.0
        logits = torch.tensor(x, requires_grad=True)
        s = torch.where(logits < 0, 1 / (1 - logits.clamp(max=0)), logits + 1)
        loss = -torch.log(s[label] / s.sum())
        loss.backward()
        own = np.array([label], np.uint32)
        np.testing.assert_allclose(OPS["stablemax_xent"].compute({}, x, own)[0], loss.item(), rtol=1e-12)
        (d,) = OPS["stablemax_xent_bwd"].compute({"scale": 1.0}, x, own)
        np.testing.assert_allclose(d, logits.grad, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("net", ["mlp", "residual_net"])
def test_gradients_against_finite_differences(net: str) -> None:
    source = NETS[net]()
    graph = _undivided(training_graph(source, TrainConfig(batch=2, **LOSS)))
    check_differences(graph, *sample(source, 3, "stablemax"), 1e-6)


@pytest.mark.parametrize("net", ["mlp", "residual_net"])
def test_three_steps_agree(net: str, tmp_path: Path) -> None:
    run_three(NETS[net](), CONFIG, tmp_path)


def test_a_learned_sample_keeps_its_gradient_in_halves() -> None:
    """Where the softmax's is zero: probabilities fall as 1 / score, not as e^-score. Loss scale 1 and the default."""
    logits, label = np.full(10, -12.0, np.float32), np.array([0], np.uint32)
    logits[0] = 30.0
    for scale in (1.0, TrainConfig().loss_scale):
        halves = {
            op: OPS[f"{op}_xent_bwd"].compute({"scale": scale}, logits, label)[0].astype(np.float16)
            for op in ("softmax", "stablemax")
        }
        assert not halves["softmax"].any()
        assert halves["stablemax"].all()


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_runs_in_every_precision(precision: str, tmp_path: Path) -> None:
    """Followed by the reference; the loss itself is float32."""
    config = CONFIG.with_changes(precision=precision)
    plan = make_plan(NETS["mlp"](), config, load("host"))
    (name,) = [k.name for k in plan.chosen if "stablemax_xent_bwd" in k.name]
    assert name == "el_stablemax_xent_bwd_f32__ref"
    assert plan.graph.of_role(Role.PARAM)[0].format.name == ("f16" if precision == "fp16" else "f32")
    outcome, events = run("host", "mlp", config, tmp_path, dataset("mlp"))
    assert outcome.loss_error is not None
    assert outcome.loss_error < (1e-5 if precision == "fp32" else 5e-3)
    assert outcome.after is not None
    assert outcome.after.accuracy is not None
    assert [e for e in events if e.kind == "step"]


def test_it_wants_class_scores() -> None:
    with pytest.raises(InputError, match="stablemax needs a vector of at least two class scores"):
        training_graph(NETS["binary_net"](), TrainConfig(**LOSS))
