"""The HiFive1's own machine code on models of the FE310's registers: its clock and its UART."""

from __future__ import annotations

import random

import pytest
from unicorn import riscv_const as riscv

from edgelearn import boards
from tests.qemu.images import image_of
from tests.support.chip import Chip
from tests.support.fe310 import Prci, Uart

BOARD = "hifive1_revb"
EXTERNAL, MIE = 1 << 11, 1 << 3


def started(broken: str = "", *, left_running: bool = False) -> tuple[Chip, Prci, Uart]:
    chip = Chip(boards.load(BOARD), image_of(BOARD).elf)
    clocks = Prci(chip, broken)
    uart = Uart(chip, clocks)
    if left_running:
        clocks.leave_running()
    chip.reset()
    chip.call("el_hal_init")
    return chip, clocks, uart


@pytest.mark.parametrize("left_running", [False, True])
def test_the_clock_is_the_one_that_the_board_file_says(left_running: bool) -> None:
    """Also where a loader has left the PLL in use."""
    chip, clocks, _ = started(left_running=left_running)
    assert clocks.core * 1e6 == chip.board.hal.constants["EL_CORE_HZ"] == chip.call("el_core_hz")


@pytest.mark.parametrize("broken", ["crystal", "pll"])
def test_what_does_not_come_up_is_done_without(broken: str) -> None:
    chip, clocks, uart = started(broken)
    assert abs(chip.call("el_core_hz") / clocks.core / 1e6 - 1) < 0.03  # trimmed, to some percent
    assert uart.baud / chip.board.link.baud == pytest.approx(clocks.core * 1e6 / chip.call("el_core_hz"), rel=0.01)


def test_it_knows_silicon_by_its_two_clocks() -> None:
    """The emulated core counts cycles by this computer's clock; a pause at the wrong moment spoils one measurement."""
    seen = {started()[0].call("el_hal_counter_hz") for _ in range(5)}
    assert 320_000_000 in seen <= {0, 320_000_000}


def test_a_slow_clock_that_stands_still_means_no_cycles() -> None:
    chip, _, _ = started("slow")
    assert chip.call("el_hal_counter_hz") == 0


def test_the_uart_has_its_pins_its_interrupt_and_the_board_files_baud() -> None:
    chip, _, uart = started()
    constants = chip.board.hal.constants
    pins = 1 << constants["EL_UART_TX_PIN"] | 1 << constants["EL_UART_RX_PIN"]
    gpio = constants["EL_GPIO_BASE"]
    assert chip.registers[gpio + 0x38] & pins == pins  # a hardware function
    assert chip.registers[gpio + 0x3C] & pins == 0  # and which
    assert uart.listens
    assert abs(uart.baud / chip.board.link.baud - 1) < 0.01
    assert chip.core.reg_read(riscv.UC_RISCV_REG_MIE) == EXTERNAL
    assert chip.core.reg_read(riscv.UC_RISCV_REG_MSTATUS) & MIE
    chip.put(chip.board.ram.origin + 0x2000, bytes(range(256)))
    chip.call("el_hal_write", chip.board.ram.origin + 0x2000, 256)
    assert uart.sent == bytes(range(256))


def test_a_window_of_frames_waits_for_who_computes() -> None:
    chip, _, uart = started()
    to, sent = chip.symbols["el_arena"], random.Random(1).randbytes(2048)
    got = b""
    for start in range(0, 3 * 2048, 2048):  # around the ring's end, too
        uart.arrive(sent[start % 5 :] + sent[: start % 5], 1 + start // 2048 * 3)
        while len(got) < start + 2048:
            count = chip.call("el_hal_read", to, 60)
            got += chip.get(to, count)
    assert got == b"".join(sent[k % 5 :] + sent[: k % 5] for k in range(0, 3 * 2048, 2048))
    assert chip.call("el_hal_overruns") == 0
    uart.arrive(sent + b"abc", 8)  # a host that does not keep to the window
    assert chip.call("el_hal_overruns") == 3
    assert chip.call("el_hal_read", to, 4) == 4
    assert chip.get(to, 4) == sent[:4]
