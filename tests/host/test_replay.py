"""The firmware's replay memory against numpy, bit by bit: decisions, generator, and what stands in the slots."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.formats import S8
from edgelearn.graph import Role, Tensor
from edgelearn.plan import make_plan
from edgelearn.reference import Reference
from edgelearn.replay import Latents, Reservoir, calibrate
from edgelearn.share import firmware_dir
from tests.support.clib import FLAGS, CModel
from tests.support.compare import optim
from tests.support.nets import NETS, sample

CLASSES, SLOTS, RATIO = 5, 23, 2
LATENTS = {
    kind: Latents((Tensor("a", (11,), Role.ACT), Tensor("b", (6,), Role.ACT, S8)), kind, CLASSES)
    for kind in ("s8", "f16", "f32")
}
STUB = """
#include "el/rt.h"
float a[11];
int8_t b[8];
uint32_t target;
uint32_t heads;
_Alignas(16) uint8_t memory[{nbytes}];
static void head(void)
{{
    heads++;
}}
static const el_latent latents[] = {{{{a, 11, EL_LATENT_{kind}, 0}}, {{b, 6, EL_LATENT_INTEGERS, 0}}}};
const el_model_info el_model = {{.target = {{&target, 4}}, .replay = {{memory, sizeof memory}}, .replay_slots = {slots},
    .classes = {classes}, .latents = latents, .latent_count = 2, .head = head}};
"""


class Board:
    """replay.c with a model of two tensors."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.latents = LATENTS[kind]
        self.nbytes = self.latents.nbytes(SLOTS)
        stub = folder / "stub.c"
        stub.write_text(STUB.format(kind=kind.upper(), nbytes=self.nbytes, slots=SLOTS, classes=CLASSES))
        out = folder / f"replay-{kind}.so"
        sanitize = ["-fsanitize=undefined", "-fno-sanitize-recover"]
        sources = [str(stub), str(firmware_dir() / "src" / "replay.c")]
        subprocess.run(["gcc", *FLAGS, *sanitize, "-shared", *sources, "-o", str(out)], check=True)
        self.lib = ctypes.CDLL(str(out))
        self.lib.el_replay_offer.restype = ctypes.c_uint32
        self.a = self._array("a", ctypes.c_float, 11)
        self.b = self._array("b", ctypes.c_int8, 8)
        self.target = self._array("target", ctypes.c_uint32, 1)
        self.heads = self._array("heads", ctypes.c_uint32, 1)
        self.memory = self._array("memory", ctypes.c_uint8, self.nbytes)

    def _array(self, name: str, kind: type, count: int) -> np.ndarray:
        return np.ctypeslib.as_array((kind * count).in_dll(self.lib, name))

    def put(self, values: dict[str, np.ndarray]) -> None:
        self.a[:], self.b[:6] = values["a"], values["b"]


def made(rng: np.random.Generator) -> dict[str, np.ndarray]:
    scale = 10.0 ** rng.integers(-9, 6)
    return {"a": (scale * rng.normal(size=11)).astype(np.float32), "b": rng.integers(-128, 128, 6).astype(np.int8)}


@pytest.mark.parametrize("kind", LATENTS)
def test_a_thousand_samples_leave_the_same_bytes(kind: str, tmp_path: Path) -> None:
    """Offers and draws mixed, of uneven classes; after each the head, and at last every slot, is numpy's."""
    board, rng = Board(kind, tmp_path), np.random.default_rng(4)
    latents, memory, contents = board.latents, Reservoir(SLOTS, CLASSES, 9), {}
    quants = calibrate(latents, [{"a": np.array([-2.0, 3.5])}])
    head = latents.pack_head(memory, quants, RATIO)
    board.memory[: len(head)] = np.frombuffer(head, np.uint8)
    assert board.lib.el_replay_ratio() == RATIO
    for k in range(1000):
        label = int(rng.choice(CLASSES, p=[0.6, 0.3, 0.05, 0.04, 0.01])) if k < 600 else 2
        values = made(rng)
        board.put(values)
        slot = memory.offer(label)
        assert board.lib.el_replay_offer(label) == (0xFFFFFFFF if slot is None else slot)
        if slot is not None:
            contents[slot] = latents.keep(values, quants)
        for drawn in memory.draws(RATIO, slot):
            assert board.lib.el_replay_recall(0xFFFFFFFF if slot is None else slot) == 1
            truth = latents.recall(contents[drawn], quants)
            np.testing.assert_array_equal(board.a.view(np.uint32), truth["a"].view(np.uint32))
            np.testing.assert_array_equal(board.b[:6], truth["b"])
            assert board.target[0] == memory.labels[drawn]
        head = latents.pack_head(memory, quants, RATIO)
        assert board.memory[: len(head)].tobytes() == head
    assert board.heads[0] == memory.replayed > 1000
    for slot, data in contents.items():
        at, count = latents.place(slot)
        got = latents.recall(board.memory[at : at + count].tobytes(), quants)
        assert {k: v.tobytes() for k, v in got.items()} == {
            k: v.tobytes() for k, v in latents.recall(data, quants).items()
        }
        assert int(board.memory[at + count : at + count + 4].view(np.uint32)[0]) == memory.labels[slot]


def test_a_board_that_nobody_has_told_a_seed_has_one(tmp_path: Path) -> None:
    board = Board("f32", tmp_path)
    for k in range(100):
        board.lib.el_replay_offer(k % CLASSES)
    assert board.memory[:4].view(np.uint32)[0] != 0
    assert board.memory[4:8].view(np.uint32)[0] == SLOTS


def test_what_is_not_finite_and_labels_beyond_the_classes_are_not_kept(tmp_path: Path) -> None:
    board = Board("s8", tmp_path)
    assert board.lib.el_replay_recall(0xFFFFFFFF) == 0
    for bad in (np.nan, np.inf, -np.inf):
        board.a[3] = bad
        assert board.lib.el_replay_offer(1) == 0xFFFFFFFF
    board.a[3] = 0
    assert board.lib.el_replay_offer(CLASSES) == 0xFFFFFFFF
    assert not board.memory.any()
    assert board.lib.el_replay_offer(1) == 0


SETTINGS = {
    "last": {"train": "last"},
    "two tensors in the cut, momentum": {"train": "conv5,dense11", "momentum": 0.9, "batch": 3},
    "adam, clipped": {"train": "conv8,dense11", "optimizer": "adam", "clip_norm": 0.5, "batch": 2},
    "recomputed": {"train": "norm3,conv5,conv8,dense11", "recompute": 1.0},
}


@pytest.mark.parametrize("settings", SETTINGS)
def test_training_from_the_cut_is_training(settings: str, tmp_path: Path) -> None:
    """The generated head, run on what the prefix once gave, changes weights by the same bits as the whole model does,
    whatever the arena holds; and its losses are numpy's.
    """
    source = NETS["residual_net"]()
    config = TrainConfig(lr=0.05, replay=8, latents="f32", **SETTINGS[settings])
    plan = make_plan(source, config, load("host"))
    oracle = Reference(plan.graph, np.float32, lambda step: optim(config))
    whole, head = (CModel(plan, make_folder(tmp_path / name)) for name in ("whole", "head"))
    whole.settings = head.settings = lambda step: optim(config)
    samples = [sample(source, k) for k in range(3)]
    kept = [head.latents(x) for x, _ in samples]
    known = [{name: v.copy() for name, v in oracle.latents(x).items()} for x, _ in samples]
    for k in (0, 1, 2, 1, 0, 2):
        x, label = samples[k]
        loss = head.replay(kept[k], label)
        assert loss == whole.train(x, label)
        assert loss == pytest.approx(oracle.replay(known[k], label).loss, rel=1e-5, abs=1e-6)
    ours, theirs = ({name: w.tobytes() for name, w in m.weights().items()} for m in (head, whole))
    assert ours == theirs
    start = {t.name: t.data.tobytes() for t, _ in plan.params.tensors if t.data is not None}
    assert ours != start


def make_folder(path: Path) -> Path:
    path.mkdir()
    return path
