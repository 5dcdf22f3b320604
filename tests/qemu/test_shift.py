"""Shift layers on boards, with and without an FPU: the board computes what the reference does, in the planned bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgelearn.boards import load
from edgelearn.build import build_image
from edgelearn.build.verify import verify_image
from edgelearn.codegen import generate
from edgelearn.config import TrainConfig
from edgelearn.data import Dataset
from edgelearn.device import open_device
from edgelearn.graph import Graph
from edgelearn.link import Link
from edgelearn.plan import Plan, make_plan
from edgelearn.session import Session
from tests.support.mobilenets import v2
from tests.support.nets import NETS
from tests.support.prefix_nets import calibrated
from tests.support.shifts import all_but_ends


def _train(source: Graph, config: TrainConfig, board_id: str, folder: Path) -> Plan:
    """`Session` itself holds losses and predictions to the reference, and raises where they differ."""
    board = load(board_id)
    plan = make_plan(source, config, board)
    assert plan.graph.meta["shifted"]
    sources = generate(plan)
    image = build_image(sources.files, board, folder, kernel_sources=sources.kernels)
    assert verify_image(plan, image) == ()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, *source.meta["input"].user_shape)).astype(np.float32)
    y = rng.integers(source.tensors[source.outputs[0]].count, size=8)
    with open_device(image) as device:
        outcome = Session(plan, Link(device), Dataset(x[:5], y[:5], x[5:], y[5:]), lambda event: None).run()
    assert outcome.loss_error is not None
    assert any(not np.array_equal(w, source.tensors[n].data) for n, w in outcome.weights.items())
    return plan


@pytest.mark.parametrize("board_id", ["qemu-m3", "qemu-rv32imac", "qemu-rv32i", "qemu-m55"])
def test_a_head_trains_behind_shifts(board_id: str, tmp_path: Path) -> None:
    config = TrainConfig(lr=0.05, method="bias", epochs=1)
    plan = _train(all_but_ends(NETS["conv1d_net"]()), config, board_id, tmp_path)
    assert {k.isa for k in plan.chosen if "_shift_" in k.name} <= {*load(board_id).kernels}


@pytest.mark.parametrize("board_id", ["qemu-m4", "qemu-rv32i"])
def test_a_head_trains_behind_shifts_in_int8(board_id: str, tmp_path: Path) -> None:
    source = calibrated(all_but_ends(v2()))
    plan = _train(source, TrainConfig(lr=0.05, method="last", epochs=1, int8_prefix=True), board_id, tmp_path)
    assert any(k.name.endswith("_shift_fwd_s8__blk") for k in plan.chosen)
