"""The FE310 writes to the flash that its program lies in: its own machine code on models of controller and flash."""

from __future__ import annotations

import contextlib
import random

import pytest
from unicorn import riscv_const as riscv

from edgelearn import boards
from edgelearn.boards import Store
from edgelearn.build import Image, build_image
from edgelearn.build.verify import verify_image
from edgelearn.codegen import generate
from edgelearn.config import TrainConfig
from edgelearn.plan import Plan, make_plan
from tests.qemu.images import with_driver
from tests.support.chip import Broken, Chip
from tests.support.fe310 import Prci
from tests.support.nets import NETS
from tests.support.spi_flash import (
    CSMODE,
    ERASE,
    FLASH,
    HOLD,
    MIE,
    PROGRAM,
    READ_STATUS,
    PowerFailed,
    SpiController,
)

BOARD = "hifive1_revb"
BUFFER = 0x80002000  # between stack and variables of so small a model, and the RAM's end


def spi_of() -> tuple[Chip, SpiController, Store]:
    """The chip as it comes to main, with interrupts on."""
    chip = Chip(boards.load(BOARD), with_driver(BOARD))
    spi = SpiController(chip)
    chip.reset()
    chip.core.reg_write(riscv.UC_RISCV_REG_MSTATUS, chip.core.reg_read(riscv.UC_RISCV_REG_MSTATUS) | 1 << MIE)
    assert chip.board.store is not None
    return chip, spi, chip.board.store


def interrupts(chip: Chip) -> int:
    return int(chip.core.reg_read(riscv.UC_RISCV_REG_MSTATUS)) >> MIE & 1


def test_sectors_are_erased_and_units_programmed_and_nothing_else() -> None:
    chip, spi, store = spi_of()
    before, settings = random.Random(2).randbytes(store.size), spi.settings()
    chip.put(store.origin, before)
    chip.put(store.origin - 64, b"program!" * 8)
    data = random.Random(3).randbytes(5 * store.unit)
    chip.put(BUFFER, data)
    for page in (store.pages - 1, 0):
        at = page * store.page
        assert chip.call("el_flash_erase", page) == 1
        assert chip.get(store.origin + at, store.page) == b"\xff" * store.page
        for start in (0, store.page - len(data)):  # from one of the flash's own pages into the next
            assert chip.call("el_flash_program", at + start, BUFFER, len(data)) == 1
            assert chip.get(store.origin + at + start, len(data)) == data
        chip.call("el_flash_read", at + 1, BUFFER + 0x400, 11)
        assert chip.get(BUFFER + 0x400, 11) == data[1:12]
        assert spi.settings() == settings
        assert interrupts(chip)
    assert chip.get(store.origin - 64, 64) == b"program!" * 8
    assert chip.get(store.origin, store.size)[store.page : -store.page] == before[store.page : -store.page]
    assert spi.flash.erased == [store.origin - FLASH + page * store.page for page in (store.pages - 1, 0)]
    assert {size for _, size in spi.flash.programmed} == {store.unit}
    assert spi.taken == 2 + 2 * 2 * 5


def test_what_the_controller_has_left_from_before_does_no_harm() -> None:
    """Bytes that nobody read, a queue that has no room at first, other settings, and interrupts that were off."""
    chip, spi, store = spi_of()
    chip.registers[spi.base + CSMODE] = HOLD
    settings = spi.settings()
    chip.core.reg_write(riscv.UC_RISCV_REG_MSTATUS, 0)
    chip.put(BUFFER, bytes(range(64)))
    for page in (1, 3):
        spi.received.extend([0x03] * 8)
        spi.full = 5
        assert chip.call("el_flash_erase", page) == 1
        spi.received.extend([0x01] * 3)
        assert chip.call("el_flash_program", page * store.page, BUFFER, 64) == 1
        assert chip.get(store.origin + page * store.page, 65) == bytes(range(64)) + b"\xff"
    assert spi.settings() == settings
    assert not interrupts(chip)


ERASED = ("el_flash_erase", 0)
PROGRAMMED = ("el_flash_program", 64, BUFFER, 64)


@pytest.mark.parametrize(
    ("broken", "call"),
    [("stuck", ERASED), ("mute", PROGRAMMED), ("jammed", ERASED), ("protected", ERASED), ("protected", PROGRAMMED)],
)
def test_what_fails_is_said_and_the_program_goes_on(broken: str, call: tuple[str, *tuple[int, ...]]) -> None:
    """A flash that never gets ready or obeys nothing, and a controller that does not answer or takes nothing."""
    chip, spi, store = spi_of()
    settings = spi.settings()
    chip.put(store.origin, bytes(64) + b"\xff" * 64)
    chip.put(BUFFER, bytes(range(1, 65)))
    part = spi if hasattr(spi, broken) else spi.flash
    setattr(part, broken, True)
    assert chip.call(*call) == 0
    assert spi.mapped
    assert spi.settings() == settings
    assert interrupts(chip)
    setattr(part, broken, False)
    spi.sending.clear()
    assert chip.call(*ERASED) == 1
    assert chip.call(*PROGRAMMED) == 1
    assert chip.get(store.origin, 128) == b"\xff" * 64 + bytes(range(1, 65))


@pytest.fixture(scope="module")
def saving(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Image]:
    """A program that saves."""
    config = TrainConfig(lr=0.02, momentum=0.9, save_every=50)
    plan = make_plan(NETS["mlp"](), config, boards.load(BOARD))
    sources = generate(plan)
    image = build_image(sources.files, plan.board, tmp_path_factory.mktemp("saving"), kernel_sources=sources.kernels)
    assert verify_image(plan, image) == ()
    return plan, image


def powered(image: Image, flash: bytes) -> tuple[Chip, SpiController]:
    """The chip at 320 MHz where it begins to listen; `flash` is what its store holds."""
    chip = Chip(boards.load(BOARD), image.elf)
    Prci(chip)
    spi = SpiController(chip)
    assert chip.board.store is not None
    chip.put(chip.board.store.origin, flash)
    chip.reset(until="el_serve")
    return chip, spi


LOSS = 0x3F000000  # 0.5


def stack_used(chip: Chip) -> int:
    bottom, top = (chip.symbols[f"el_stack_{end}"] for end in ("bottom", "top"))
    return len(chip.get(bottom, top - bottom).lstrip(b"\xc5"))


@pytest.mark.parametrize("cut", [None, 0, 1, 9, -2, -1])
def test_what_was_saved_is_there_when_the_chip_starts_again(saving: tuple[Plan, Image], cut: int | None) -> None:
    """Power fails in the third save, after so many changes of the flash or before its last ones, header and seal: the
    second is restored then. The stack holds it all.
    """
    plan, image = saving
    store, size = image.board.store, plan.params.used
    assert store is not None
    assert plan.saving is not None
    changes = 1 + -(-plan.saving.record // store.unit)
    chip, spi = powered(image, random.Random(5).randbytes(store.size))  # whatever was in the flash
    states = [random.Random(k).randbytes(size) for k in range(3)]
    for state in states[:2]:
        chip.put(chip.symbols["el_params"], state)
        assert chip.call("el_persist_save", 0, LOSS) == 0
    spi.flash.power = changes if cut is None else cut % changes
    chip.put(chip.symbols["el_params"], states[2])
    with pytest.raises(PowerFailed) if cut is not None else contextlib.nullcontext():
        assert chip.call("el_persist_save", 0, LOSS) == 0
    assert spi.flash.power == 0  # and there are no more than that
    assert stack_used(chip) < 0.7 * image.board.stack
    again, _ = powered(image, chip.get(store.origin, store.size))
    assert again.get(again.symbols["el_params"], size) == states[2 if cut is None else 1]


def test_it_takes_little_of_the_stack() -> None:
    chip, _, _ = spi_of()
    top = chip.symbols["el_stack_top"]
    bottom = chip.symbols["el_stack_bottom"]
    chip.put(bottom, b"\xc5" * (top - bottom))
    chip.core.reg_write(chip.kind.stack, top)
    chip.put(BUFFER, bytes(128))
    assert chip.call("el_flash_erase", 0) == 1
    assert chip.call("el_flash_program", 0, BUFFER, 128) == 1
    assert 160 + 68 < stack_used(chip) <= 320


@pytest.mark.parametrize(
    ("why", "command", "masked"),
    [
        ("interrupt could come", (ERASE, 0x3E, 0, 0), 0),
        ("go on at the page's begin", (PROGRAM, 0x3E, 0, 0xC1, *[0] * 64), 1),
        ("become ones", (PROGRAM, 0x3E, 0, 0, 0xFF), 1),
        ("middle of a sector", (ERASE, 0x3E, 0x01, 0), 1),
        ("no command 0xd8", (0xD8, 0x3E, 0, 0), 1),
        ("was not told", (PROGRAM, 0x3E, 0, 0, 0), 1),
        ("while it is at work", (ERASE, 0x3E, 0, 0), 1),
    ],
)
def test_the_models_do_look(why: str, command: tuple[int, ...], masked: int) -> None:
    """The few instructions that run from RAM, called with what is wrong."""
    chip, spi, store = spi_of()
    chip.put(store.origin, bytes(64))
    chip.put(BUFFER, chip.get(chip.symbols["el_flash_code"], 160))
    chip.symbols["copy"] = BUFFER
    chip.put(BUFFER + 0x200, bytes(command))
    if masked:
        chip.core.reg_write(riscv.UC_RISCV_REG_MSTATUS, 0)
    if "told" in why:
        spi.flash.orders[6] = lambda: None
    if "at work" in why:
        spi.flash.looks = 3
        spi.flash.orders[READ_STATUS] = lambda: None
    with pytest.raises(Broken, match=why):
        chip.call("copy", spi.base, BUFFER + 0x200, len(command), 100)


def test_it_can_not_run_where_the_flash_is_not() -> None:
    chip, spi, _ = spi_of()
    chip.core.reg_write(riscv.UC_RISCV_REG_MSTATUS, 0)
    chip.put(BUFFER, bytes((ERASE, 0x3E, 0, 0)))
    with pytest.raises(Broken, match="runs at 0x2001"):
        chip.call("el_flash_code", spi.base, BUFFER, 4, 100)
    chip, spi, store = spi_of()
    chip.core.reg_write(riscv.UC_RISCV_REG_MSTATUS, 0)
    chip.put(BUFFER, chip.get(chip.symbols["el_flash_code"], 160))
    chip.symbols["copy"] = BUFFER
    with pytest.raises(Broken, match="reads at 0x203e0000"):
        chip.call("copy", spi.base, store.origin, 4, 100)
