"""Samples as they travel: every f16 value and int8, in chunks, against numpy."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgelearn.share import firmware_dir
from tests.support.clib import FLAGS

HEAD = """
#include <string.h>
#include "el/model.h"
"""
HALVES = """
float input[65536];
uint32_t target;
uint8_t store[2 * (2 * 65536 + 4)];
const el_model_info el_model = {.input = {input, sizeof input}, .target = {&target, 4},
    .store = {store, sizeof store}, .sample_format = EL_SAMPLE_F16};
"""


@pytest.fixture(scope="module")
def lib(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return build(tmp_path_factory.mktemp("samples"), HALVES)


def build(folder: Path, stub: str) -> ctypes.CDLL:
    """The firmware's own sample.c and the arrays of a model."""
    (folder / "stub.c").write_text(HEAD + stub)
    out = folder / "samples.so"
    sources = [str(folder / "stub.c"), *(str(firmware_dir() / "src" / name) for name in ("sample.c", "replay.c"))]
    flags = [f for f in FLAGS if f != "-Wpedantic"]
    subprocess.run(["gcc", *flags, "-shared", *sources, "-o", str(out)], check=True)
    return ctypes.CDLL(str(out))


def floats(lib: ctypes.CDLL) -> np.ndarray:
    return np.frombuffer((ctypes.c_float * 65536).in_dll(lib, "input"), np.float32)


ALL = np.arange(65536, dtype=np.uint16)


def test_every_half_becomes_the_same_float(lib: ctypes.CDLL) -> None:
    data = ALL.tobytes()
    for at in range(0, len(data), 476):
        chunk = data[at : at + 476]
        assert lib.el_sample_put(at, chunk, len(chunk)) == 1
    truth = ALL.view(np.float16).astype(np.float32)
    numbers = ~np.isnan(truth)
    assert (floats(lib)[numbers].view(np.uint32) == truth[numbers].view(np.uint32)).all()
    assert np.isnan(floats(lib)[~numbers]).all()


def test_a_kept_sample_becomes_the_input_and_its_target(lib: ctypes.CDLL) -> None:
    slot = ALL[::-1].tobytes() + (7).to_bytes(4, "little")
    stored = (ctypes.c_uint8 * (2 * len(slot))).in_dll(lib, "store")
    ctypes.memmove(ctypes.addressof(stored) + len(slot), slot, len(slot))
    assert lib.el_sample_load(1) == 1
    assert floats(lib)[65535] == 0.0
    assert ctypes.c_uint32.in_dll(lib, "target").value == 7


@pytest.mark.parametrize(("at", "count"), [(2 * 65536 + 4, 2), (1, 2), (0, 3), (2**32 - 2, 4)])
def test_what_lies_outside_is_refused(lib: ctypes.CDLL, at: int, count: int) -> None:
    assert lib.el_sample_put(ctypes.c_uint32(at), bytes(count), count) == 0
    assert lib.el_sample_load(2) == 0


@pytest.fixture(scope="module")
def s8(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """A model of 1,001 int8 inputs, with a canary behind them where the padding would go."""
    return build(
        tmp_path_factory.mktemp("s8"),
        """
int8_t input[1004];
uint32_t target;
uint8_t store[2 * (1004 + 4)];
const el_model_info el_model = {.input = {input, 1001}, .target = {&target, 4},
    .store = {store, sizeof store}, .sample_format = EL_SAMPLE_S8};
""",
    )


def test_integers_arrive_as_they_are_and_their_padding_stays_out(s8: ctypes.CDLL) -> None:
    values = np.random.default_rng(0).integers(-128, 128, 1001).astype(np.int8)
    slot = values.tobytes() + b"\x55" * 3 + (9).to_bytes(4, "little")
    assert (s8.el_sample_bytes(), s8.el_slot_bytes()) == (1004, 1008)
    for at in range(0, len(slot), 476):
        assert s8.el_sample_put(at, slot[at : at + 476], len(slot[at : at + 476])) == 1
    memory = np.frombuffer((ctypes.c_int8 * 1004).in_dll(s8, "input"), np.int8)
    np.testing.assert_array_equal(memory[:1001], values)
    assert memory[1001:].tolist() == [0, 0, 0]
    assert ctypes.c_uint32.in_dll(s8, "target").value == 9
    stored = (ctypes.c_uint8 * (2 * len(slot))).in_dll(s8, "store")
    ctypes.memmove(ctypes.addressof(stored) + len(slot), values[::-1].tobytes() + slot[1001:], len(slot))
    assert s8.el_sample_load(1) == 1
    np.testing.assert_array_equal(memory[:1001], values[::-1])
    assert s8.el_sample_put(1002, bytes(2), 2) == 1
    assert s8.el_sample_load(2) == 0


def test_halves_arrive_as_they_are_where_the_input_is_halves(tmp_path: Path) -> None:
    """An odd number of them: the padding stays out of what lies behind."""
    own = build(
        tmp_path,
        """
uint16_t input[8];
uint32_t target;
uint8_t store[2 * (16 + 4)];
const el_model_info el_model = {.input = {input, 14}, .target = {&target, 4},
    .store = {store, sizeof store}, .sample_format = EL_SAMPLE_F16, .half_input = 1};
""",
    )
    values = np.float16([1, -2.5, 65504, 6e-8, np.inf, -0.0, 0.1])
    slot = values.tobytes() + b"\x55" * 2 + (9).to_bytes(4, "little")
    assert (own.el_sample_bytes(), own.el_slot_bytes()) == (16, 20)
    for at in range(0, len(slot), 6):
        assert own.el_sample_put(at, slot[at : at + 6], len(slot[at : at + 6])) == 1
    memory = np.frombuffer((ctypes.c_uint16 * 8).in_dll(own, "input"), np.uint16)
    np.testing.assert_array_equal(memory[:7], values.view(np.uint16))
    assert memory[7] == 0
    assert ctypes.c_uint32.in_dll(own, "target").value == 9
