"""What differs between the emulated cores of tests/support/chip.py: registers, and how a program begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import unicorn
from unicorn import arm_const as arm
from unicorn import riscv_const as riscv

from edgelearn.boards import Board

Window = tuple[int, int]  # origin and size of a part of the address space that holds registers
Symbols = dict[str, int]
Fetch = Callable[[int], int]  # the word at an address


@dataclass(frozen=True)
class Core:
    """An architecture. Registers are Unicorn's numbers."""

    arch: int
    mode: int
    arguments: tuple[int, ...]
    results: tuple[int, int]  # the lower and the upper half
    stack: int
    back: int  # where a function returns to
    at: int  # the program counter
    mark: int  # the bit of a code address that is no part of it
    begin: Callable[[Symbols, Fetch], tuple[int, int]]  # stack pointer and first instruction out of reset
    windows: tuple[Window, ...] = ()  # where the architecture itself puts registers


def _vectors(symbols: Symbols, fetch: Fetch) -> tuple[int, int]:
    return fetch(symbols["el_vectors"]), fetch(symbols["el_vectors"] + 4)


def _reset(symbols: Symbols, _: Fetch) -> tuple[int, int]:
    return 0, symbols["el_reset"]


ARM = Core(
    unicorn.UC_ARCH_ARM,
    unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS,
    (arm.UC_ARM_REG_R0, arm.UC_ARM_REG_R1, arm.UC_ARM_REG_R2, arm.UC_ARM_REG_R3),
    (arm.UC_ARM_REG_R0, arm.UC_ARM_REG_R1),
    arm.UC_ARM_REG_SP,
    arm.UC_ARM_REG_LR,
    arm.UC_ARM_REG_PC,
    1,
    _vectors,
    ((0x40000000, 0x20000000), (0xE0000000, 0x100000)),
)
RISCV = Core(
    unicorn.UC_ARCH_RISCV,
    unicorn.UC_MODE_RISCV32,
    tuple(range(riscv.UC_RISCV_REG_A0, riscv.UC_RISCV_REG_A7 + 1)),
    (riscv.UC_RISCV_REG_A0, riscv.UC_RISCV_REG_A1),
    riscv.UC_RISCV_REG_SP,
    riscv.UC_RISCV_REG_RA,
    riscv.UC_RISCV_REG_PC,
    0,
    _reset,
)
CORES = {"arm": ARM, "riscv": RISCV}
MODELS = {
    "cortex-m0plus": arm.UC_CPU_ARM_CORTEX_M0,
    "cortex-m4": arm.UC_CPU_ARM_CORTEX_M4,
    "cortex-m7": arm.UC_CPU_ARM_CORTEX_M7,
    "cortex-m33": arm.UC_CPU_ARM_CORTEX_M33,
    "rv32imac": riscv.UC_CPU_RISCV32_SIFIVE_E31,
    "rv32imc": riscv.UC_CPU_RISCV32_SIFIVE_E31,
}
WINDOWS: dict[str, tuple[Window, ...]] = {  # of boards whose architecture says nothing
    "hifive1_revb": ((0x02000000, 0x10000), (0x0C000000, 0x4000000), (0x10000000, 0x100000)),  # FE310 manual, table 4
    "pico2_riscv": ((0x40000000, 0x20000000),),  # RP2350 datasheet 2.2, and the ports of tests/support/flashes.py
    "esp32-c3-devkitm-1": ((0x5F000000, 0x1000),),  # those alone
}


def windows_of(board: Board) -> tuple[Window, ...]:
    """Where the board's chip has registers."""
    return WINDOWS.get(board.id, CORES[board.arch].windows)
