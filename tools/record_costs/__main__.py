"""Records what kernels cost on emulated boards: fits boards/costs/<board>.json, which plans choose kernels by.

    python tools/record_costs                    all boards that QEMU runs
    python tools/record_costs --boards qemu-m4   some of them
    python tools/record_costs --only shift       kernels with this in their names; what was recorded of others stays

For each kernel that a board can take some dozen calls are counted, and a linear model with factors of no less than zero
is fitted to three quarters of them; what the rest is off by stands in the table. Two boards run at a time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import msgspec

from edgelearn import boards, kernels
from edgelearn.build.toolchain import find_compiler
from edgelearn.errors import EdgelearnError
from edgelearn.predict import INSN, Table, table
from edgelearn.traits import known, traits_of
from tools.bench import counting, probe
from tools.bench.counting import Method
from tools.record_costs.calls import arguments, parameters, shape_names
from tools.record_costs.fitting import fit
from tools.record_costs.shapes import shapes_of

FOLDER = Path(__file__).resolve().parents[2] / "boards" / "costs"
FEWEST = 4  # calls of a kernel that a model is fitted to
MOST_MACS = 60_000  # of a call of a reference kernel, which grows evenly
AT_ONCE = 1000  # calls in one start of an emulator
WORKERS = 2


@dataclass(frozen=True)
class Call:
    """One call of one kernel, with a shape that the kernel supports."""

    entry: kernels.Entry
    kernel: kernels.Kernel
    sizes: kernels.Sizes
    args: list[Any]


def _macs(s: kernels.Sizes) -> int:
    """Of a window; at most, for depthwise ones."""
    return s["out_h"] * s["out_w"] * s["k_h"] * s["k_w"] * s["in_c"] * s["out_c"] if "k_h" in s else 0


def calls(board: boards.Board, compiler: str, only: str = "") -> Iterator[Call]:
    """Every kernel that plans for a board may take, with every shape of its step that it supports."""
    types_of = parameters(compiler)
    for entry in kernels.TABLE:
        if entry.isa not in (*board.kernels, kernels.REF) or only not in entry.symbol:
            continue
        types = types_of[entry.symbol]
        for sizes in shapes_of(entry.step, shape_names(types)):
            if known(sizes) and entry.takes(sizes) and (entry.isa != kernels.REF or _macs(sizes) <= MOST_MACS):
                kernel = entry.bind(sizes)
                yield Call(entry, kernel, sizes, arguments(types, kernel, entry.step, sizes))


def methods(board: boards.Board) -> dict[str, Method]:
    """What is counted on a board, and how; the last one is what kernels are chosen by."""
    exact = counting.choose(board).method
    if counting.has_groups(board):
        return {INSN: Method.ICOUNT, "beats": exact}
    return {INSN: exact, "cycles": Method.MODEL} if counting.has_model(board) else {INSN: exact}


def record(board_id: str, only: str = "") -> Table:
    """Count all calls on a board and fit a model to each kernel; with `only` to some, beside what was recorded."""
    board = boards.load(board_id)
    compiler = find_compiler(board)
    made = list(calls(board, compiler.path, only))
    before = table(board) if only else None
    counts: dict[str, dict[str, list[tuple[kernels.Kernel, Call, int]]]] = {}
    for name, method in methods(board).items():
        for first in range(0, len(made), AT_ONCE):
            some = made[first : first + AT_ONCE]
            results = probe.run(board_id, [probe.call_of(c.args, c.kernel) for c in some], count=method)
            for call, result in zip(some, results, strict=True):
                found = counts.setdefault(call.kernel.name, {}).setdefault(name, [])
                found.append((call.kernel, call, max(1, result.instructions or 0)))
    fitted = {
        symbol: {
            name: fit([traits_of(k, c.entry.step, c.sizes) for k, c, _ in found], [n for _, _, n in found])
            for name, found in by_name.items()
        }
        for symbol, by_name in sorted(counts.items())
        if min(map(len, by_name.values())) >= FEWEST
    }
    kept = {symbol: by for symbol, by in before.kernels.items() if only not in symbol} if before else {}
    return Table(compiler.version, list(methods(board))[-1], dict(sorted({**kept, **fitted}.items())))


def summary(board_id: str, made: Table) -> str:
    """A line with the errors for shapes that were not fitted to."""
    errors = sorted((f.worst, symbol) for symbol, by in made.kernels.items() for f in by.values())
    medians = sorted(f.median for by in made.kernels.values() for f in by.values())
    worst, symbol = errors[-1]
    middle = medians[len(medians) // 2]
    return f"{board_id}: {len(made.kernels)} kernels, off by {middle:.1%} as a rule, at worst by {worst:.0%}: {symbol}"


def main() -> int:
    """Exit code 1 where something could not be counted."""
    parser = argparse.ArgumentParser(prog="tools/record_costs", description=(__doc__ or "").partition("\n")[0])
    known_boards = map(boards.load, boards.available())
    emulated = [b.id for b in known_boards if b.emulated and not (b.simulated or b.costs) and b.harts == 1]
    parser.add_argument("--boards", default=",".join(emulated), help="comma-separated board ids (default: all)")
    parser.add_argument("--only", default="", help="kernels whose names contain this (default: all)")
    options = parser.parse_args()
    names = options.boards.split(",")
    FOLDER.mkdir(exist_ok=True)
    try:
        with ProcessPoolExecutor(WORKERS) as pool:
            for board_id, made in zip(names, pool.map(partial(record, only=options.only), names), strict=True):
                text = msgspec.json.format(msgspec.json.encode(made), indent=1)
                (FOLDER / f"{board_id}.json").write_bytes(text + b"\n")
                print(summary(board_id, made), flush=True)
    except EdgelearnError as error:
        print(error.render(), file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
