"""Models of an STM32's USART, of its pins, and of its flash controller, for tests/support/chip.py."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import unicorn

from tests.support.chip import Chip
from tests.support.clocks import Clocks, bit, field, need

ORE, RXNE, TC, TXE = 1 << 3, 1 << 5, 1 << 6, 1 << 7
RE, TE, RXNEIE = 1 << 2, 1 << 3, 1 << 5


@dataclass(frozen=True)
class _Layout:
    """Offsets of a USART's registers; `enable` is the bit that turns it on."""

    control: int
    divider: int
    status: int
    received: int
    sent: int
    enable: int
    clear: int | None


LAYOUTS = {
    "stm32/usart_f4.c": _Layout(0x0C, 0x08, 0x00, 0x04, 0x04, 13, None),  # RM0090 30.6.8
    "stm32/usart_l4.c": _Layout(0x00, 0x0C, 0x1C, 0x24, 0x28, 0, 0x20),  # RM0351 40.8.13
}


class Usart:
    """8 bits, no parity; `arrive` puts bytes on the line, `sent` is what the program sent."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self.at = chip.board.hal.constants["EL_UART_BASE"]
        self.layout = next(layout for name, layout in LAYOUTS.items() if name in chip.board.hal.uart)
        self.waiting: deque[int] = deque()
        self.overrun = False
        self.sent = bytearray()
        chip.on_read[self.at + self.layout.status] = self._status
        chip.on_read[self.at + self.layout.received] = self._take
        chip.on_write[self.at + self.layout.sent] = self._send
        if self.layout.clear is not None:
            chip.on_write[self.at + self.layout.clear] = self._clear

    def get(self, offset: int) -> int:
        return self.chip.registers.get(self.at + offset, 0)

    def baud(self, clocks: Clocks) -> float:
        """Bits a second at 16 samples a bit."""
        divider = self.get(self.layout.divider)
        need(divider >= 16, f"the divider is {divider}")
        control = self.get(self.layout.control)
        need(not field(control, 15, 1) and not field(control, 12, 1) and not field(control, 10, 1), "8N1, by 16")
        slow = self.at in (0x40004400, 0x40004800)
        return (clocks.slow if slow else clocks.fast) * 1e6 / divider

    @property
    def listens(self) -> bool:
        """Whether it receives and tells the core."""
        control = self.get(self.layout.control)
        return bool(bit(control, self.layout.enable)) and control & (RE | TE | RXNEIE) == RE | TE | RXNEIE

    def arrive(self, data: bytes) -> None:
        """The core's interrupt comes behind each byte, as it does on silicon."""
        for byte in data:
            self.waiting.append(byte)
            self.chip.call("el_interrupt")
            need(not self.waiting and not self.overrun, "the interrupt would come again for ever")

    def _status(self) -> int:
        return TXE | TC | RXNE * bool(self.waiting) | ORE * self.overrun

    def _take(self) -> int:
        if self.layout.clear is None:
            self.overrun = False  # status and data were read
        return self.waiting.popleft() if self.waiting else 0

    def _clear(self, value: int) -> None:
        self.overrun = self.overrun and not value & ORE

    def _send(self, value: int) -> None:
        self.sent.append(value)


def guard_clocks(chip: Chip) -> None:
    """Registers of the USART and its port are dead until their clocks are on."""
    constants = chip.board.hal.constants
    for what, size in (("EL_UART_PORT", 0x28), ("EL_UART", 0x2C)):
        base = constants["EL_UART_BASE" if what == "EL_UART" else what]
        enable, at = constants[f"{what}_ENABLE"], constants[f"{what}_ENABLE_BIT"]
        for address in range(base, base + size, 4):
            before = chip.on_write.get(address, lambda v, a=address: chip.registers.__setitem__(a, v))

            def write(value: int, before=before, enable=enable, at=at, what=what) -> None:
                need(bool(bit(chip.registers.get(enable, 0), at)), f"{what} has no clock")
                before(value)

            chip.on_write[address] = write


@dataclass(frozen=True)
class Geometry:
    """A flash: sizes of its sectors in order, and what its controller calls things."""

    sectors: tuple[int, ...]
    unit: int
    key: int
    control: int
    status: int
    clear: int
    lock: int
    program: int
    erase: int
    start: int
    busy: int
    errors: int


K = 1024
F4_SECTORS = (*[16 * K] * 4, 64 * K)
_F4 = {"unit": 4, "key": 0x04, "control": 0x10, "status": 0x0C, "clear": 0x0C, "lock": 31, "program": 0, "erase": 1,
       "start": 16, "busy": 1 << 16, "errors": 0x1F2}  # fmt: skip
_L4 = {"unit": 8, "key": 0x08, "control": 0x14, "status": 0x10, "clear": 0x10, "lock": 31, "program": 0, "erase": 1,
       "start": 16, "busy": 1 << 16, "errors": 0xC3FA}  # fmt: skip
_H7 = {"unit": 32, "key": 0x104, "control": 0x10C, "status": 0x110, "clear": 0x114, "lock": 0, "program": 1, "erase": 2,
       "start": 7, "busy": 1 << 2, "errors": 0x7EE0000}  # fmt: skip
GEOMETRY = {
    "olimex_stm32_h405": Geometry((*F4_SECTORS, *[128 * K] * 7), **_F4),  # RM0090 table 5
    "netduinoplus2": Geometry((*F4_SECTORS, *[128 * K] * 7), **_F4),
    "nucleo_f446re": Geometry((*F4_SECTORS, *[128 * K] * 3), **_F4),  # RM0390 table 4
    "nucleo_f767zi": Geometry((*[32 * K] * 4, 128 * K, *[256 * K] * 7), **_F4),  # RM0410 table 3
    "nucleo_l476rg": Geometry((2 * K,) * 512, **_L4),  # RM0351 table 8
    "disco_l475vg_iot01a": Geometry((2 * K,) * 512, **_L4),
    "nucleo_h743zi": Geometry((128 * K,) * 16, **_H7),  # RM0433 table 14
}
FLASH = 0x08000000
KEYS = [0x45670123, 0xCDEF89AB]
BUSY_LOOKS = 5


class FlashController:
    """Refuses what the manual forbids; `spoiled` is the error that the next operation ends with.

    It comes out of reset with an error of an operation that was cut, as chips may.
    """

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self.base = chip.board.hal.constants["EL_FLASH_BASE"]
        self.geometry = g = GEOMETRY[chip.board.id]
        self.keys: list[int] = []
        self.control = 1 << g.lock
        self.errors = 1 << 7 if g.unit < 32 else 1 << 18
        self.spoiled = 0
        self.looks = 0  # until it is idle again
        self.row: list[int] = []  # addresses of words of a unit begun
        self.erased: list[int] = []
        chip.on_write[self.base + g.key] = self._key
        chip.on_read[self.base + g.control] = lambda: self.control
        chip.on_write[self.base + g.control] = self._control
        chip.on_read[self.base + g.status] = self._status
        chip.on_write[self.base + g.clear] = self._clear
        chip.core.hook_add(unicorn.UC_HOOK_MEM_WRITE, self._program, begin=FLASH, end=FLASH + sum(g.sectors) - 1)

    @property
    def locked(self) -> bool:
        """Whether it wants its keys."""
        return bool(bit(self.control, self.geometry.lock))

    def _key(self, value: int) -> None:
        need(self.locked, "keys where none is wanted")
        self.keys.append(value)
        need(self.keys == KEYS[: len(self.keys)], "a wrong key, and it is locked until the next reset")
        if self.keys == KEYS:
            self.keys, self.control = [], 0

    def _status(self) -> int:
        self.looks = max(self.looks - 1, 0)
        return self.errors | (self.geometry.busy if self.looks else 0)

    def _clear(self, value: int) -> None:
        need(value & ~self.geometry.errors == 0, "flags that are none are cleared")
        self.errors &= ~value

    def _control(self, value: int) -> None:
        g = self.geometry
        need(not self.locked, "it is locked")
        need(not self.looks, "it is at work")
        need(not self.row, "a unit was begun and not finished")
        if bit(value, g.start):
            need(not self.errors, "an error is not cleared")
            need(bool(bit(value, g.erase)) and not bit(value, g.program), "started with nothing to erase")
            need(value & ~(1 << g.start) == self.control, "the sector is chosen before the start")
            self._erase(value)
            value &= ~(1 << g.start)
        if bit(value, g.program):
            need(not bit(value, g.erase), "programs and erases at once")
        if g.unit in (4, 32) and (bit(value, g.program) or bit(value, g.erase)):
            need(field(value, *((8, 2) if g.unit == 4 else (4, 2))) == (2 if g.unit == 4 else 3), "words have a width")
        self.control = value

    def _sector(self, value: int) -> int:
        unit = self.geometry.unit
        if unit == 4:
            return field(value, 3, 5)
        if unit == 8:
            return field(value, 3, 8) + 256 * bit(value, 11)
        return 8 + field(value, 8, 3)  # the second bank's own controller

    def _erase(self, value: int) -> None:
        sector, sizes = self._sector(value), self.geometry.sectors
        need(sector < len(sizes), f"there is no sector {sector}")
        self.looks = BUSY_LOOKS
        if self.spoiled:
            self.errors, self.spoiled = self.spoiled, 0
            return
        self.erased.append(sector)
        self.chip.put(FLASH + sum(sizes[:sector]), b"\xff" * sizes[sector])

    def _program(self, core: object, access: int, address: int, size: int, value: int, _: object) -> None:
        try:
            self._word(address, size)
        except AssertionError as error:
            self.chip._stop(error)

    def _word(self, address: int, size: int) -> None:
        g = self.geometry
        need(not self.locked and bool(bit(self.control, g.program)), f"flash is written at {address:#x}")
        need(not self.looks and not self.errors, "it is at work, or has an error")
        need(size == 4, f"{size} bytes at a time")
        need(address == (self.row[-1] + 4 if self.row else address // g.unit * g.unit), "words come in order")
        need(self.chip.get(address, 4) == b"\xff" * 4, f"{address:#x} was programmed already")
        self.row.append(address)
        if len(self.row) * 4 == g.unit:
            self.row, self.looks = [], BUSY_LOOKS
            if self.spoiled:
                self.errors, self.spoiled = self.spoiled, 0
