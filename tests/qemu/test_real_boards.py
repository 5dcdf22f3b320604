"""Real boards: their images are as planned, and those that QEMU runs do there what they would do on the desk."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
import pytest

from edgelearn.boards import load
from edgelearn.build import build_image
from edgelearn.build.verify import verify_image
from edgelearn.codegen import generate
from edgelearn.device import open_device
from edgelearn.device.child import ChildDevice
from edgelearn.errors import DeviceError
from edgelearn.link import Link
from edgelearn.plan import make_plan
from edgelearn.session import Event, Outcome
from tests.qemu.images import BARE, MODELLED, image_of
from tests.qemu.test_session import CONFIG, dataset, losses, run
from tests.support.linear import LinearModel
from tests.support.nets import NETS

LARGE = ("olimex_stm32_h405", "nucleo_h743zi")  # which get the larger net; the HiFive1 has no room for it

INSN_A_BYTE = 26  # of an interrupt, at most: measured 24 on the HiFive1, 21 on the F405
TRAINED = ("olimex_stm32_h405", "disco_l475vg_iot01a", "hifive1_revb")  # netduinoplus2 has the first one's chip


def net_of(board: str) -> str:
    return "residual_net" if board in LARGE else "mlp"


@pytest.mark.parametrize("board", [board for board in BARE if board not in MODELLED])
def test_the_image_is_the_plan(board: str, tmp_path: Path) -> None:
    """As that of the others is, below. Where a board has several memories, with kept samples in all of them."""
    described = load(board)
    net, config = NETS[net_of(board)](), CONFIG
    if described.layout.more:
        spare = described.ram.size - make_plan(net, CONFIG, described).ram
        slot = make_plan(net, CONFIG.with_changes(store=1), described).slot_bytes
        config = CONFIG.with_changes(store=spare // slot + 8)
    plan = make_plan(net, config, described)
    sources = generate(plan)
    image = build_image(sources.files, described, tmp_path, kernel_sources=sources.kernels)
    assert verify_image(plan, image) == ()
    assert image.ram.stack == described.stack
    assert image.ram.total == plan.ram
    used = sum(size for name, size in image.sections.items() if name.startswith(".more_"))
    assert bool(used) == bool(described.layout.more)


@functools.cache
def host_run(net: str) -> tuple[Outcome, list[Event]]:
    with tempfile.TemporaryDirectory() as folder:
        return run("host", net, CONFIG, Path(folder), dataset(net))


@functools.cache
def core_run(board: str, net: str) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        return run(board, net, CONFIG, Path(folder), dataset(net), count_instructions=True)[0]


@pytest.mark.parametrize("board", TRAINED)
def test_it_trains_like_the_host_and_takes_the_instructions_of_its_core(board: str, tmp_path: Path) -> None:
    """And some more, for the interrupts that bring the next samples meanwhile: all of their bytes, where the host is
    quick. A sample that is small beside its computation takes less than 6 % more.
    """
    net, described = net_of(board), load(board)
    outcome, events = run(board, net, CONFIG, tmp_path / "real", dataset(net), count_instructions=True)
    on_host, host_events = host_run(net)
    np.testing.assert_allclose(losses(events), losses(host_events), rtol=1e-5 * outcome.steps, atol=1e-6)
    for name, weight in outcome.weights.items():
        scale = np.abs(on_host.weights[name]).max() + 0.02
        assert np.abs(weight - on_host.weights[name]).max() <= 1e-5 * outcome.steps * scale, name
    assert 0 < outcome.stack_used < described.stack
    alone = core_run(described.costs, net).spent_per_sample
    arriving = make_plan(NETS[net](), CONFIG, described).slot_bytes
    assert 0 <= outcome.spent_per_sample - alone < INSN_A_BYTE * arriving
    assert board in LARGE or outcome.spent_per_sample < 1.06 * alone


@pytest.mark.parametrize("board", ["olimex_stm32_h405", "disco_l475vg_iot01a"])
def test_instructions_are_counted_across_wraps_of_the_counter(board: str) -> None:
    """SysTick has 24 bits: 2^24 ticks are some 12 million instructions on F405."""
    seen = []
    for hold in (1_000_000, 5_000_000):
        model = LinearModel(hold=hold)
        with open_device(image_of(board, hold=hold), count_instructions=True) as device:
            link = Link(device, timeout=60)
            link.hello()
            seen.append(link.evaluate(*model.samples(1)[0]).spent)
    per_turn = (seen[1] - seen[0]) / 4_000_000
    assert per_turn == pytest.approx(round(per_turn), rel=1e-4)  # whole instructions a turn, and no wrap is lost
    assert seen[1] > 20_000_000


BROKEN = "void el_model_update(el_optim *o)\n{\n"
FAULT = {"arm": "udf #0", "riscv": "unimp"}


@pytest.mark.parametrize("board", MODELLED)
def test_a_fault_ends_the_program_with_its_code(board: str, tmp_path: Path) -> None:
    described, model = load(board), LinearModel()
    text = model.sources()["model.c"]
    assert BROKEN in text
    text = text.replace(BROKEN, BROKEN + f'    __asm volatile("{FAULT[described.arch]}");\n')
    image = build_image({"model.c": text}, described, tmp_path, kernel_sources=[])
    with open_device(image) as device:
        link = Link(device)
        link.hello()
        with pytest.raises(DeviceError, match="hit a fault"):
            link.train(*model.samples(1)[0])
        assert isinstance(device, ChildDevice)
        assert device.exit_code == 3


def test_units_are_those_of_who_runs_the_image() -> None:
    board = load("olimex_stm32_h405")
    assert (board.unit, board.on_silicon().unit, load("qemu-m4").unit) == ("insn", "cycles", "insn")
    assert load("nucleo_f446re").unit == "cycles"
