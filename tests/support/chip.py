"""A chip in this process: the board's own machine code on an emulated core, and its registers in Python.

Where QEMU has no model of a chip, or one that takes every write as it comes, this one has rules: it says no to what a
reference manual forbids, and does what it promises. It knows nothing of the code that it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import unicorn
from elftools.elf.elffile import ELFFile

from edgelearn.boards import Board
from tests.support.cores import CORES, MODELS, windows_of

BACK = 0x1FFE0000  # where calls return to
DWT = 0xE0001000
MOST = 60_000_000  # instructions of one call

Write = Callable[[int], None]
Read = Callable[[], int]


class Broken(AssertionError):
    """The program did what the chip's manual forbids."""


class Chip:
    """Registers keep what is written, as far as no hook has another idea. `writes` is what was written, in order."""

    def __init__(self, board: Board, elf: Path) -> None:
        self.board = board
        self.registers: dict[int, int] = {}
        self.on_write: dict[int, Write] = {}
        self.on_read: dict[int, Read] = {}
        self.writes: list[tuple[int, int]] = []
        self.error: Exception | None = None
        self.kind = CORES[board.arch]
        self.core = unicorn.Uc(self.kind.arch, self.kind.mode)
        self.core.ctl_set_cpu_model(MODELS[board.cpu])
        for memory in board.memory:
            self.core.mem_map(memory.origin, memory.size)
        self.core.mem_map(BACK, 0x1000)
        for origin, size in windows_of(board):
            self.core.mmio_map(origin, size, self._read, origin, self._write, origin)
        with elf.open("rb") as stream:
            file = ELFFile(stream)
            for segment in file.iter_segments("PT_LOAD"):
                if segment["p_filesz"]:
                    self.core.mem_write(segment["p_paddr"], segment.data())
            self.symbols = {s.name: s["st_value"] for s in file.get_section_by_name(".symtab").iter_symbols()}

    def _read(self, _: object, offset: int, size: int, origin: int) -> int:
        address = origin + offset
        try:
            value = self.on_read[address]() if address in self.on_read else self.registers.get(address, 0)
            return value & 0xFFFFFFFF
        except Exception as error:
            self._stop(error)
            return 0

    def _write(self, _: object, offset: int, size: int, value: int, origin: int) -> None:
        address = origin + offset
        self.writes.append((address, value))
        try:
            self.on_write.get(address, lambda v: self.registers.__setitem__(address, v))(value)
        except Exception as error:
            self._stop(error)

    def _stop(self, error: Exception) -> None:
        self.error = self.error or error
        self.core.emu_stop()

    def call(self, name: str, *arguments: int) -> int:
        """What a function of the program returns, with interrupts as they are."""
        for register, value in zip(self.kind.arguments[: len(arguments)], arguments, strict=True):
            self.core.reg_write(register, value)
        if self.core.reg_read(self.kind.stack) == 0:
            self.core.reg_write(self.kind.stack, self.symbols["el_stack_top"])
        self.core.reg_write(self.kind.back, BACK | self.kind.mark)
        self._run(self.symbols[name], BACK)
        return int(self.core.reg_read(self.kind.results[0]))

    @property
    def high(self) -> int:
        """The upper half of what the last call returned."""
        return int(self.core.reg_read(self.kind.results[1]))

    def reset(self, until: str = "main") -> None:
        """From the first instruction to a function."""
        stack, entry = self.kind.begin(self.symbols, lambda at: int.from_bytes(self.get(at, 4), "little"))
        self.core.reg_write(self.kind.stack, stack)
        self._run(entry, self.symbols[until] & ~self.kind.mark)

    def _run(self, start: int, until: int) -> None:
        self.core.emu_start(start | self.kind.mark, until, count=MOST)
        if self.error:
            raise self.error
        at = self.core.reg_read(self.kind.at) & ~self.kind.mark
        if at != until:
            raise Broken(f"still at {at:#x} after {MOST:,} instructions")

    def put(self, address: int, data: bytes) -> None:
        """Bytes into memory."""
        self.core.mem_write(address, data)

    def get(self, address: int, count: int) -> bytes:
        """Bytes out of memory."""
        return bytes(self.core.mem_read(address, count))
