"""Counts instructions of kernels and of a whole training step on emulated boards.

    python tools/bench                          print tables for all boards in QEMU
    python tools/bench --boards rtl-cv32e40p    a simulated core: layers and whole steps in cycles, in half an hour
    python tools/bench --boards qemu-m4 --write record them in tools/bench/recorded
    python tools/bench --check                  fail if a count is more than 1 % above the recorded one, or a figure
                                                does not reach its bar (bars.toml)

Counts are executed guest instructions of a kernel call, repeatable for one compiler version, and neither cycles nor
time. A training step is the sum of its kernels; the calls' own few instructions are not in it. tools/bench/counting.py
says how they are counted: exactly by a plugin in QEMU, or to about one instruction by QEMU's -icount. A board whose
core is simulated counts clock cycles. On boards with groups of vector registers an arithmetic instruction counts once
for each register of its group, a beat of the unit; loads and stores count once (tools/insn_plugin.c).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from edgelearn import boards, kernels
from edgelearn.boards import UNIT_WORDS
from edgelearn.build.toolchain import find_compiler
from edgelearn.errors import EdgelearnError
from tools.bench import bars, prefixes, probe
from tools.bench.cases import Bench, single_kernels, small_kernels, training_step
from tools.bench.counting import Choice, Method, choose, has_groups

RECORD = Path(__file__).resolve().parent / "recorded"  # a file for each board
TOLERANCE, ROUNDING = 0.01, 2
Counts = dict[str, Any]


def _bind(bench: Bench, isa: str) -> kernels.Kernel | None:
    entry = kernels.find(bench.step, bench.fmt, isa)
    return entry.bind(bench.sizes) if entry and entry.supports(bench.sizes) else None


def measure_kernels(board: str, method: Method) -> Counts:
    """{"name": {isa: instructions or cycles, "macs": n}} of the single kernels."""
    loaded = boards.load(board)
    isas = dict.fromkeys((*loaded.kernels, *kernels.PORTABLE))
    halves = any(e.fmt == "f16" for e in kernels.TABLE if e.isa in loaded.kernels and e.isa not in kernels.PORTABLE)
    if loaded.simulated:  # what a plan would choose, and nothing that takes minutes
        chosen = [(b, kernels.select(b.step, b.fmt, loaded.kernels, b.sizes)) for b in small_kernels()]
        pairs = [(bench, kernel.isa, kernel) for bench, kernel in chosen]
    else:
        bound = [(b, isa, _bind(b, isa)) for b in single_kernels(halves) for isa in isas]
        pairs = [(bench, isa, kernel) for bench, isa, kernel in bound if kernel is not None]
    results = probe.run(board, [probe.call_of(bench.args, kernel) for bench, _, kernel in pairs], count=method)
    counts: Counts = {}
    for (bench, isa, _), result in zip(pairs, results, strict=True):
        counts.setdefault(bench.name, {"macs": bench.macs})[isa] = result.instructions
    return counts


def measure_step(board: str, method: Method) -> Counts:
    """{"name": {"kernel", "macs", "insn" or "cycles"}} of each step of a sample; updates count 1/batch."""
    unit = boards.load(board).unit
    steps = list(training_step(board))
    kernels_of = [bench.kernel for bench in steps]
    calls = [probe.call_of(b.args, k) for b, k in zip(steps, kernels_of, strict=True) if k is not None]
    results = probe.run(board, calls, count=method)
    return {
        b.name: {"kernel": k.name if k else "", "macs": b.macs, unit: round((r.instructions or 0) * b.share, 1)}
        for b, k, r in zip(steps, kernels_of, results, strict=True)
    }


def measure(board: str, method: Method) -> Counts:
    """What is recorded of a board beside its bars; of one with several harts that is all: kernels are those of one."""
    loaded = boards.load(board)
    if loaded.harts > 1:
        return {"compiler": "", "kernels": {}, "step": {}, "prefixes": {}}
    return {
        "compiler": "",
        "kernels": measure_kernels(board, method),
        "step": measure_step(board, method),
        "prefixes": {} if loaded.simulated else prefixes.measure(board, method),
    }


def _ratio(macs: int, spent: float, unit: str) -> str:
    """MAC/insn, or cycles/MAC."""
    return f"{macs / spent if unit == 'insn' else spent / macs:6.3f}" if macs else "      "


def show(board: str, record: Counts, method: Method) -> None:
    """Two tables: instructions and MAC/insn of single kernels, and the steps of a training sample."""
    unit = boards.load(board).unit
    per = "MAC/insn" if unit == "insn" else "cyc/MAC"
    beats = " in beats" if method is Method.PLUGIN and has_groups(boards.load(board)) else ""
    print(f"\n{board}, counted by {method.value}{beats}, {record['compiler']}")
    print(f"{'kernel':34}{'isa':>8}{unit:>14}{per:>10}{'ref/isa':>9}")
    for name, row in record["kernels"].items():
        for isa, spent in row.items():
            if isa != "macs":
                faster = f"{row['ref'] / spent:9.1f}" if "ref" in row else ""
                print(f"{name:34}{isa:>8}{spent:14,}    {_ratio(row['macs'], spent, unit)}{faster}")
                name = ""
    rows = record["step"]
    macs, total = sum(r["macs"] for r in rows.values()), sum(r[unit] for r in rows.values())
    print(f"{'training step, a sample':34}{unit:>12}{per:>9}{'share':>8}  kernel")
    for name, row in rows.items():
        ratio, share = _ratio(row["macs"], row[unit], unit), row[unit] / total
        print(f"{name:34.34}{row[unit]:12,.0f}   {ratio}{share:8.1%}  {row['kernel']}")
    print(f"{'sum':34}{total:12,.0f}   {_ratio(macs, total, unit)}")


def compare(board: str, old: Counts, new: Counts) -> list[str]:
    """What got worse by more than the tolerance, or is not measured any more."""
    problems = []
    flat = [
        (f"{name} {isa}", row[isa], new["kernels"].get(name, {}).get(isa))
        for name, row in old["kernels"].items()
        for isa in row
        if isa != "macs"
    ]
    unit = boards.load(board).unit
    flat += [(name, row[unit], new["step"].get(name, {}).get(unit)) for name, row in old["step"].items()]
    flat += [
        (f"{name} {fmt} forward", row[fmt], new["prefixes"].get(name, {}).get(fmt))
        for name, row in old.get("prefixes", {}).items()
        for fmt in prefixes.FORMATS
    ]
    for name, before, now in flat:
        if now is None:
            problems.append(f"{board}: {name} is not measured any more")
        elif now > before * (1 + TOLERANCE) + ROUNDING:
            problems.append(f"{board}: {name} takes {now:,} {UNIT_WORDS[unit]}, recorded are {before:,}")
    return problems


def _choice(board: str, wanted: str) -> Choice:
    """The method to count with; whoever gets the other one is told why."""
    if wanted:
        return Choice(Method(wanted))
    choice = choose(boards.load(board))
    if choice.reason:
        print(f"{board}: counting by {choice.method.value}, because {choice.reason}", file=sys.stderr)
    return choice


def main() -> int:
    """Exit code 1 if --check finds something worse."""
    parser = argparse.ArgumentParser(prog="tools/bench", description=(__doc__ or "").partition("\n")[0])
    emulated = [b.id for b in map(boards.load, boards.available()) if b.emulated and not (b.simulated or b.real)]
    parser.add_argument("--boards", default=",".join(emulated), help="comma-separated board ids (default: all in QEMU)")
    methods = [method.value for method in Method]
    parser.add_argument("--count", choices=methods, default="", help="how to count (default: plugin if it works)")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--write", action="store_true", help="record the counts in tools/bench/recorded")
    action.add_argument("--check", action="store_true", help="fail if a count is above the recorded one")
    options = parser.parse_args()
    problems: list[str] = []
    compared = []
    try:
        for board in options.boards.split(","):
            compiler = find_compiler(boards.load(board)).version
            record = RECORD / f"{board}.json"
            before: Counts | None = json.loads(record.read_text()) if record.exists() else None
            if options.check and (before is None or before["compiler"] != compiler):
                theirs = before["compiler"] if before else "no compiler"
                print(f"{board}: not compared, recorded with {theirs}, installed is {compiler}")
                continue
            method = _choice(board, options.count).method
            now = measure(board, method)
            now["compiler"] = compiler
            figures = {fmt: bars.measure(board, fmt) for fmt in bars.formats(board)}
            now["bars"] = {fmt: bars.record(found) for fmt, found in figures.items()}
            if before is not None and options.check:
                problems += compare(board, before, now)
                for fmt, found in figures.items():
                    problems += bars.problems(board, fmt, found, before.get("bars", {}).get(fmt, {}))
                if "f16" in figures:
                    problems += bars.ratio_problems(board, figures["f32"], figures["f16"])
                compared.append(board)
            else:
                if now["kernels"]:
                    show(board, now, method)
                    prefixes.show(now["prefixes"], boards.load(board).unit)
                for fmt, found in figures.items():
                    bars.show(board, fmt, found)
                if "f16" in figures:
                    bars.show_ratios(board, figures["f32"], figures["f16"])
                if options.write:
                    record.parent.mkdir(exist_ok=True)
                    record.write_text(json.dumps(now, indent=1) + "\n")
    except EdgelearnError as error:
        print(error.render(), file=sys.stderr)
        return error.exit_code
    for line in problems:
        print(line, file=sys.stderr)
    if compared and not problems:
        print(f"no kernel got worse on {', '.join(compared)}")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
