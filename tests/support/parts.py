"""Whether the parts of a call, put together, are the whole call: every way of dividing it, bit by bit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from edgelearn import boards, kernels
from edgelearn.ops import OPS, Op
from edgelearn.ops.parts import Part
from tests.support.kernel_cases import Case
from tests.support.run_kernels import calls_of
from tools.bench import probe

COUNTS = (2, 3, 8)


BY_KERNEL = {(op.kernel, op.fmt.name): op for op in OPS.values() if not op.calls}


def _first_operand(case: Case, part: Part) -> int:
    return len(case.args) - len(part.outputs) - len(part.inputs)


def _arguments(case: Case, op: Op, part: Part) -> list[Any]:
    """The call's arguments as the part gets them: arrays from where it begins to their end."""
    first = _first_operand(case, part)
    lead: list[Any] = [part.sizes] if op.struct else list(part.sizes.values())
    operands = zip(case.args[first:], (*part.inputs, *part.outputs), strict=True)
    return [*lead, *case.args[len(lead) : first], *(_from(value, offset) for value, offset in operands)]


def _at(value: np.ndarray, offset: int) -> int:
    return offset // 8 if value.dtype == np.uint8 else offset  # a mask has eight elements in a byte


def _from(value: Any, offset: int) -> Any:
    return value.reshape(-1)[_at(value, offset) :].copy() if isinstance(value, np.ndarray) else value


def _bytes(values: np.ndarray) -> np.ndarray:
    """One row of bytes an element."""
    return values.reshape(-1, 1).view(np.uint8)


def _divisible(
    cases: Sequence[Case], isas: Sequence[str]
) -> Iterator[tuple[Case, kernels.Entry, Op, tuple[Part, ...]]]:
    for case, entry in calls_of(cases, isas):
        op = BY_KERNEL.get((case.step, case.fmt))
        if op is None or op.split is None or any(isinstance(a, probe.Alias) for a in case.args):
            continue
        for count in COUNTS:
            for way in op.split(case.sizes, count):
                if len(way) > 1 and all(entry.takes(part.sizes) for part in way):
                    yield case, entry, op, way


def check_parts(board: str, cases: Sequence[Case]) -> int:
    """Run whole calls and their parts on one board and compare all bits; the number of ways that were tried."""
    tried = list(_divisible(cases, boards.load(board).kernels))
    calls = []
    for case, entry, op, way in tried:
        calls.append(probe.call_of(case.args, entry.bind(case.sizes)))
        calls += [probe.call_of(_arguments(case, op, part), entry.bind(part.sizes)) for part in way]
    results = iter(probe.run(board, calls))
    for case, entry, _, way in tried:
        whole = next(results).arrays
        first = _first_operand(case, way[0])
        merged = {k: np.ravel(case.args[k]).copy() for k in range(first, len(case.args)) if k in whole}
        for part in way:
            got = next(results).arrays
            for k, offset in enumerate((*part.inputs, *part.outputs), first):
                if k in merged:
                    begin, old = _at(merged[k], offset), np.ravel(case.args[k])
                    new = got[k].reshape(-1)
                    changed = new.view(np.uint8).reshape(len(new), -1) != old[begin:].view(np.uint8).reshape(
                        len(new), -1
                    )
                    where = changed.any(axis=1)
                    merged[k][begin:][where] = new[where]
        for k, values in merged.items():
            assert values.tobytes() == whole[k].tobytes(), (
                f"{board} {entry.symbol} {case.name}: argument {k} differs in {len(way)} parts, {way}"
            )
    return len(tried)
