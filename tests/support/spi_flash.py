"""Models of the FE310's SPI controller and of a flash behind it, for tests/support/chip.py.

They refuse what the manuals forbid: FE310-G002 manual v1p5, chapter 19; IS25LP032D datasheet, chapters 6 and 8.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import unicorn
from unicorn import riscv_const as riscv

from tests.support.chip import Chip
from tests.support.clocks import bit, need

FLASH, SIZE = 0x20000000, 0x400000
SECTOR, PAGE = 4096, 256
WRITE_ENABLE, READ_STATUS, PROGRAM, ERASE = 0x06, 0x05, 0x02, 0x20
BUSY_LOOKS = 5
MIE = 3  # the bit of mstatus

SCKDIV, CSMODE, FMT, TXDATA, RXDATA, FCTRL = 0x00, 0x18, 0x40, 0x48, 0x4C, 0x60
AUTO, HOLD, OFF = 0, 2, 3
DEPTH = 8
NOT_NOW = 1 << 31  # txdata: full; rxdata: empty
BYTE_LOOKS = 3  # at the controller, until a byte is through


class PowerFailed(AssertionError):
    """In the middle of what the flash was told."""


class SpiFlash:
    """4 MB. `stuck`: its status says for ever that it is at work; `protected`: it obeys nothing that would change it;
    `power` lasts for so many changes of its contents, and then not for the next.
    """

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self.stuck = self.protected = False
        self.power: int | None = None
        self.allowed = False  # WEL
        self.looks = 0  # until it is ready again
        self.command = bytearray()  # since it was selected
        self.erased: list[int] = []
        self.programmed: list[tuple[int, int]] = []
        self.orders: dict[int, Callable[[], None]] = {
            WRITE_ENABLE: self._allow,
            READ_STATUS: lambda: None,
            PROGRAM: self._program,
            ERASE: self._erase,
        }

    def exchange(self, byte: int) -> int:
        """A byte for a byte."""
        self.command.append(byte)
        code = self.command[0]
        need(code in self.orders, f"there is no command {code:#04x}")
        if code != READ_STATUS:
            need(not self.looks, f"command {code:#04x} while it is at work")
            return 0xFF
        if len(self.command) == 1:
            self.looks = max(self.looks - 1, 0)
            return 0xFF
        return (self.stuck or self.looks > 0) | self.allowed << 1

    def deselect(self) -> None:
        """The end of a command, and where it changes anything its begin."""
        if self.command:
            self.orders[self.command[0]]()
        self.command.clear()

    def _allow(self) -> None:
        need(len(self.command) == 1, "WREN is one byte")
        self.allowed = True

    def _begin(self) -> bool:
        need(self.allowed, "it was not told that it may be written")
        self.allowed, self.looks = False, BUSY_LOOKS
        if self.power is not None:
            if not self.power:
                raise PowerFailed
            self.power -= 1
        return not self.protected

    def _address(self) -> int:
        address = int.from_bytes(self.command[1:4], "big")
        need(address < SIZE, f"there is no {address:#x}")
        return address

    def _erase(self) -> None:
        address = self._address()
        need(len(self.command) == 4, "an erase is a command and an address")
        need(address % SECTOR == 0, f"{address:#x} is in the middle of a sector")
        if self._begin():
            self.erased.append(address)
            self.chip.put(FLASH + address, b"\xff" * SECTOR)

    def _program(self) -> None:
        address, data = self._address(), bytes(self.command[4:])
        need(len(data) > 0, "nothing to program")
        need(address % PAGE + len(data) <= PAGE, f"{len(data)} bytes at {address:#x} go on at the page's begin")
        before = self.chip.get(FLASH + address, len(data))
        need(all(new & old == new for old, new in zip(before, data, strict=True)), f"bits at {address:#x} become ones")
        if self._begin():
            self.programmed.append((address, len(data)))
            self.chip.put(FLASH + address, data)


class SpiController:
    """`received` is what was not read yet, `mute`: no byte ever gets through, `jammed`: its queue is full for ever."""

    def __init__(self, chip: Chip) -> None:
        self.chip, self.flash = chip, SpiFlash(chip)
        self.base = base = chip.board.hal.constants["EL_FLASH_SPI_BASE"]
        self.mapped = True
        self.mute = self.jammed = False
        self.full = 0  # looks at txdata until there is room
        self.sending: deque[int] = deque()
        self.received: deque[int] = deque()
        self.looks = BYTE_LOOKS
        self.taken = 0  # how often the flash was taken out of the address space
        chip.registers |= {base + FCTRL: 1, base + FMT: 0x80008, base + CSMODE: AUTO}
        chip.on_read |= {base + TXDATA: self._room, base + RXDATA: self._take}
        for offset in range(0, 0x78, 4):
            chip.on_write[base + offset] = lambda value, offset=offset: self._write(offset, value)
        self.writes: dict[int, Callable[[int], None]] = {
            SCKDIV: self._divide, CSMODE: self._select, FMT: lambda value: None, TXDATA: self._send, FCTRL: self._map,
        }  # fmt: skip
        everywhere = {"begin": FLASH, "end": FLASH + SIZE - 1}
        chip.core.hook_add(unicorn.UC_HOOK_BLOCK, lambda core, at, *_: self._look("runs", at), **everywhere)
        chip.core.hook_add(unicorn.UC_HOOK_MEM_READ, lambda core, kind, at, *_: self._look("reads", at), **everywhere)
        chip.core.hook_add(unicorn.UC_HOOK_MEM_WRITE, lambda core, kind, at, *_: self._look("writes", at), **everywhere)

    def settings(self) -> dict[int, int]:
        """What registers say, but for the queues."""
        return {at: value for at, value in self.chip.registers.items() if self.base <= at < self.base + 0x78}

    def _look(self, what: str, address: int) -> None:
        try:
            need(what != "writes", f"writes to the flash as if it were RAM, at {address:#x}")
            need(self.mapped, f"{what} at {address:#x}, while the flash is not there")
            need(not self.flash.looks, f"{what} at {address:#x}, while the flash is at work")
        except AssertionError as error:
            self.chip._stop(error)

    def _write(self, offset: int, value: int) -> None:
        need(offset in self.writes, f"the setting at {offset:#x} is changed")
        need(
            offset in (SCKDIV, FCTRL) or not self.mapped,
            f"{offset:#x} is written while the flash is in the address space",
        )
        need(
            offset == SCKDIV or not bit(self.chip.core.reg_read(riscv.UC_RISCV_REG_MSTATUS), MIE),
            "an interrupt could come",
        )
        if offset != TXDATA:
            need(self.mute or not self.sending, f"{offset:#x} is written while a byte is under way")
        self.writes[offset](value)
        if offset != TXDATA:
            self.chip.registers[self.base + offset] = value

    def _divide(self, value: int) -> None:
        need(self.mapped, "the clock changes during a command")
        need(value >= 3, f"{value} at 320 MHz is more than the 50 MHz of a plain read")

    def _map(self, value: int) -> None:
        need(value in (0, 1) and value != self.mapped, f"fctrl {int(self.mapped)} becomes {value}")
        self.flash.deselect()
        self.mapped = bool(value)
        self.taken += not value

    def _select(self, value: int) -> None:
        need(value in (AUTO, HOLD, OFF), f"there is no csmode {value}")
        if value != self.chip.registers[self.base + CSMODE]:
            self.flash.deselect()

    def _send(self, value: int) -> None:
        need(not self.jammed and not self.full and len(self.sending) < DEPTH, "there is no room for a byte")
        self.sending.append(value & 0xFF)

    def _room(self) -> int:
        self._tick()
        self.full = max(self.full - 1, 0)
        return NOT_NOW * (self.jammed or self.full > 0 or len(self.sending) == DEPTH)

    def _take(self) -> int:
        self._tick()
        return self.received.popleft() if self.received else NOT_NOW | 0xFC  # what is left has no meaning

    def _tick(self) -> None:
        if not self.sending or self.mute:
            return
        self.looks -= 1
        if self.looks:
            return
        self.looks = BYTE_LOOKS
        settings = self.chip.registers[self.base + FMT]
        need(settings & ~8 == 0x80000, "bytes, the highest bit first, on one line")
        need(self.chip.registers[self.base + CSMODE] != OFF, "nobody is selected")
        back = self.flash.exchange(self.sending.popleft())
        if not bit(settings, 3):
            need(len(self.received) < DEPTH, "what came back was not read in time")
            self.received.append(back)
        if self.chip.registers[self.base + CSMODE] == AUTO:
            self.flash.deselect()
