"""Flash drivers of boards that a framework starts: their machine code on emulated cores, and on models of the flash
that refuse what documentation forbids. ESP32-S3 shares its driver with ESP32-C3; no emulator here has its core.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from edgelearn import boards
from tests.support.chip import Chip
from tests.support.flashes import FlashChip, Nvmc, driver_elf, flash_of

BOARDS = [name for name in boards.available() if boards.load(name).framework and boards.load(name).arch != "xtensa"]


def _chip(name: str, folder: Path) -> tuple[Chip, FlashChip | Nvmc, int]:
    board = boards.load(name)
    chip = Chip(board, driver_elf(board, folder))
    return chip, flash_of(chip), board.ram.origin + 0x8000


@pytest.mark.parametrize("name", BOARDS)
def test_what_is_saved_is_there_and_nothing_else_changed(name: str, tmp_path: Path) -> None:
    chip, flash, buffer = _chip(name, tmp_path)
    store = flash.store
    noise = random.Random(2).randbytes(store.size)
    flash.put(0, noise)
    data = random.Random(3).randbytes(1024)
    chip.put(buffer, data)
    for page in (store.pages - 1, 0):
        assert chip.call("el_flash_erase", page) == 1
        at = page * store.page
        assert flash.get(at, store.page) == b"\xff" * store.page
        pieces = ((128, 256), (384, 256), (640, store.unit), (0, 64), (64, 64), (store.page - 256, 256))
        for start, count in pieces:  # as a save does it: what is kept, header, seal; and the page's end
            assert chip.call("el_flash_program", at + start, buffer, count) == 1
            assert flash.get(at + start, count) == data[:count]
        chip.put(buffer + 2048, bytes(16))
        chip.call("el_flash_read", at + 129, buffer + 2048, 11)
        assert chip.get(buffer + 2048, 16) == data[1:12] + bytes(5)
        untouched = 640 + store.unit
        assert flash.get(at + untouched, store.page - 256 - untouched) == b"\xff" * (store.page - 256 - untouched)
    between = slice(store.page, (store.pages - 1) * store.page)
    assert flash.get(0, store.size)[between] == noise[between]
    assert flash.erased == [store.pages - 1, 0]
    if isinstance(flash, FlashChip):
        assert flash.interrupts
        assert flash.other
    else:
        assert flash.allowed == 0


@pytest.mark.parametrize("name", BOARDS)
def test_the_models_do_look(name: str, tmp_path: Path) -> None:
    chip, flash, buffer = _chip(name, tmp_path)
    flash.put(0, b"\xff" * flash.store.page)
    chip.put(buffer, bytes(range(64)))
    assert chip.call("el_flash_program", 0, buffer, 64) == 1
    chip.put(buffer, bytes(64))
    with pytest.raises(AssertionError, match="programmed already"):
        chip.call("el_flash_program", 0, buffer, 64)


def test_a_page_that_is_not_the_stores_is_refused(tmp_path: Path) -> None:
    chip, flash, _ = _chip("pico", tmp_path)
    with pytest.raises(AssertionError, match="not in the store"):
        chip.call("el_flash_erase", flash.store.pages)


def test_what_a_partition_refuses_is_said(tmp_path: Path) -> None:
    chip, flash, buffer = _chip("esp32-c3-devkitm-1", tmp_path)
    assert isinstance(flash, FlashChip)
    flash.broken = True
    assert chip.call("el_flash_erase", 0) == 0
    assert chip.call("el_flash_program", 0, buffer, 64) == 0
    chip.put(buffer, bytes(8))
    chip.call("el_flash_read", 0, buffer, 4)
    assert chip.get(buffer, 8) == b"\xff" * 4 + bytes(4)
    flash.broken = False
    assert chip.call("el_flash_erase", 0) == 1


@pytest.mark.parametrize("table", [None, (0x110000, 0x1000), (0x200000, 0x80000)])
def test_without_its_partition_nothing_is_written(table: tuple[int, int] | None, tmp_path: Path) -> None:
    chip, flash, buffer = _chip("esp32-c3-devkitm-1", tmp_path)
    assert isinstance(flash, FlashChip)
    flash.put(0, bytes(64))
    flash.table = table
    assert chip.call("el_flash_erase", 0) == 0
    assert chip.call("el_flash_program", 0, buffer, 64) == 0
    chip.call("el_flash_read", 0, buffer, 64)
    assert chip.get(buffer, 64) == b"\xff" * 64
    assert flash.get(0, 64) == bytes(64)
