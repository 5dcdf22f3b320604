"""Models of the clocks of STM32F4 and F7, L4 and H7: what the registers say, what that gives, and what is allowed."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

from tests.support.chip import Broken, Chip


@dataclass(frozen=True)
class Limits:
    """What a datasheet allows, in MHz; `per_wait` of the flash's clock need one wait state more."""

    core: float
    plain: float  # without over-drive
    slow: float  # APB1
    fast: float  # APB2
    per_wait: float


LIMITS = {
    "olimex_stm32_h405": Limits(168, 168, 42, 84, 30),  # DS8626 table 14, RM0090 table 10
    "netduinoplus2": Limits(168, 168, 42, 84, 30),
    "nucleo_f446re": Limits(180, 168, 45, 90, 30),  # DS10693 table 16, RM0390 table 5
    "nucleo_f767zi": Limits(216, 180, 54, 108, 30),  # DS11532 table 17, RM0410 table 7
    "nucleo_l476rg": Limits(80, 80, 80, 80, 16),  # DS10198 table 23, RM0351 table 9
    "disco_l475vg_iot01a": Limits(80, 80, 80, 80, 16),
    "nucleo_h743zi": Limits(400, 400, 100, 100, 70),  # DS12110 table 22, RM0433 table 17
}
HSE = {"netduinoplus2": 25.0}  # the others have 8 MHz
BYPASSED = {"nucleo_f446re", "nucleo_f767zi", "nucleo_h743zi"}  # a clock from outside, no crystal


def bit(value: int, at: int) -> int:
    """One bit."""
    return value >> at & 1


def field(value: int, at: int, bits: int) -> int:
    """Some bits."""
    return value >> at & ((1 << bits) - 1)


def need(what: bool, why: str) -> None:
    """The manual's rule."""
    if not what:
        raise Broken(why)


class Clocks:
    """What comes up is told: the crystal, the PLL, the flash's wait states, more voltage."""

    rcc: int
    flash: int

    def __init__(self, chip: Chip, broken: str = "") -> None:
        self.chip, self.broken = chip, broken
        self.limits = LIMITS[chip.board.id]
        self.hse = HSE.get(chip.board.id, 8.0)
        self.core = self.start  # MHz
        self.slow = self.fast = self.start
        chip.registers[self.rcc] = self.control_at_reset
        chip.on_write[self.rcc] = self._control
        chip.on_write[self.flash] = self._access

    start: float
    control_at_reset: int

    def get(self, offset: int) -> int:
        return self.chip.registers.get(self.rcc + offset, 0)

    def _access(self, value: int) -> None:
        if self.broken != "flash":
            self.chip.registers[self.flash] = value

    def _ready(self, value: int, on: int, ready: int, works: bool) -> int:
        return value & ~(1 << ready) | (bit(value, on) & works) << ready

    def _control(self, value: int) -> None:
        need(
            self.broken == "hse" or not bit(value, 16) or bit(value, 18) == (self.chip.board.id in BYPASSED),
            "bypass is for a clock from outside, and an oscillator for a crystal",
        )
        value = self._ready(value, 16, 17, self.broken != "hse")
        self.chip.registers[self.rcc] = self._ready(
            value, 24, 25, self.broken != "pll" and self._source_is_there(value)
        )

    def _source_is_there(self, control: int) -> bool:
        raise NotImplementedError

    def leave_running(self) -> None:
        """As a bootloader may: the core on the PLL, at some frequency of its own."""
        raise NotImplementedError

    def check(self, vco_in: float, vco: float) -> None:
        """The clock has just been switched to the PLL."""
        low, high = self.vco_in
        need(low <= vco_in <= high, f"the PLL gets {vco_in} MHz")
        low, high = self.vco
        need(low <= vco <= high, f"the VCO is asked for {vco} MHz")
        need(self.core <= self.limits.core, f"the core runs at {self.core} MHz")
        need(self.slow <= self.limits.slow, f"APB1 runs at {self.slow} MHz")
        need(self.fast <= self.limits.fast, f"APB2 runs at {self.fast} MHz")

    def check_waits(self, flash_mhz: float, waits: int) -> None:
        """The flash keeps up."""
        need(waits >= math.ceil(flash_mhz / self.limits.per_wait) - 1, f"{waits} wait states at {flash_mhz} MHz")

    vco_in: tuple[float, float]
    vco: tuple[float, float]


class F4(Clocks):
    """RM0090 7, RM0390 6, RM0410 5."""

    rcc, flash, power = 0x40023800, 0x40023C00, 0x40007000
    start, control_at_reset = 16.0, 0x83
    vco_in, vco = (0.95, 2.1), (100.0, 432.0)

    def __init__(self, chip: Chip, broken: str = "") -> None:
        super().__init__(chip, broken)
        chip.registers[self.rcc + 4] = 0x24003010
        chip.on_write[self.rcc + 4] = self._pll
        chip.on_write[self.rcc + 8] = self._config
        chip.on_write[self.power] = self._power

    def _source_is_there(self, control: int) -> bool:
        return bool(bit(control, 17) if bit(self.get(4), 22) else bit(control, 0))

    def _pll(self, value: int) -> None:
        need(not bit(self.get(0), 24), "the PLL is changed while it runs")
        self.chip.registers[self.rcc + 4] = value

    def _power(self, value: int) -> None:
        need(bool(bit(self.get(0x40), 28)), "PWR has no clock")
        need(not bit(value, 16) or bool(bit(self.get(0), 25)), "over-drive before the PLL is locked")
        self.chip.registers[self.power] = value
        self.chip.registers[self.power + 4] = 0 if self.broken == "power" else value & 3 << 16

    def leave_running(self) -> None:
        self.chip.registers[self.rcc] = self.control_at_reset | 3 << 24
        self.chip.registers[self.rcc + 8] = 2 << 2 | 2

    def _config(self, value: int) -> None:
        switch = field(value, 0, 2)
        if switch == 0:
            need(bool(bit(self.get(0), 1)), "HSI does not run")
            self.core = self.slow = self.fast = 16.0
        if switch == 2:
            pll, source = self.get(4), self.hse if bit(self.get(4), 22) else 16.0
            vco_in = source / field(pll, 0, 6)
            vco = vco_in * field(pll, 6, 9)
            need(bool(bit(self.get(0), 25)), "the PLL is chosen before it is locked")
            need(field(pll, 24, 4) >= 2 and field(pll, 28, 3) >= 2, "Q and R are at least 2")
            self.core = vco / (2, 4, 6, 8)[field(pll, 16, 2)]
            need(field(value, 4, 4) == 0, "HCLK is divided")
            self.slow, self.fast = (self.core / (1, 1, 1, 1, 2, 4, 8, 16)[field(value, at, 3)] for at in (10, 13))
            self.check(vco_in, vco)
            self.check_waits(self.core, field(self.chip.registers[self.flash], 0, 4))
            overdriven = field(self.chip.registers.get(self.power + 4, 0), 16, 2) == 3
            need(overdriven or self.core <= self.limits.plain, f"{self.core} MHz without over-drive")
        self.chip.registers[self.rcc + 8] = value | switch << 2


class L4(Clocks):
    """RM0351 6."""

    rcc, flash = 0x40021000, 0x40022000
    start, control_at_reset = 4.0, 0x63
    vco_in, vco = (4.0, 16.0), (64.0, 344.0)

    def __init__(self, chip: Chip, broken: str = "") -> None:
        super().__init__(chip, broken)
        chip.on_write[self.rcc + 8] = self._config

    def _control(self, value: int) -> None:
        need(not bit(value, 16), "there is no HSE on these boards")
        super()._control(self._ready(value, 8, 10, self.broken != "hsi"))

    def _source_is_there(self, control: int) -> bool:
        return field(self.get(0xC), 0, 2) == 2 and bool(bit(control, 10))

    def leave_running(self) -> None:
        self.chip.registers[self.rcc] = self.control_at_reset | 3 << 24 | 5 << 8
        self.chip.registers[self.rcc + 0xC] = 1 << 24 | 20 << 8 | 2
        self.chip.registers[self.rcc + 8] = 3 << 2 | 3
        self.chip.on_write[self.rcc + 0xC] = self._pll

    def _pll(self, value: int) -> None:
        need(not bit(self.get(0), 24), "the PLL is changed while it runs")
        self.chip.registers[self.rcc + 0xC] = value

    def _config(self, value: int) -> None:
        switch = field(value, 0, 2)
        need(value & ~3 == 0, "HCLK or a bus is divided")
        if switch == 1:
            need(bool(bit(self.get(0), 10)), "HSI16 is chosen before it runs")
            self.core = 16.0
        if switch == 3:
            pll = self.get(0xC)
            need(bool(bit(self.get(0), 25)) and bool(bit(pll, 24)), "the PLL is chosen before it gives a clock")
            vco_in = 16.0 / (field(pll, 4, 3) + 1)
            vco = vco_in * field(pll, 8, 7)
            self.core = vco / (2, 4, 6, 8)[field(pll, 25, 2)]
            self.slow = self.fast = self.core
            self.check(vco_in, vco)
            self.check_waits(self.core, field(self.chip.registers[self.flash], 0, 3))
        self.slow = self.fast = self.core
        self.chip.registers[self.rcc + 8] = value | switch << 2


class H7(Clocks):
    """RM0433 6.8 and 8."""

    rcc, flash, power = 0x58024400, 0x52002000, 0x58024800
    start, control_at_reset = 64.0, 0x25
    vco_in, vco = (4.0, 8.0), (192.0, 836.0)

    def __init__(self, chip: Chip, broken: str = "") -> None:
        super().__init__(chip, broken)
        chip.registers[self.power + 0xC] = 0x46
        chip.registers[0x5C001000] = 0x10036450  # revision Y
        chip.on_read[self.power + 4] = lambda: (self.broken != "power") << 13
        chip.on_write[self.power + 0x18] = self._voltage
        chip.on_write[self.rcc + 0x10] = self._config

    def _source_is_there(self, control: int) -> bool:
        return bool({0: bit(control, 2), 2: bit(control, 17)}[field(self.get(0x28), 0, 2)])

    def _voltage(self, value: int) -> None:
        supply = self.chip.registers[self.power + 0xC]
        need(field(supply, 0, 3) == 2, "the supply is not the regulator, for good")
        self.chip.registers[self.power + 0x18] = value | 1 << 13

    def leave_running(self) -> None:
        self.chip.registers[self.rcc] = self.control_at_reset | 3 << 24
        self.chip.registers[self.rcc + 0x10] = 3 << 3 | 3
        for offset in (0x28, 0x2C, 0x30):
            self.chip.on_write[self.rcc + offset] = functools.partial(self._pll, offset)

    def _pll(self, offset: int, value: int) -> None:
        need(not bit(self.get(0), 24), "the PLL is changed while it runs")
        self.chip.registers[self.rcc + offset] = value

    def _config(self, value: int) -> None:
        switch = field(value, 0, 3)
        if switch == 0:
            need(bool(bit(self.get(0), 2)), "HSI does not run")
            self.core = self.slow = self.fast = 64.0
        if switch == 3:
            source, dividers = self.get(0x28), self.get(0x30)
            need(bool(bit(self.get(0), 25)) and bool(bit(self.get(0x2C), 16)), "the PLL gives no clock yet")
            need(field(self.get(0x2C), 1, 3) == 2 << 1, "a wide VCO with an input of 4 to 8 MHz")
            need(bit(self.chip.registers[self.power + 0x18], 13) == 1, "the voltage is not there")
            need(field(self.chip.registers[self.power + 0x18], 14, 2) == 3, "400 MHz need voltage scale 1")
            vco_in = {0: 64.0, 2: self.hse}[field(source, 0, 2)] / field(source, 4, 6)
            vco = vco_in * (field(dividers, 0, 9) + 1)
            self.core = vco / (field(dividers, 9, 7) + 1)
            halves = {0: 1, 4: 2, 5: 4}
            bus = self.core / {0: 1, 8: 2}[field(self.get(0x18), 0, 4)]
            need(bus <= 200, f"AXI runs at {bus} MHz")
            self.slow = bus / halves[field(self.get(0x1C), 4, 3)]
            self.fast = bus / halves[field(self.get(0x1C), 8, 3)]
            others = (bus / halves[field(self.get(0x18), 4, 3)], bus / halves[field(self.get(0x20), 4, 3)])
            need(max(others) <= 100, f"APB3 and APB4 run at {others} MHz")
            self.check(vco_in, vco)
            access = self.chip.registers[self.flash]
            self.check_waits(bus, field(access, 0, 4))
            need(field(access, 4, 2) == 2, "the signal delay is not that of 185 to 210 MHz")
        self.chip.registers[self.rcc + 0x10] = value | switch << 3


FAMILIES: dict[str, type[Clocks]] = {"stm32/rcc_f4.c": F4, "stm32/rcc_l4.c": L4, "stm32/rcc_h7.c": H7}


def clocks_of(chip: Chip, broken: str = "") -> Clocks:
    """The model that fits the board's clock file."""
    return next(family for name, family in FAMILIES.items() if name in chip.board.hal.common)(chip, broken)
