"""Real boards' own machine code on models of their registers that know the rules: clocks, UART, counters, flash."""

from __future__ import annotations

import random

import pytest

from edgelearn import boards
from tests.qemu.images import BARE, image_of, with_driver
from tests.support.chip import DWT, Broken, Chip
from tests.support.clocks import H7, clocks_of
from tests.support.devices import FlashController, Usart, guard_clocks

STM32 = [name for name in BARE if "stm32/uart.c" in boards.load(name).hal.uart]
FAMILIES = ["olimex_stm32_h405", "nucleo_f767zi", "nucleo_l476rg", "nucleo_h743zi"]  # one of each that differs in code


def chip_of(name: str) -> Chip:
    return Chip(boards.load(name), image_of(name).elf)


@pytest.mark.parametrize("board", STM32)
def test_the_clock_is_the_one_that_the_board_file_says(board: str) -> None:
    chip = chip_of(board)
    clocks = clocks_of(chip)
    assert chip.symbols["el_vectors"] == chip.board.boot.origin
    chip.reset()
    constants = chip.board.hal.constants
    assert clocks.core * 1e6 == constants["EL_CORE_HZ"] == chip.call("el_core_hz")
    assert clocks.core == clocks.limits.core
    bus = clocks.slow if _on_slow_bus(board) else clocks.fast
    assert bus * 1e6 == chip.call("el_uart_hz")


def _on_slow_bus(board: str) -> bool:
    return boards.load(board).hal.constants["EL_UART_BASE"] in (0x40004400, 0x40004800)  # USART2 and USART3


@pytest.mark.parametrize("board", FAMILIES)
@pytest.mark.parametrize("broken", ["hse", "hsi", "pll", "flash", "power"])
def test_what_does_not_come_up_is_done_without(board: str, broken: str) -> None:
    chip = chip_of(board)
    clocks = clocks_of(chip, broken)
    chip.reset()
    assert clocks.core * 1e6 == chip.call("el_core_hz")
    bus = clocks.slow if _on_slow_bus(board) else clocks.fast
    assert bus * 1e6 == chip.call("el_uart_hz")
    if broken in ("pll", "flash"):
        assert clocks.core < clocks.limits.core


@pytest.mark.parametrize("board", FAMILIES)
def test_a_bootloader_may_have_left_the_pll_running_and_vectors_of_its_own(board: str) -> None:
    chip = chip_of(board)
    clocks = clocks_of(chip)
    clocks.leave_running()
    chip.reset()
    assert clocks.core == clocks.limits.core
    assert chip.registers[0xE000ED08] == chip.symbols["el_vectors"]  # VTOR


def test_memories_have_their_clocks_before_anything_is_in_them() -> None:
    chip = chip_of("nucleo_h743zi")
    clocks_of(chip)
    chip.reset(until="el_start")
    assert chip.registers[H7.rcc + 0xDC] >> 29 == 7
    assert chip.registers[0x51008108] == 1  # revision Y needs it


def started(name: str) -> tuple[Chip, Usart]:
    chip = chip_of(name)
    clocks = clocks_of(chip)
    usart = Usart(chip)
    guard_clocks(chip)
    chip.reset()
    chip.call("el_hal_init")
    wanted = chip.board.link.baud
    assert usart.listens
    assert abs(usart.baud(clocks) / wanted - 1) < 0.01  # of the 2 % that two ends may be apart
    return chip, usart


@pytest.mark.parametrize("board", STM32)
def test_the_uart_has_its_pins_its_interrupt_and_the_board_files_baud(board: str) -> None:
    chip, usart = started(board)
    constants, port = chip.board.hal.constants, chip.board.hal.constants["EL_UART_PORT"]
    for pin in (constants["EL_UART_TX_PIN"], constants["EL_UART_RX_PIN"]):
        assert chip.registers[port] >> 2 * pin & 3 == 2  # an alternate function
        assert chip.registers[port + 0x20 + 4 * (pin // 8)] >> 4 * (pin % 8) & 15 == constants["EL_UART_FUNCTION"]
    number = constants["EL_UART_IRQ"]
    assert chip.registers[0xE000E100 + 4 * (number // 32)] == 1 << number % 32
    chip.put(chip.board.ram.origin + 0x1000, bytes(range(256)))
    chip.call("el_hal_write", chip.board.ram.origin + 0x1000, 256)
    assert usart.sent == bytes(range(256))


@pytest.mark.parametrize("board", FAMILIES)
def test_a_window_of_frames_waits_for_who_computes(board: str) -> None:
    chip, usart = started(board)
    to, sent = chip.symbols["el_arena"], random.Random(1).randbytes(2048)
    got = b""
    for start in range(0, 3 * 2048, 2048):  # around the ring's end, too
        usart.arrive(sent[start % 5 :] + sent[: start % 5])
        while len(got) < start + 2048:
            count = chip.call("el_hal_read", to, 60)
            got += chip.get(to, count)
    assert got == b"".join(sent[k % 5 :] + sent[: k % 5] for k in range(0, 3 * 2048, 2048))
    assert chip.call("el_hal_overruns") == 0
    usart.arrive(sent + b"abc")  # a host that does not keep to the window
    assert chip.call("el_hal_overruns") == 3
    assert chip.call("el_hal_read", to, 4) == 4
    assert chip.get(to, 4) == sent[:4]
    usart.overrun = True
    usart.arrive(b"d")
    assert chip.call("el_hal_overruns") == 4


@pytest.mark.parametrize("board", FAMILIES)
def test_cycles_are_counted_past_32_bits(board: str) -> None:
    chip = chip_of(board)
    clocks_of(chip)
    now = 5
    chip.on_read[DWT] = lambda: 4 << 28 | 1 if chip.registers.get(0xE000EDFC, 0) >> 24 & 1 else 0  # dead without trace
    chip.on_read[DWT + 4] = lambda: now & 0xFFFFFFFF

    def set_to(value: int) -> None:
        nonlocal now
        now = value

    chip.on_write[DWT + 4] = set_to
    chip.on_read[0xE000E018] = lambda: 1
    chip.reset()
    assert chip.call("el_hal_counter_hz") == chip.board.hal.constants["EL_CORE_HZ"]
    begin = chip.call("el_hal_ticks")
    assert chip.registers[DWT] & 1  # and so is the counter
    assert chip.registers[DWT + 0xFB0] == 0xC5ACCE55
    for _ in range(300):  # SysTick interrupts each 2^24 cycles
        now += 1 << 24
        chip.call("el_systick")
    now += 77
    low = chip.call("el_hal_ticks")
    assert (chip.high << 32 | low) == begin + 300 * (1 << 24) + 77 > 1 << 32


def flash_of(name: str) -> tuple[Chip, FlashController, int]:
    chip = Chip(boards.load(name), with_driver(name))
    clocks_of(chip)
    chip.reset()
    assert chip.board.store is not None
    return chip, FlashController(chip), chip.board.store.origin


@pytest.mark.parametrize("board", STM32)
def test_flash_is_erased_and_programmed_as_the_manual_says(board: str) -> None:
    chip, flash, origin = flash_of(board)
    store = chip.board.store
    assert store is not None
    assert store.unit == flash.geometry.unit
    noise = random.Random(2).randbytes(store.size)
    chip.put(origin, noise)
    chip.put(origin - 64, b"program!" * 8)
    buffer = chip.board.ram.origin + 0x8000
    data = random.Random(3).randbytes(4 * store.unit * 3)
    chip.put(buffer, data)
    for page in (store.pages - 1, 0):
        assert chip.call("el_flash_erase", page) == 1
        assert flash.locked
        at = page * store.page
        assert chip.get(origin + at, store.page) == b"\xff" * store.page
        for start in (0, store.page - len(data)):
            assert chip.call("el_flash_program", at + start, buffer, len(data)) == 1
            assert flash.locked
            assert chip.get(origin + at + start, len(data)) == data
        chip.call("el_flash_read", at + 1, buffer + 0x1000, 11)
        assert chip.get(buffer + 0x1000, 11) == data[1:12]
    assert chip.get(origin - 64, 64) == b"program!" * 8
    between = slice(store.page, (store.pages - 1) * store.page)
    assert chip.get(origin, store.size)[between] == noise[between]
    assert len(flash.erased) == 2


@pytest.mark.parametrize("board", FAMILIES)
def test_errors_of_the_flash_are_said_and_do_not_last(board: str) -> None:
    chip, flash, origin = flash_of(board)
    buffer = chip.board.ram.origin + 0x8000
    chip.put(buffer, bytes(range(64)))
    assert chip.call("el_flash_erase", 0) == 1
    flash.spoiled = 1 << 4 if flash.geometry.unit < 32 else 1 << 17  # write protection
    assert chip.call("el_flash_program", 0, buffer, 64) == 0
    assert flash.locked
    assert chip.call("el_flash_erase", 0) == 1
    flash.spoiled = 1 << 4 if flash.geometry.unit < 32 else 1 << 17
    assert chip.call("el_flash_erase", 1) == 0
    assert chip.call("el_flash_program", 0, buffer, 64) == 1
    assert chip.get(origin, 64) == bytes(range(64))
    with pytest.raises(Broken, match="programmed already"):
        chip.call("el_flash_program", 0, buffer, 64)  # the model does look


@pytest.mark.parametrize("board", ["nucleo_l476rg", "disco_l475vg_iot01a"])
def test_a_double_word_that_can_not_be_corrected_is_no_fault(board: str) -> None:
    chip, flash, _ = flash_of(board)
    corrections: list[int] = []
    address = flash.base + 0x18
    chip.registers[address] = 1 << 31
    chip.on_write[address] = corrections.append
    chip.call("el_nmi")
    assert corrections == [1 << 31]
