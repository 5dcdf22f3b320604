"""Models of the FE310's clocks and of its UART, for tests/support/chip.py: FE310-G002 manual v1p5, 6, 10, 17 and 18."""

from __future__ import annotations

from collections import deque

from unicorn import riscv_const as riscv

from tests.support.chip import Chip
from tests.support.clocks import bit, field, need

RING, CRYSTAL, PLL, DIVIDER = 0x00, 0x04, 0x08, 0x0C
ON, READY = 1 << 30, 1 << 31
CRYSTAL_MHZ, RING_MHZ = 16.0, 72.0
SELECT, FROM_CRYSTAL, BYPASS = 16, 17, 18
SLOW_HZ = 32768


class Prci:
    """What gives the core its clock. `broken` is what does not come up: crystal, pll, or slow, the clock of mtime."""

    def __init__(self, chip: Chip, broken: str = "") -> None:
        self.chip, self.broken = chip, broken
        self.base = base = chip.board.hal.constants["EL_PRCI_BASE"]
        self.spi = chip.board.hal.constants["EL_FLASH_SPI_BASE"]
        chip.registers |= {
            base + RING: READY | ON | 16 << 16 | 4, base + CRYSTAL: 0, base + PLL: 1 << BYPASS | 0x6F1,
            base + DIVIDER: 1 << 8, self.spi: 3,
        }  # fmt: skip
        chip.on_read[base + CRYSTAL] = self._crystal
        chip.on_read[base + PLL] = self._lock
        chip.on_write[base + RING] = self._ring
        chip.on_write[base + PLL] = self._pll
        chip.on_read[chip.board.hal.constants["EL_MTIME"]] = self._time
        self.locking = 0
        self.core = self._mhz(self.get(PLL))

    def get(self, offset: int) -> int:
        return self.chip.registers[self.base + offset]

    def leave_running(self) -> None:
        """As a loader may: the core on the PLL, from the ring oscillator."""
        self.chip.registers[self.base + PLL] = 1 << SELECT | 1 << BYPASS

    def _crystal(self) -> int:
        there = bool(self.get(CRYSTAL) & ON) and self.broken != "crystal"
        return self.get(CRYSTAL) & ~READY | READY * there

    def _ring(self, value: int) -> None:
        need(bool(value & ON) or bool(bit(self.get(PLL), SELECT)), "the core's clock is turned off")
        self.chip.registers[self.base + RING] = value & ~READY | READY * bool(value & ON)

    def _lock(self) -> int:
        self.locking = max(self.locking - 1, 0)
        locked = not self.locking and self.broken != "pll" and not bit(self.get(PLL), BYPASS)
        return self.get(PLL) & ~READY | READY * locked

    def _pll(self, value: int) -> None:
        before = self.get(PLL)
        settings = ~(READY | 1 << SELECT)
        if (value ^ before) & settings:
            need(not bit(before, SELECT) and not bit(value, SELECT), "the PLL changes while the core runs on it")
            self.locking = 3
        if bit(value, SELECT) and not bit(before, SELECT):
            need(bool(self._lock() & READY), "the PLL is chosen before it has locked")
        self.chip.registers[self.base + PLL] = value & ~READY
        self.core = self._mhz(value)
        divider = self.chip.registers[self.spi]
        need(self.core / (2 * (divider + 1)) <= 50, "the flash is read with more than 50 MHz")

    def _mhz(self, pll: int) -> float:
        ring = RING_MHZ / (field(self.get(RING), 0, 6) + 1)
        if not bit(pll, SELECT):
            return ring
        source = CRYSTAL_MHZ if bit(pll, FROM_CRYSTAL) else ring
        if bit(pll, BYPASS):
            return source
        need(not bit(pll, FROM_CRYSTAL) or bool(self._crystal() & READY), "the crystal does not swing")
        reference = source / (field(pll, 0, 3) + 1)
        need(6 <= reference <= 12, f"the PLL gets {reference} MHz")
        vco = reference * 2 * (field(pll, 4, 6) + 1)
        need(384 <= vco <= 768, f"the VCO is asked for {vco} MHz")
        need(field(pll, 10, 2) > 0, "there is no division by 1")
        out = vco / (1 << field(pll, 10, 2))
        need(48 <= out <= 384, f"the PLL gives {out} MHz")
        divider = self.get(DIVIDER)
        out = out if bit(divider, 8) else out / (2 * (field(divider, 0, 6) + 1))
        need(out <= 320, f"the core runs at {out} MHz")
        return out

    def _time(self) -> int:
        """The slow clock beside the core's cycles."""
        high, low = (int(self.chip.core.reg_read(r)) for r in (riscv.UC_RISCV_REG_MCYCLEH, riscv.UC_RISCV_REG_MCYCLE))
        cycles = (high & 0xFFFFFFFF) << 32 | low & 0xFFFFFFFF
        return 0 if self.broken == "slow" else int(cycles * SLOW_HZ / (self.core * 1e6))


SEND, RECEIVE, SEND_CONTROL, RECEIVE_CONTROL, ENABLE, PENDING, BAUD = range(0, 0x1C, 4)
NOT_NOW = 1 << 31
CLAIM = 0x200004
DEPTH = 8


class Uart:
    """`arrive` puts bytes on the line, `sent` is what the program sent. The queue of what it sends is often full."""

    def __init__(self, chip: Chip, clocks: Prci) -> None:
        self.chip, self.clocks = chip, clocks
        constants = chip.board.hal.constants
        self.base, self.plic = constants["EL_UART_BASE"], constants["EL_PLIC_BASE"]
        self.number = constants["EL_UART_IRQ"]
        self.waiting: deque[int] = deque()
        self.sent = bytearray()
        self.full = 0
        self.claimed = False
        chip.on_read |= {self.base + SEND: self._room, self.base + RECEIVE: self._take, self.base + PENDING: lambda: 3}
        chip.on_write[self.base + SEND] = self._send
        chip.on_read[self.plic + CLAIM] = self._claim
        chip.on_write[self.plic + CLAIM] = self._complete

    def get(self, offset: int) -> int:
        return self.chip.registers.get(self.base + offset, 0)

    @property
    def baud(self) -> float:
        """Bits a second."""
        need(self.get(BAUD) >= 16, f"the divider is {self.get(BAUD)}")
        return self.clocks.core * 1e6 / (self.get(BAUD) + 1)

    @property
    def listens(self) -> bool:
        """Whether it sends, receives, and tells the core of each byte that came."""
        control, enabled = self.get(RECEIVE_CONTROL), self.chip.registers.get(self.plic + 0x2000, 0)
        priority = self.chip.registers.get(self.plic + 4 * self.number, 0)
        threshold = self.chip.registers.get(self.plic + 0x200000, 0)
        return (
            bool(bit(self.get(SEND_CONTROL), 0)) and bool(bit(control, 0)) and field(control, 16, 3) == 0
            and self.get(ENABLE) == 2 and enabled == 1 << self.number and priority > threshold
        )  # fmt: skip

    def arrive(self, data: bytes, together: int = 1) -> None:
        """So many bytes wait when the core's interrupt comes."""
        need(together <= DEPTH, "more than the queue holds")
        for start in range(0, len(data), together):
            self.waiting.extend(data[start : start + together])
            self.chip.call("el_interrupt")
            need(not self.waiting and not self.claimed, "the interrupt would come again for ever, or never")

    def _room(self) -> int:
        self.full = max(self.full - 1, 0)
        return NOT_NOW * (self.full > 0)

    def _send(self, value: int) -> None:
        need(not self.full, "there is no room for a byte")
        self.sent.append(value)
        self.full = 3

    def _take(self) -> int:
        return self.waiting.popleft() if self.waiting else NOT_NOW | 0x55

    def _claim(self) -> int:
        need(not self.claimed, "claimed twice")
        self.claimed = bool(self.waiting)
        return self.number if self.waiting else 0

    def _complete(self, value: int) -> None:
        need(self.claimed and value == self.number, "what was not claimed is completed")
        self.claimed = False
