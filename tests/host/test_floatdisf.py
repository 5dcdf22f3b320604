"""The one function that clang calls on a bare core without a library: an int64_t as the nearest float, ties to even."""

from __future__ import annotations

import ctypes
import random
import subprocess
from pathlib import Path

from edgelearn import boards
from edgelearn.build import find_compiler
from edgelearn.share import firmware_dir


def _nearest(value: int) -> float:
    """By whole numbers: 24 bits of the magnitude, and what is cut off decides."""
    size, sign = abs(value), -1.0 if value < 0 else 1.0
    cut = max(size.bit_length() - 24, 0)
    kept, rest = size >> cut, size & ((1 << cut) - 1)
    half = 1 << cut >> 1
    kept += cut > 0 and (rest > half or (rest == half and kept & 1 == 1))
    return sign * float(kept) * 2.0**cut


def test_rounds_to_nearest(tmp_path: Path) -> None:
    library = tmp_path / "floatdisf.so"
    source = firmware_dir() / "hal" / "bare" / "floatdisf.c"
    compiler = find_compiler(boards.load("host")).path
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", str(source), "-o", str(library)], check=True)
    convert = ctypes.CDLL(str(library))["__floatdisf"]
    convert.argtypes, convert.restype = [ctypes.c_int64], ctypes.c_float
    rng = random.Random(1)
    values = [0, 1, -1, 2**63 - 1, -(2**63), 2**32, 2**32 - 1]
    values += [rng.getrandbits(63) >> rng.randrange(63) for _ in range(2000)]
    ties = [((rng.getrandbits(24) | 1 << 23) << 1 | 1) << shift for shift in range(38) for _ in range(20)]
    values += [tie + off for tie in ties for off in (-1, 0, 1)]
    for value in (sign * v for v in values if abs(v) < 2**63 for sign in (1, -1)):
        assert convert(value) == _nearest(value), value
