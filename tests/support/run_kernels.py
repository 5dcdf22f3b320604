"""Runs all kernel cases on a board, for every implementation in the table."""

from __future__ import annotations

from collections.abc import Sequence

from edgelearn import boards, kernels
from tests.support.kernel_cases import Case, all_cases
from tests.support.kernel_cases_f16 import summed_in_halves
from tools.bench import probe


def calls_of(cases: Sequence[Case], isas: Sequence[str]) -> list[tuple[Case, kernels.Entry]]:
    """Each case with each implementation of a board's instruction sets that supports its shape."""
    return [
        (case, entry)
        for case in cases
        for entry in kernels.runnable(isas)
        if (entry.step, entry.fmt) == (case.step, case.fmt) and entry.supports(case.sizes)
    ]


def check_all(board: str, flags: Sequence[str] = (), compiler: str = "") -> int:
    """Run everything on one board and check it; the number of calls."""
    pairs = calls_of(all_cases(), boards.load(board).kernels)
    calls = [probe.call_of(case.args, entry.bind(case.sizes)) for case, entry in pairs]
    for (case, entry), result in zip(pairs, probe.run(board, calls, flags, compiler), strict=True):
        allowed = summed_in_halves(case) if entry.halves else case
        allowed.check(result.arrays, f"{board} {entry.symbol}")
    return len(calls)
