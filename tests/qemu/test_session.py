"""Whole runs on every board: the host's losses, the reference's predictions, the plan's bytes, a bounded stack."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgelearn.boards import available, load
from edgelearn.build import build_image
from edgelearn.build.verify import verify_image
from edgelearn.codegen import generate
from edgelearn.config import TrainConfig
from edgelearn.data import Dataset
from edgelearn.device import open_device
from edgelearn.errors import InputError, NumbersError
from edgelearn.link import Link
from edgelearn.plan import make_plan
from edgelearn.session import Event, Outcome, Session
from edgelearn.verdict import class_count
from tests.support.nets import NETS

EMULATED = [b.id for b in map(load, available()) if b.emulated and not b.simulated and not b.real]
CONFIG = TrainConfig(lr=0.02, momentum=0.9, batch=2, epochs=2, schedule="cosine", clip_norm=1.0, weight_decay=0.001)


def dataset(net: str, seed: int = 0, count: int = 6) -> Dataset:
    graph, rng = NETS[net](), np.random.default_rng(seed)
    shape, classes = graph.tensors["x"].shape, class_count(graph)
    x = rng.normal(size=(2 * count, *shape)).astype(np.float32)
    y = rng.integers(classes, size=2 * count)
    return Dataset(x[:count], y[:count], x[count:], y[count:])


def run(
    board_id: str, net: str, config: TrainConfig, folder: Path, data: Dataset, **options: Any
) -> tuple[Outcome, list[Event]]:
    board = load(board_id)
    plan = make_plan(NETS[net](), config, board)
    sources = generate(plan)
    sanitize = options.pop("sanitize", False)
    image = build_image(sources.files, board, folder, kernel_sources=sources.kernels, sanitize=sanitize)
    if not sanitize:
        assert verify_image(plan, image) == ()
    events: list[Event] = []
    with open_device(image, **options) as device:
        link = Link(device)
        session = Session(plan, link, data, events.append)
        outcome = session.run()
        link.close()
    return outcome, events


def losses(events: list[Event]) -> np.ndarray:
    return np.array([e.values["loss"] for e in events if e.kind == "step"])


@pytest.fixture(scope="module")
def host_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, list[Event]]:
    return run("host", "residual_net", CONFIG, tmp_path_factory.mktemp("host"), dataset("residual_net"))


@pytest.mark.parametrize("board", EMULATED)
def test_every_board_trains_like_the_host(board: str, tmp_path: Path, host_run: tuple[Outcome, list[Event]]) -> None:
    outcome, events = run(board, "residual_net", CONFIG, tmp_path, dataset("residual_net"))
    on_host, host_events = host_run
    assert outcome.steps == 6
    np.testing.assert_allclose(losses(events), losses(host_events), rtol=1e-5 * outcome.steps, atol=1e-6)
    for name, weight in outcome.weights.items():
        scale = np.abs(on_host.weights[name]).max() + 0.02
        assert np.abs(weight - on_host.weights[name]).max() <= 1e-5 * outcome.steps * scale, name
    assert 0 < outcome.stack_used < load(board).stack
    assert outcome.output_error < 1e-5


@pytest.mark.parametrize("board", ["qemu-m4", "qemu-rv32"])
def test_recurrent_layers_train_like_the_host(board: str, tmp_path: Path) -> None:
    """Whose first three batches the session follows in numpy, too."""
    outcome, events = run(board, "recurrent_net", CONFIG, tmp_path, dataset("recurrent_net"))
    _, host_events = run("host", "recurrent_net", CONFIG, tmp_path, dataset("recurrent_net"))
    np.testing.assert_allclose(losses(events), losses(host_events), rtol=1e-5 * outcome.steps, atol=1e-6)
    assert 0 < outcome.loss_error < 1e-5
    assert outcome.output_error < 1e-5


@pytest.mark.parametrize("board", ["host", "qemu-m4", "qemu-rv32imac", "qemu-rv32i"])
def test_kept_samples_and_f16_train_the_same(board: str, tmp_path: Path) -> None:
    """13 inputs: the last f16 has padding behind it. Some samples are kept, the rest travels every epoch."""
    data = dataset("mlp")
    exact = Dataset(data.x_train.astype(np.float16), data.y_train, data.x_test.astype(np.float16), data.y_test)
    plain, _ = run(board, "mlp", CONFIG, tmp_path, exact)
    config = CONFIG.with_changes(samples="f16", store=4)
    kept, events = run(board, "mlp", config, tmp_path, exact)
    assert {k: v.tobytes() for k, v in kept.weights.items()} == {k: v.tobytes() for k, v in plain.weights.items()}
    assert sum(e.values.get("what") == "sending samples to keep" for e in events) == 4


def test_a_sample_too_large_for_f16_is_refused(tmp_path: Path) -> None:
    data = dataset("mlp")
    with pytest.raises(InputError, match="f16 ends at 65504"):
        run("host", "mlp", CONFIG.with_changes(samples="f16"), tmp_path, replace(data, x_test=data.x_test * 1e6))


@pytest.mark.parametrize("board", ["qemu-m4", "qemu-rv32i"])
def test_the_same_run_gives_the_same_bits(board: str, tmp_path: Path) -> None:
    runs = [run(board, "conv1d_net", CONFIG, tmp_path, dataset("conv1d_net"))[0] for _ in range(2)]
    assert {k: v.tobytes() for k, v in runs[0].weights.items()} == {k: v.tobytes() for k, v in runs[1].weights.items()}


def test_instructions_are_counted_and_repeat(tmp_path: Path) -> None:
    counts = {
        run("qemu-m4", "mlp", CONFIG, tmp_path, dataset("mlp"), count_instructions=True)[0].spent_per_sample
        for _ in range(2)
    }
    assert len(counts) == 1
    assert counts.pop() > 1000


@pytest.mark.parametrize("net", NETS)
def test_whole_runs_are_clean_under_the_sanitizers(net: str, tmp_path: Path) -> None:
    loss = "binary-cross-entropy" if net == "binary_net" else "cross-entropy"
    config = TrainConfig(lr=0.01, batch=2, epochs=1, optimizer="adamw", loss=loss)
    outcome, _ = run("host", net, config, tmp_path, dataset(net), sanitize=True)
    assert outcome.after is not None


def test_a_loss_that_explodes_stops_and_keeps_the_last_good_weights(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(16, 24)).astype(np.float32)
    board, config = load("host"), TrainConfig(lr=5.0, epochs=20)
    plan = make_plan(NETS["autoencoder"](), config, board)
    sources = generate(plan)
    image = build_image(sources.files, board, tmp_path, kernel_sources=sources.kernels)
    with open_device(image) as device:
        session = Session(plan, Link(device), Dataset(x, x, x, x), lambda event: None)
        with pytest.raises(NumbersError, match=r"the loss became (nan|inf) after step \d+"):
            session.run()
    weights = session.outcome.weights
    assert weights.keys() == {t.name for t, _ in plan.params.tensors}
    assert all(np.isfinite(w).all() for w in weights.values())


@pytest.mark.parametrize("board", ["host", "qemu-m4"])
def test_an_interrupt_brings_home_what_was_trained_since_the_last_epoch(board: str, tmp_path: Path) -> None:
    plan = make_plan(NETS["mlp"](), TrainConfig(lr=0.05), load(board))
    sources = generate(plan)
    image = build_image(sources.files, plan.board, tmp_path, kernel_sources=sources.kernels)

    def interrupt(event: Event) -> None:
        if event.kind == "step" and event.values["samples"] == 3:
            raise KeyboardInterrupt

    with open_device(image) as device:
        session = Session(plan, Link(device), dataset("mlp"), interrupt)
        with pytest.raises(KeyboardInterrupt):
            session.run()
    weights = session.outcome.weights
    assert all((weights[t.name] != t.data).any() for t, _ in plan.params.tensors if t.data is not None)
