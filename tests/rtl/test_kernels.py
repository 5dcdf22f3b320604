"""The kernels for Xfvec against the numpy truth on the core's own RTL, and against their C fallback bit by bit."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgelearn import kernels
from edgelearn.share import firmware_dir
from tests.rtl.conftest import BOARD
from tests.support.kernel_cases import Case, all_cases
from tests.support.kernel_cases_f16 import summed_in_halves
from tests.support.run_kernels import calls_of
from tools.bench import probe

ISA = "xfvec"
Call = tuple[Case, kernels.Entry, str, list[Any], probe.Result]


@pytest.fixture(scope="module")
def calls() -> list[Call]:
    """Every case of the instruction set with its kernel, the call, and what the core made of it."""
    pairs = [pair for pair in calls_of(all_cases(), (ISA,)) if pair[1].isa == ISA]
    made = [probe.call_of(case.args, entry.bind(case.sizes)) for case, entry in pairs]
    results = probe.run(BOARD, made)
    return [(*pair, *call, result) for pair, call, result in zip(pairs, made, results, strict=True)]


def test_against_numpy(calls: list[Call]) -> None:
    assert {entry.symbol for _, entry, *_ in calls} == {entry.symbol for entry in kernels.TABLE if entry.isa == ISA}
    for case, entry, _, _, result in calls:
        (summed_in_halves(case) if entry.halves else case).check(result.arrays, entry.symbol)


def test_the_fallback_has_the_same_bits(calls: list[Call], tmp_path: Path) -> None:
    """What a core without Xfvec would compute, and this computer does, against the instructions."""
    isas = (ISA, kernels.REF)  # a layer that shifts takes the plain kernel where its weights do not fit
    sources = sorted({firmware_dir() / e.source for e in kernels.TABLE if e.fmt == "f16" and e.isa in isas})
    library = tmp_path / "fallback.so"
    flags = ("-shared", "-fPIC", "-std=gnu11", "-O2", "-ffp-contract=off", f"-I{firmware_dir() / 'include'}")
    subprocess.run(["cc", *flags, *map(str, sources), "-o", str(library)], check=True)
    code = ctypes.CDLL(str(library))
    types_of = probe.signatures("cc", (ISA,))
    for case, entry, symbol, args, result in calls:
        if case.fmt != "f16":
            continue
        arrays = {k: _writable(value) for k, value in enumerate(args) if isinstance(value, np.ndarray | Mapping)}
        shared = {k: arrays[value.index] for k, value in enumerate(args) if isinstance(value, probe.Alias)}
        types, given = types_of[symbol], arrays | shared
        code[symbol](*(_pointer(given.get(k, v), t) for k, (v, t) in enumerate(zip(args, types, strict=True))))
        for k in case.want:
            here, there = (a.ravel().view(np.uint8) for a in (arrays[k], result.arrays[k]))
            np.testing.assert_array_equal(here, there, f"{entry.symbol} {case.name}")


def test_updates_have_the_bits_of_the_reference() -> None:
    """Rounded at random too: a board's weights do not depend on which kernel it has."""
    steps = ("sgd_step", "momentum_step")
    cases = [case for case in all_cases() if case.fmt == "f16" and case.step in steps]
    calls = [(case.args, kernels.find(case.step, "f16", isa)) for case in cases for isa in (ISA, kernels.REF)]
    results = probe.run(BOARD, [probe.call_of(args, entry.bind({})) for args, entry in calls if entry is not None])
    assert len(results) == 2 * len(cases) > 0
    for case, fast, slow in zip(cases, results[::2], results[1::2], strict=True):
        for k in case.want:
            here, there = (result.arrays[k].view(np.uint16) for result in (fast, slow))
            np.testing.assert_array_equal(here, there, case.name)


def _writable(value: np.ndarray | Mapping[str, int]) -> np.ndarray:
    return value.copy() if isinstance(value, np.ndarray) else np.array(list(value.values()), np.int32)


def _pointer(value: Any, ctype: str) -> Any:
    if isinstance(value, np.ndarray):
        return ctypes.c_void_p(value.ctypes.data)
    if value is None:
        return None
    return ctypes.c_float(value) if ctype == "float" else ctypes.c_int32(value)


def test_the_core_converts_halves_as_the_portable_code_does() -> None:
    """Overflow, ties, subnormal numbers, infinities and NaN among them."""
    steps = ("narrow_fwd", "widen_fwd")
    pairs = [(c, e) for c, e in calls_of(all_cases(), (kernels.REF,)) if e.step in steps and e.isa == kernels.REF]
    results = probe.run(BOARD, [probe.call_of(case.args, entry.bind(case.sizes)) for case, entry in pairs])
    assert pairs
    for (case, entry), result in zip(pairs, results, strict=True):
        case.check(result.arrays, entry.symbol)
