"""memcpy, memmove, memset and memcmp of the bare images, against Python, at every alignment and many lengths."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import pytest

from edgelearn.share import firmware_dir

LENGTHS = (*range(40), 63, 64, 65, 100)
ROOM = 160


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    out: Path = tmp_path_factory.mktemp("memory") / "memory.so"
    flags = ["-O2", "-std=c11", "-shared", "-fPIC", "-ffreestanding", "-fno-tree-loop-distribute-patterns"]
    subprocess.run(["gcc", *flags, firmware_dir() / "hal/bare/memory.c", "-o", out], check=True)
    library = ctypes.CDLL(str(out))
    for name in ("memcpy", "memmove", "memset"):
        getattr(library, name).restype = ctypes.c_void_p
    return library


def _buffer(first: int = 0) -> ctypes.Array[ctypes.c_char]:
    return ctypes.create_string_buffer(bytes((first + 7 * k) & 0xFF for k in range(ROOM)), ROOM)


def _at(buffer: ctypes.Array[ctypes.c_char], offset: int) -> ctypes.c_void_p:
    return ctypes.c_void_p(ctypes.addressof(buffer) + offset)


@pytest.mark.parametrize("length", LENGTHS)
def test_copies_and_sets(memory: ctypes.CDLL, length: int) -> None:
    size = ctypes.c_size_t(length)
    for to in range(4):
        target = _buffer(1)
        memory.memset(_at(target, to), 0x1A5, size)
        assert target.raw == _buffer(1).raw[:to] + b"\xa5" * length + _buffer(1).raw[to + length :]
        for start in range(4):
            source, target = _buffer(), _buffer(99)
            memory.memcpy(_at(target, to), _at(source, start), size)
            assert (
                target.raw == _buffer(99).raw[:to] + source.raw[start : start + length] + _buffer(99).raw[to + length :]
            )


@pytest.mark.parametrize("length", LENGTHS)
def test_moves_over_itself(memory: ctypes.CDLL, length: int) -> None:
    for to in range(16, 33):
        for start in (20, 23, 24, 25):
            moved, before = _buffer(), _buffer().raw
            memory.memmove(_at(moved, to), _at(moved, start), ctypes.c_size_t(length))
            assert moved.raw == before[:to] + before[start : start + length] + before[to + length :]


@pytest.mark.parametrize("length", LENGTHS)
def test_compares(memory: ctypes.CDLL, length: int) -> None:
    for first in range(4):
        for second in range(4):
            a, b = ctypes.create_string_buffer(ROOM), ctypes.create_string_buffer(ROOM)
            args = _at(a, first), _at(b, second), ctypes.c_size_t(length)
            assert memory.memcmp(*args) == 0
            if length:
                a[first + length - 1] = b"\x80"
                assert memory.memcmp(*args) > 0
                b[second + length // 2] = b"\xff"
                assert (memory.memcmp(*args) > 0) == (length // 2 > length - 1)
                assert memory.memcmp(*args) != 0
