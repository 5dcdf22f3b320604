"""An autoencoder's sample is its own target: nothing is sent or kept twice, and not a bit changes."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from edgelearn.boards import load
from edgelearn.cli.pipeline import load_data, plan_job
from edgelearn.cli.settings import make_job
from edgelearn.config import TrainConfig
from edgelearn.errors import InputError
from edgelearn.graph import Role
from edgelearn.plan import Plan, make_plan
from edgelearn.session import encode
from edgelearn.share import share_dir
from tests.support.clib import CModel
from tests.support.compare import optim
from tests.support.nets import NETS, sample

BOARD = load("host")


def plans() -> tuple[Plan, Plan]:
    """The same autoencoder with samples as targets and with targets of their own."""
    source = NETS["autoencoder"]()
    own, given = (make_plan(source, TrainConfig(target=target, store=3), BOARD) for target in ("auto", "given"))
    return own, given


def test_the_sample_lies_in_memory_once_and_a_kept_one_takes_half() -> None:
    own, given = plans()
    assert (own.own_target, given.own_target) == (True, False)
    assert [len(p.graph.of_role(Role.INPUT)) for p in (own, given)] == [1, 2]
    assert given.slot_bytes == 2 * own.slot_bytes
    assert own.arena.lower_bound < given.arena.lower_bound


def test_training_gives_the_same_bits_as_with_the_sample_sent_as_target(tmp_path: Path) -> None:
    found = []
    for plan in plans():
        folder = tmp_path / plan.config.target
        folder.mkdir()
        model = CModel(plan, folder)
        model.settings = lambda step, config=plan.config: optim(config)
        for k in range(4):
            x, _ = sample(plan.imported, k, "mse")
            model.train(x, x)
        found.append({name: w.tobytes() for name, w in model.weights().items()})
    assert found[0] == found[1]


def test_samples_travel_without_a_target_and_another_target_is_an_error() -> None:
    own, given = plans()
    x = np.ones((2, *own.imported.meta["input"].user_shape), np.float32)
    assert [len(target) for _, target in encode(own, x, x).wire] == [0, 0]
    assert [len(target) for _, target in encode(given, x, x).wire] == [x[0].nbytes] * 2
    with pytest.raises(InputError, match="not the samples themselves") as caught:
        encode(own, x, 2 * x)
    assert "--target given" in (caught.value.hint or "")


@pytest.mark.parametrize("net", ["mlp", "residual_net"])
def test_a_classifier_has_targets_of_its_own(net: str) -> None:
    assert not make_plan(NETS[net](), TrainConfig(), BOARD).own_target
    with pytest.raises(InputError, match="can't be its own target"):
        make_plan(NETS[net](), TrainConfig(target="sample"), BOARD)


@pytest.mark.parametrize(
    ("noise", "own"), [(None, True), (0.0, True), (0.1, False)], ids=["no y", "y is x", "denoising"]
)
def test_an_archive_with_other_targets_is_heard(noise: float | None, own: bool, tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((3, 140)).astype(np.float32)
    arrays = {"x_train": x, "x_test": x}
    if noise is not None:
        arrays |= {"y_train": x + np.float32(noise), "y_test": x + np.float32(noise)}
    np.savez(tmp_path / "beats.npz", **arrays)
    model = share_dir() / "examples" / "ecg" / "autoencoder.tflite"
    flags = {"model": str(model), "data": str(tmp_path / "beats.npz"), "board": "host"}
    job = make_job(flags)
    plan = plan_job(job)
    data = load_data(job, plan)
    assert plan.own_target is own
    assert len(encode(plan, data.x_train, data.y_train)) == 3
    with pytest.raises(InputError) if not own else nullcontext():
        encode(plan_job(make_job({**flags, "target": "sample"})), data.x_train, data.y_train)
