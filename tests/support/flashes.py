"""Models of the flashes of boards that a framework starts: a chip that is programmed by the framework's functions, and
the controller of the nRF52840. They refuse what documentation forbids.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import unicorn

from edgelearn.boards import Board
from tests.support.chip import Chip
from tests.support.clocks import need
from tests.support.frameworks import COMPILERS, HERE, compile_for

PORT = 0x5F000000  # of tests/support/frameworks/ports.h
ERASE, PROGRAM, READ, FIND, OFF, ON, IDLES, RUNS = range(1, 9)
PORTS = {"arduino": "ports.cpp", "espidf": "ports.c"}
SECTOR, PAGE = 4096, 256
FAILED = 0x103  # ESP_ERR_INVALID_STATE


def driver_elf(board: Board, folder: Path) -> Path:
    """A program of a board's flash driver alone, where the board has code, with its framework's calls going out."""
    assert board.store is not None
    files = [f"hal/{name}" for name in board.store.driver]
    if not board.store.driver[0].startswith("nrf52/"):
        files.append(str(HERE / board.framework / PORTS[board.framework]))
    objects = compile_for(board, files, folder)
    elf = folder / "driver.elf"
    places = [f"-Wl,-Ttext=0x{board.flash.origin:x}", f"-Wl,-Tbss=0x{board.ram.origin:x}", "-Wl,-e,el_flash_erase"]
    places.append(f"-Wl,--defsym,el_stack_top=0x{board.ram.origin + 0x4000:x}")
    machine = [COMPILERS[board.arch], *board.build.flags, "-nostdlib", "-Wl,--nmagic", *places]
    subprocess.run([*machine, *map(str, objects), "-lgcc", "-o", str(elf)], check=True)
    return elf


class FlashChip:
    """NOR flash in sectors and pages, `base` before its first byte in what the framework's functions are asked for.

    Where programs see it at `mapped` it is that memory. `alone`: interrupts and the other core must rest meanwhile.
    """

    def __init__(self, chip: Chip, base: int, *, mapped: int | None, whole_pages: bool = False, alone: bool = False):
        self.chip, self.base, self.mapped, self.whole_pages, self.alone = chip, base, mapped, whole_pages, alone
        assert chip.board.store is not None
        self.store = chip.board.store
        self.begin = self.store.origin - (mapped or 0)  # of the store, in the chip
        self.outside = bytearray(self.store.size)  # where it is not mapped
        self.interrupts = self.other = True
        self.table: tuple[int, int] | None = (self.store.origin, self.store.size)  # ESP-IDF's
        self.broken = False
        self.answer = 0
        self.erased: list[int] = []
        does: dict[int, Callable[[int, int, int], int]] = {
            ERASE: self._erase, PROGRAM: self._program, READ: self._read, FIND: self._find,
            OFF: lambda *_: self._rest("interrupts", False), ON: lambda *_: self._rest("interrupts", True),
            IDLES: lambda *_: self._rest("other", False), RUNS: lambda *_: self._rest("other", True),
        }  # fmt: skip

        def ask(what: int) -> None:
            self.answer = does[what](*(chip.registers[PORT + 4 * k] for k in (1, 2, 3)))

        chip.on_write[PORT] = ask
        chip.on_read[PORT] = lambda: self.answer

    def get(self, at: int, count: int) -> bytes:
        """Bytes of the store."""
        if self.mapped is None:
            return bytes(self.outside[at : at + count])
        return self.chip.get(self.store.origin + at, count)

    def put(self, at: int, data: bytes) -> None:
        """Bytes into the store, whatever was there."""
        if self.mapped is None:
            self.outside[at : at + len(data)] = data
        else:
            self.chip.put(self.store.origin + at, data)

    def _rest(self, name: str, runs: bool) -> int:
        need(getattr(self, name) != runs, f"{name} twice")
        setattr(self, name, runs)
        return 0

    def _place(self, address: int, count: int) -> int:
        need(not self.alone or (not self.interrupts and not self.other), "somebody else runs from this flash")
        at = address - self.base - self.begin
        need(at >= 0 and at + count <= self.store.size, f"{address:#x} is not in the store")
        return at

    def _erase(self, address: int, count: int, _: int) -> int:
        at = self._place(address, count)
        need(at % SECTOR == 0 and count % SECTOR == 0 and count > 0, "sectors are erased whole")
        if self.broken:
            return FAILED
        self.erased += range(at // SECTOR, (at + count) // SECTOR)
        self.put(at, b"\xff" * count)
        return 0

    def _program(self, address: int, count: int, pointer: int) -> int:
        at = self._place(address, count)
        if self.mapped is not None:
            ram = self.chip.board.ram
            need(ram.origin <= pointer < ram.origin + ram.size, "what is written is in the flash itself")
            need(count <= PAGE and at % PAGE + count <= PAGE, "it goes over a page's end")
        need(not self.whole_pages or (at % PAGE == 0 and count == PAGE), "pages are programmed whole")
        if self.broken:
            return FAILED
        before, new = self.get(at, count), self.chip.get(pointer, count)
        for old, byte in zip(before, new, strict=True):
            need(byte == 0xFF or old == 0xFF, f"{address:#x} was programmed already")
        self.put(at, bytes(old & byte for old, byte in zip(before, new, strict=True)))
        return 0

    def _read(self, address: int, count: int, pointer: int) -> int:
        at = self._place(address, count)
        if self.broken:
            return FAILED
        self.chip.put(pointer, self.get(at, count))
        return 0

    def _find(self, kind: int, label: int, what: int) -> int:
        need(kind == 0x40 and self.chip.get(label, 10) == b"edgelearn\0", "the table knows no such partition")
        return 0 if self.table is None else (1, *self.table)[what]


class Nvmc:
    """The nRF52840's controller, product specification 1.1, 4.3; words are written once between erases."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self.base = chip.board.hal.constants["EL_NVMC_BASE"]
        assert chip.board.store is not None
        self.store = chip.board.store
        self.allowed = self.looks = 0
        self.erased: list[int] = []
        chip.on_read[self.base + 0x400] = self._ready
        chip.on_write[self.base + 0x504] = self._allow
        chip.on_write[self.base + 0x508] = self._erase
        flash = chip.board.flash
        chip.core.hook_add(
            unicorn.UC_HOOK_MEM_WRITE, self._write, begin=flash.origin, end=flash.origin + flash.size - 1
        )

    def get(self, at: int, count: int) -> bytes:
        """Bytes of the store."""
        return self.chip.get(self.store.origin + at, count)

    def put(self, at: int, data: bytes) -> None:
        """Bytes into the store, whatever was there."""
        self.chip.put(self.store.origin + at, data)

    def _ready(self) -> int:
        self.looks = max(self.looks - 1, 0)
        return int(self.looks == 0)

    def _allow(self, value: int) -> None:
        need(value in (0, 1, 2) and not self.looks, "it is at work, or erases and writes at once")
        self.allowed = value

    def _erase(self, address: int) -> None:
        at = address - self.store.origin
        need(self.allowed == 2 and not self.looks, "it may not erase")
        need(at % SECTOR == 0 and 0 <= at < self.store.size, f"{address:#x} is not a page of the store")
        self.looks = 100_000  # code that runs from a cache sees an erase take its time
        self.erased.append(at // SECTOR)
        self.put(at, b"\xff" * SECTOR)

    def _write(self, core: object, access: int, address: int, size: int, value: int, _: object) -> None:
        at = address - self.store.origin
        try:
            need(self.allowed == 1 and not self.looks, f"{address:#x} is written")
            need(size == 4 and address % 4 == 0, "words only")
            need(0 <= at < self.store.size and self.get(at, 4) == b"\xff" * 4, f"{address:#x} was programmed already")
            self.looks = 3
        except AssertionError as error:
            self.chip._stop(error)


def flash_of(chip: Chip) -> FlashChip | Nvmc:
    """The model that a board's driver works on."""
    assert chip.board.store is not None
    driver = chip.board.store.driver[0]
    if driver.startswith("nrf52/"):
        return Nvmc(chip)
    if driver.startswith("espidf/"):
        return FlashChip(chip, 0, mapped=None)
    origin = chip.board.flash.origin
    pico = driver == "arduino/flash_pico.cpp"  # offsets; the other one takes addresses
    return FlashChip(chip, 0 if pico else origin, mapped=origin, whole_pages=pico, alone=pico)
