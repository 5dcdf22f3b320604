"""Several harts compute one training step: the same bits however many there are, and each no more than its share."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgelearn.boards import Board, load
from edgelearn.build import build_image
from edgelearn.build.verify import verify_image
from edgelearn.calibrate import calibrate
from edgelearn.codegen import generate
from edgelearn.config import TrainConfig
from edgelearn.data import Dataset
from edgelearn.device import open_device
from edgelearn.errors import InputError
from edgelearn.graph import Graph
from edgelearn.link import Link
from edgelearn.plan import make_plan
from edgelearn.session import Session
from edgelearn.share import boards_dir
from tests.support.kernel_cases import all_cases
from tests.support.nets import Net, conv1d_net, residual_net
from tests.support.parts import check_parts

BOARD = "qemu-rv32x8"
IN_PLACE = TrainConfig(lr=0.01, epochs=1)
MOMENTUM = TrainConfig(lr=0.01, momentum=0.9, batch=2, weight_decay=0.01, epochs=1)
INT8 = TrainConfig(lr=0.01, epochs=1, train="last", int8_prefix=True)
ADAM = TrainConfig(lr=0.001, optimizer="adam", batch=2, clip_norm=1.0, epochs=1)


def with_harts(folder: Path, harts: int) -> Board:
    """The board with another number of harts."""
    text = (boards_dir() / f"{BOARD}.toml").read_text()
    text = text.replace("harts = 8", f"harts = {harts}").replace('"-smp", "8"', f'"-smp", "{harts}"')
    path = folder / f"harts{harts}.toml"
    path.write_text(text)
    return load(str(path))


def separable_net() -> Graph:
    """Depthwise and pointwise layers with channels that do not divide by eight."""
    net = Net((17, 11, 3))
    net.conv(20, (3, 3), (2, 2), (1, 1, 1, 1))
    net.relu()
    for channels, stride in ((36, 1), (44, 2)):
        net.depthwise((3, 3), (stride, stride), (1, 1, 1, 1))
        net.relu()
        net.conv(channels, (1, 1))
        net.relu()
    net.pool("avg_pool2d", (5, 3), (1, 1))
    net.dense(5)
    return net.graph()


def frozen_net() -> Graph:
    """The same with ranges, so that what is frozen computes in int8."""
    graph = separable_net()
    x = np.random.default_rng(6).normal(size=(4, *graph.tensors[graph.inputs[0]].shape)).astype(np.float32)
    return graph.replace(meta={**graph.meta, "ranges": calibrate(graph, x)})


def _weights(graph: Graph, config: TrainConfig, board: Board, folder: Path) -> dict[str, bytes]:
    plan = make_plan(graph, config, board)
    assert any(plan.parts) == (board.harts > 1)
    sources = generate(plan)
    image = build_image(sources.files, board, folder, kernel_sources=sources.kernels)
    assert verify_image(plan, image) == ()
    rng = np.random.default_rng(5)
    x = rng.normal(size=(8, *graph.meta["input"].user_shape)).astype(np.float32)
    y = rng.integers(3, size=8)
    with open_device(image) as device:
        outcome = Session(plan, Link(device), Dataset(x[:6], y[:6], x[6:], y[6:]), lambda event: None).run()
    assert 0 < outcome.stack_used < board.stack
    return {name: values.tobytes() for name, values in outcome.weights.items()}


@pytest.mark.parametrize(
    ("net", "config", "counts"),
    [
        (separable_net, IN_PLACE, (1, 4, 8)),
        (residual_net, MOMENTUM, (1, 8)),
        (conv1d_net, ADAM, (1, 8)),
        (frozen_net, INT8, (1, 8)),
    ],
    ids=["separable in place", "residual with momentum", "signal with Adam", "frozen in int8"],
)
def test_the_number_of_harts_does_not_change_a_bit(
    net: Callable[[], Graph], config: TrainConfig, counts: tuple[int, ...], tmp_path: Path
) -> None:
    if shutil.which("qemu-system-riscv32") is None:
        pytest.skip("qemu-system-riscv32 is not installed")
    found = [_weights(net(), config, with_harts(tmp_path, harts), tmp_path / str(harts)) for harts in counts]
    assert all(weights == found[0] for weights in found)


def test_parts_are_the_whole_as_the_board_compiles_them() -> None:
    """tests/host has the portable kernels; here are those of the board's own instruction set, and its compiler's."""
    if shutil.which("qemu-system-riscv32") is None:
        pytest.skip("qemu-system-riscv32 is not installed")
    assert check_parts("qemu-rv32", [case for case in all_cases() if case.fmt == "f32"]) > 1000


def test_each_hart_gets_the_same_stack(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="7 harts do not get the same multiple of 16 bytes"):
        with_harts(tmp_path, 7)
