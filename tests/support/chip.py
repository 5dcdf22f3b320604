"""A chip in this process: the board's own machine code on an emulated core, and its registers in Python.

Where QEMU has no model of a chip, or one that takes every write as it comes, this one has rules: it says no to what a
reference manual forbids, and does what it promises. It knows nothing of the code that it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import unicorn
from elftools.elf.elffile import ELFFile
from unicorn import arm_const as arm

from edgelearn.boards import Board

PERIPHERALS = (0x40000000, 0x20000000)
SYSTEM = (0xE0000000, 0x100000)
BACK = 0x1FFE0000  # where calls return to
CORES = {"cortex-m4": arm.UC_CPU_ARM_CORTEX_M4, "cortex-m7": arm.UC_CPU_ARM_CORTEX_M7}
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
        self.core = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        self.core.ctl_set_cpu_model(CORES[board.cpu])
        for memory in board.memory:
            self.core.mem_map(memory.origin, memory.size)
        self.core.mem_map(BACK, 0x1000)
        for origin, size in (PERIPHERALS, SYSTEM):
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
        for k, value in enumerate(arguments):
            self.core.reg_write(arm.UC_ARM_REG_R0 + k, value)
        self.core.reg_write(arm.UC_ARM_REG_LR, BACK | 1)
        self._run(self.symbols[name], BACK)
        return int(self.core.reg_read(arm.UC_ARM_REG_R0))

    @property
    def high(self) -> int:
        """The upper half of what the last call returned."""
        return int(self.core.reg_read(arm.UC_ARM_REG_R1))

    def reset(self, until: str = "main") -> None:
        """From the vectors to a function."""
        vectors = self.symbols["el_vectors"]
        stack, entry = (int.from_bytes(self.core.mem_read(vectors + 4 * k, 4), "little") for k in (0, 1))
        self.core.reg_write(arm.UC_ARM_REG_SP, stack)
        self._run(entry, self.symbols[until] & ~1)

    def _run(self, start: int, until: int) -> None:
        if self.core.reg_read(arm.UC_ARM_REG_SP) == 0:
            self.core.reg_write(arm.UC_ARM_REG_SP, self.symbols["el_stack_top"])
        self.core.emu_start(start | 1, until, count=MOST)
        if self.error:
            raise self.error
        at = self.core.reg_read(arm.UC_ARM_REG_PC) & ~1
        if at != until:
            raise Broken(f"still at {at:#x} after {MOST:,} instructions")

    def put(self, address: int, data: bytes) -> None:
        """Bytes into memory."""
        self.core.mem_write(address, data)

    def get(self, address: int, count: int) -> bytes:
        """Bytes out of memory."""
        return bytes(self.core.mem_read(address, count))
