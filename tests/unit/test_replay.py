"""Which latents are kept: balance, chance and bytes; and what a replay memory is refused for."""

from __future__ import annotations

import re
import struct
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.data import load_dataset
from edgelearn.errors import InputError
from edgelearn.formats import S8
from edgelearn.graph import Phase, Quant, Role, Tensor
from edgelearn.importers import load as load_model
from edgelearn.plan import check_fit, make_plan
from edgelearn.replay import Latents, Reservoir, calibrate
from edgelearn.scores import class_phases, score
from tests.support.int8_nets import backbone
from tests.support.nets import NETS

BOARD = load("qemu-m4")
CONFIG = TrainConfig(train="last", replay=12)


def filled(labels: list[int], slots: int = 20, classes: int = 5, seed: int = 0) -> Reservoir:
    memory = Reservoir(slots, classes, seed)
    for label in labels:
        memory.offer(label)
    return memory


STREAMS = {
    "mixed": [k % 5 for k in range(500)],
    "one class after another": [c for c in range(5) for _ in range(100)],
    "a rare class": [0] * 400 + [1] * 3 + [2, 3, 4] * 60,
    "random": np.random.default_rng(3).integers(5, size=700).tolist(),
    "a flood at the end": [0, 1, 2, 3, 4] * 10 + [4] * 2000,
}


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("slots", [5, 20, 23])
def test_every_class_keeps_its_share_or_all_that_it_has(stream: str, slots: int) -> None:
    labels = STREAMS[stream]
    memory, counts = filled(labels, slots), Counter(labels)
    held = Counter(memory.labels)
    assert memory.kept == slots == sum(held.values())
    assert memory.held == [held[c] for c in range(5)]
    assert memory.seen == [counts[c] for c in range(5)]
    for label, count in counts.items():
        assert held[label] >= min(count, slots // 5), f"class {label} of {held}"


def test_a_memory_with_room_takes_everything() -> None:
    assert filled([0, 0, 0, 3]).labels == [0, 0, 0, 3]


def test_the_seed_alone_decides() -> None:
    runs = [filled(STREAMS["random"], seed=seed) for seed in (7, 7, 8)]
    assert runs[0] == runs[1]
    assert runs[0].random != runs[2].random


def test_any_sample_of_a_class_has_the_same_chance() -> None:
    """Of 60 samples of each of two classes 10 are kept: over 2,000 seeds each sample's count is within 5 sigma."""
    kept = np.zeros(120)
    for seed in range(2000):
        memory, contents = Reservoir(20, 2, seed), {}
        for k in range(120):
            slot = memory.offer(k % 2)
            if slot is not None:
                contents[slot] = k
        kept[list(contents.values())] += 1
    expected = 2000 * 20 / 120
    assert np.abs(kept - expected).max() < 5 * np.sqrt(expected * (1 - 1 / 6))


def test_draws_are_even_and_leave_out_the_newest() -> None:
    memory = filled(STREAMS["mixed"])
    counts = Counter(memory.draw(7) for _ in range(19_000))
    assert set(counts) == set(range(20)) - {7}
    assert max(abs(n - 1000) for n in counts.values()) < 160  # 5 sigma
    assert memory.replayed == 19_000


def test_nothing_is_drawn_where_nothing_is_kept() -> None:
    memory = Reservoir(4, 2, 0)
    before = memory.random
    assert list(memory.draws(3, None)) == []
    slot = memory.offer(1)
    assert list(memory.draws(3, slot)) == []
    assert memory.random == before


def latents(kind: str) -> Latents:
    tensors = (
        Tensor("a", (2, 3), Role.ACT),
        Tensor("b", (5,), Role.ACT, S8),
        Tensor("c", (7,), Role.ACT),
    )
    return Latents(tensors, kind, 4)


@pytest.mark.parametrize(
    ("kind", "slot", "scales"), [("s8", 8 + 8 + 8 + 4, 2), ("f16", 12 + 8 + 16 + 4, 0), ("f32", 24 + 8 + 28 + 4, 0)]
)
def test_the_memory_is_a_head_and_slots(kind: str, slot: int, scales: int) -> None:
    found = latents(kind)
    assert (found.slot_bytes, len(found.rounded)) == (slot, scales)
    assert found.head_bytes == 16 + 4 * 8 + scales * 8
    assert found.nbytes(9) == found.head_bytes + 9 * slot
    assert found.nbytes(0) == 0
    assert found.place(2) == (found.head_bytes + 2 * slot, slot - 4)


@pytest.mark.parametrize(("kind", "worst"), [("s8", 0.501), ("f16", 2**-11), ("f32", 0.0)])
def test_what_is_kept_comes_back(kind: str, worst: float) -> None:
    found, rng = latents(kind), np.random.default_rng(1)
    values = {
        "a": rng.normal(size=(2, 3)).astype(np.float32),
        "b": rng.integers(-128, 128, 5).astype(np.int8),
        "c": np.maximum(rng.normal(size=7), 0).astype(np.float32),
    }
    quants = calibrate(found, [values])
    data = found.keep(values, quants)
    assert len(data) == found.slot_bytes - 4
    back = found.recall(data, quants)
    np.testing.assert_array_equal(back["b"], values["b"])
    for name in ("a", "c"):
        unit = quants[name].scale[0] if kind == "s8" else np.abs(values[name]).max()
        assert np.abs(back[name] - values[name]).max() <= worst * unit
    assert found.apart(data, data, quants) == 0.0


def test_the_range_is_that_of_the_samples_and_holds_zero() -> None:
    found = latents("s8")
    seen = [{"a": np.array([0.5, 2.0]), "c": np.array([-1.0])}, {"a": np.array([5.1]), "c": np.array([1.55])}]
    quants = calibrate(found, seen)
    assert quants["a"] == Quant((float(np.float32(0.02)),), (-128,))
    assert quants["c"] == Quant((float(np.float32(0.01)),), (-28,))
    head = found.pack_head(Reservoir(8, 4, 0), quants, 3)
    assert len(head) == found.head_bytes
    assert struct.unpack_from("<fi", head, len(head) - 8) == (quants["c"].scale[0], -28)


def test_the_cut_is_what_trained_layers_read_of_frozen_ones() -> None:
    plan = make_plan(NETS["residual_net"](), CONFIG.with_changes(train="conv5,dense11"), BOARD)
    assert plan.graph.meta["cut"] == ("relu4", "relu1")  # the second goes around the first trained layer
    names = [s.node.name for s in plan.schedule.steps if s.program.value == "prefix"]
    assert names == ["conv0", "relu1", "depthwise2", "norm3", "relu4"] or set(names) == plan.graph.meta["prefix"]
    later = {i for s in plan.schedule.steps if s.program.value != "prefix" for i in s.node.inputs}
    made = {o for s in plan.schedule.steps if s.program.value == "prefix" for o in s.node.outputs}
    assert later & made == {"relu4", "relu1"}


def test_int8_latents_stay_integers_and_the_trained_part_reads_what_they_stand_for(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(backbone())
    plan = make_plan(load_model(path), CONFIG, BOARD)
    assert [t.format for t in plan.latents.tensors] == [S8]
    head = [s.node.op for s in plan.schedule.steps if s.program.value == "forward"]
    assert head[0] == "dequantize"
    assert plan.latents.slot_bytes == -(-plan.latents.tensors[0].count // 4) * 4 + 4


def test_activations_in_front_of_the_cut_are_not_computed_again() -> None:
    source = NETS["residual_net"]()
    settings = {"train": "norm3,conv5,conv8,dense11", "recompute": 1.0}
    plans = [make_plan(source, CONFIG.with_changes(replay=replay, **settings), BOARD) for replay in (0, 8)]
    cut = set(plans[1].graph.meta["cut"])
    assert cut
    assert not cut & set(plans[1].graph.meta["dropped"])
    made = {n.name for n in plans[1].graph.nodes if n.phase is Phase.BACKWARD and n.name.endswith("_again")}
    assert not {f"{name}_again" for name in plans[1].graph.meta["prefix"]} & made


@pytest.mark.parametrize(
    ("net", "changes", "message"),
    [
        ("mlp", {"train": "all"}, "nothing is frozen in front of the trained layers: 'dense0' reads the sample itself"),
        ("autoencoder", {}, "there are no labels"),
        ("mlp", {"replay": 4}, "4 latents are fewer than the model's 5 classes"),
    ],
)
def test_what_has_no_latents_is_refused(net: str, changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        make_plan(NETS[net](), CONFIG.with_changes(**changes), BOARD)
    assert caught.value.where == "--replay"
    assert caught.value.hint


def test_too_many_latents_are_answered_with_a_number_that_fits() -> None:
    plan = make_plan(NETS["mlp"](), CONFIG.with_changes(replay=4000), BOARD, ram=24_000)
    with pytest.raises(InputError, match="does not fit") as caught:
        check_fit(plan)
    assert any("kept latents" in line for line in caught.value.details)
    hint = caught.value.hint or ""
    count = int(hint.split()[1])
    assert hint.startswith(f"--replay {count} fits")
    check_fit(make_plan(NETS["mlp"](), CONFIG.with_changes(replay=count), BOARD, ram=24_000))
    assert make_plan(NETS["mlp"](), CONFIG.with_changes(replay=count + 4), BOARD, ram=24_000).over()[0] > 0


@pytest.mark.parametrize("fraction", [0.25, 0.5])
def test_channels_that_are_taken_of_a_latent_are_not_kept_beside_it(fraction: float) -> None:
    plan = make_plan(NETS["mlp"](), CONFIG.with_changes(method="sparse", train="dense4", fraction=fraction), BOARD)
    assert plan.graph.meta["cut"] == ("tanh3",)


@pytest.mark.parametrize(
    ("phases", "message"),
    [
        (np.zeros(3, int), r"phase_train has shape \(3,\)"),
        (np.zeros(4), "of float64"),
        (np.full(4, -1), "nothing is left to train on"),
    ],
)
def test_phases_that_make_no_sense_are_refused(phases: np.ndarray, message: str, tmp_path: Path) -> None:
    x, y = np.zeros((4, 13), np.float32), np.zeros(4, int)
    np.savez(tmp_path / "d.npz", x_train=x, y_train=y, x_test=x, y_test=y, phase_train=phases)
    with pytest.raises(InputError) as caught:
        load_dataset(tmp_path / "d.npz", NETS["mlp"](), "cross-entropy")
    assert re.search(message, " ".join(caught.value.details))


def test_without_replay_nothing_changes() -> None:
    plan = make_plan(NETS["mlp"](), TrainConfig(train="last"), BOARD)
    assert plan.replay_bytes == 0
    assert {s.program.value for s in plan.schedule.steps} == {"forward", "loss", "backward"}


def test_scores_are_told_by_class_and_by_the_phase_that_brought_it() -> None:
    groups = class_phases(np.array([0, 1, 2, 2, 3, 0]), np.array([-1, -1, 0, 1, 1, 1]))
    assert groups == {0: "known", 1: "known", 2: "phase 0", 3: "phase 1"}
    found = score([1.0, 2.0, 3.0, 2.0], [True, False, True, True], np.array([0, 1, 3, 4]), groups)
    assert found.by_class == (1.0, 0.0, None, 1.0, 1.0)
    assert found.by_phase == {"known": 2 / 3, "phase 1": 1.0}
    assert (found.loss, found.accuracy, found.samples) == (2.0, 0.75, 4)
    assert score([1.0], [False], None, {}).accuracy is None
