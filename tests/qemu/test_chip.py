"""The emulated cores of tests/support/chip.py run a program as it is, whatever their architecture."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelearn import boards
from edgelearn.build import build_image
from tests.support.chip import Broken, Chip
from tests.support.linear import LinearModel

ONE_OF_EACH = ["nucleo_f446re", "hifive1_revb"]


PROBE = """#include <stdint.h>
#include "board.h"
int64_t el_probe(int32_t a, int32_t b, int32_t c, int32_t d);
int64_t el_probe(int32_t a, int32_t b, int32_t c, int32_t d) { return (int64_t)(a - b) * 0x100000000 + c * d; }
void el_turn(uint8_t *bytes, uint32_t count);
void el_turn(uint8_t *bytes, uint32_t count) { for (uint32_t i = 0; i < count; i++) { bytes[i] ^= (uint8_t)i; } }
void el_ever(void);
void el_ever(void) { for (;;) { *(volatile uint32_t *)EL_UART_BASE = 1; } }
typedef void (*anything)(void);
extern const anything keep[];
__attribute__((section(".vectors.keep"))) const anything keep[] = {
    (anything)el_probe, (anything)el_turn, (anything)el_ever};
"""


@pytest.mark.parametrize("board", ONE_OF_EACH)
def test_arguments_results_memory_and_registers_are_seen(board: str, tmp_path: Path) -> None:
    described = boards.load(board)
    place = described.hal.constants["EL_UART_BASE"]
    sources = {**LinearModel().sources(), "probe.c": PROBE}
    chip = Chip(described, build_image(sources, described, tmp_path, kernel_sources=[]).elf)
    assert chip.call("el_probe", 9, 2, 6, 7) == 42
    assert chip.high == 7
    buffer = described.ram.origin + 0x2000
    chip.put(buffer, bytes(77))
    chip.call("el_turn", buffer, 77)
    assert chip.get(buffer, 77) == bytes(range(77))
    with pytest.raises(ValueError, match="longer"):
        chip.call("el_probe", *range(9))

    def refuse(value: int) -> None:
        raise Broken(f"{value} is forbidden")

    chip.on_write[place] = refuse
    with pytest.raises(Broken, match="1 is forbidden"):
        chip.call("el_ever")
    assert chip.writes == [(place, 1)]
