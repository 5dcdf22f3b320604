"""Samples as they travel: every f16 value, in chunks, against numpy."""

from __future__ import annotations

import ctypes
import subprocess

import numpy as np
import pytest

from edgelearn.share import firmware_dir
from tests.support.clib import FLAGS

STUB = """
#include <string.h>
#include "el/model.h"
float input[65536];
uint32_t target;
uint8_t store[2 * (2 * 65536 + 4)];
const el_model_info el_model = {.input = {input, sizeof input}, .target = {&target, 4},
    .store = {store, sizeof store}, .sample_format = EL_SAMPLE_F16};
"""


@pytest.fixture(scope="module")
def lib(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("samples")
    (folder / "stub.c").write_text(STUB)
    out = folder / "samples.so"
    sources = [str(folder / "stub.c"), str(firmware_dir() / "src" / "sample.c")]
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
