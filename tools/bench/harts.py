"""What a training step costs on a board with several harts: the instructions of the busiest one.

    python tools/bench/harts.py                      steps that lose most, and sums
    python tools/bench/harts.py --together ds-cnn    what each hart executes when all run at the same time

Each part of a step is counted by itself, on one hart, exactly: what the others do at the same time does not change what
it executes. A divided step takes as long as its largest part and the hand-over (HANDOVER); steps that are not divided
run on the first hart while the others sleep. Both are held against each other in the tests.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from edgelearn import boards, kernels
from edgelearn.formats import BIT, F32
from edgelearn.graph import Phase
from edgelearn.harts import HANDOVER, divide
from edgelearn.ops import OPS, Op
from edgelearn.ops.parts import Part
from edgelearn.plan import Plan
from edgelearn.predict import select
from tools.bench import prefixes, probe
from tools.bench.cases import Bench, product_layers, step_of
from tools.bench.counting import choose
from tools.bench.nets import NETS, plan_of
from tools.bench.together import executed

BY_KERNEL: dict[tuple[str, str], Op] = {(op.kernel, op.fmt.name): op for op in OPS.values() if not op.calls}


@dataclass(frozen=True)
class Divided:
    """Instructions of one step: on one hart, and of each of its parts."""

    name: str
    kernel: str
    whole: int
    parts: tuple[int, ...]

    @property
    def busiest(self) -> int:
        """What the step takes on all harts together."""
        return max(self.parts) + HANDOVER if self.parts else self.whole

    @property
    def harts(self) -> list[int]:
        """What each hart executes, the first one also what is not divided."""
        return list(self.parts) or [self.whole]


def _call(bench: Bench, part: Part, formats: Sequence[Any]) -> list[Any]:
    """The arguments of one part: operands from where it begins to their end."""
    operands = len(part.inputs) + len(part.outputs)
    first = len(bench.args) - operands
    lead: list[Any] = [part.sizes] if isinstance(bench.args[0], dict) else list(part.sizes.values())
    offsets = (*part.inputs, *part.outputs)
    moved = []
    for value, offset, fmt in zip(bench.args[first:], offsets, formats, strict=True):
        at = offset // 8 if fmt is BIT else offset
        moved.append(np.ravel(value)[at:].copy() if isinstance(value, np.ndarray) else value)
    return [*lead, *bench.args[len(lead) : first], *moved]


def steps_of(plan: Plan) -> Iterator[Divided]:
    """Each step of a plan, counted."""
    benches, calls = list(step_of(plan)), []
    for bench, step, parts in zip(benches, plan.schedule.steps, plan.parts, strict=True):
        node, kernel = step.node, bench.kernel
        assert kernel is not None
        entry = kernels.find(OPS[node.op].kernel, OPS[node.op].fmt.name, kernel.isa)
        assert entry is not None
        names = [*node.inputs, *node.outputs]
        formats = [plan.graph.tensors[n].format if n else None for n in names]
        formats += [None] * (len(OPS[node.op].formats) - len(node.outputs))
        calls.append(probe.call_of(bench.args, entry.bind(plan.sizes[step.index])))
        for part in parts:
            moving = formats[: len(part.inputs) + len(part.outputs)]
            calls.append(probe.call_of(_call(bench, part, moving), entry.bind(part.sizes)))
    counts = iter(_counts(plan.board, calls))
    for bench, parts in zip(benches, plan.parts, strict=True):
        whole = next(counts)
        name = bench.kernel.name if bench.kernel else ""
        yield Divided(bench.name, name, whole, tuple(next(counts) for _ in parts))


def _counts(board: boards.Board, calls: Sequence[tuple[str, list[Any]]]) -> list[int]:
    """Instructions of each call, on a board that has one hart of the same core."""
    one = boards.load(board.costs)
    return [result.instructions or 0 for result in probe.run(one.id, calls, count=choose(one).method)]


def layers_of(board: boards.Board, wanted: Container[str]) -> Iterator[Divided]:
    """Single layers by the names that bars have, divided as a plan would; nothing is handed over."""
    for bench in product_layers():
        if bench.name not in wanted or bench.fmt != "f32":
            continue
        op = BY_KERNEL[bench.step, bench.fmt]
        kernel, parts = divide(op, bench.sizes, select(board, bench.step, bench.fmt, bench.sizes), board)
        entry = kernels.find(bench.step, bench.fmt, kernel.isa)
        assert entry is not None
        calls = [probe.call_of(bench.args, entry.bind(bench.sizes))]
        for part in parts:
            formats = [F32] * (len(part.inputs) + len(part.outputs))
            calls.append(probe.call_of(_call(bench, part, formats), entry.bind(part.sizes)))
        whole, *each = _counts(board, calls)
        yield Divided(bench.name, kernel.name, whole, tuple(each))


def measure(board_id: str, wanted: Container[str]) -> dict[str, tuple[int, int]]:
    """Instructions of one hart alone and of the busiest of all, by the names that bars have: layers between marks,
    training steps, and the way to the loss with frozen layers in int8, with all hand-overs.
    """
    board = boards.load(board_id)
    found = {s.name: (s.whole, max(s.parts, default=s.whole)) for s in layers_of(board, wanted)}
    for name in NETS:
        if f"step {name}" in wanted:
            steps = list(steps_of(plan_of(name, board_id)))
            found[f"step {name}"] = _together(steps)
        if f"int8 forward {name}" in wanted:
            plan = prefixes.plan_of(name, board_id, int8=True)
            pairs = zip(steps_of(plan), plan.schedule.steps, strict=True)
            found[f"int8 forward {name}"] = _together([s for s, t in pairs if t.node.phase is Phase.FORWARD])
    return found


def _together(steps: Sequence[Divided]) -> tuple[int, int]:
    return sum(s.whole for s in steps), sum(s.busiest for s in steps)


def each_hart(steps: Sequence[Divided], harts: int) -> list[int]:
    """Instructions of each hart in a training step, its parts one after another."""
    return [sum(s.harts[hart] for s in steps if hart < len(s.harts)) for hart in range(harts)]


def main() -> int:
    """Print each net's steps that are far from their share, and the sums."""
    parser = argparse.ArgumentParser(prog="tools/bench/harts.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--board", default="qemu-rv32x8", help="a board with several harts (default: %(default)s)")
    parser.add_argument("--nets", default=",".join(NETS), help="comma-separated (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=5, help="how many of those that lose most (default: %(default)s)")
    parser.add_argument("--together", default="", metavar="NET", help="run all harts at once and count each")
    options = parser.parse_args()
    board = boards.load(options.board)
    if options.together:
        plan = plan_of(options.together, board.id)
        alone = each_hart(list(steps_of(plan)), board.harts)
        for hart, (real, parts) in enumerate(zip(executed(plan), alone, strict=True)):
            print(f"hart {hart}: {real:12,} insn together, {parts:12,} part by part")
        return 0
    for name in options.nets.split(","):
        steps = list(steps_of(plan_of(name, board.id)))
        whole, busiest = sum(s.whole for s in steps), sum(s.busiest for s in steps)
        print(f"{name}: {whole / busiest:.2f} times fewer insn on the busiest of {board.harts} harts")
        print(f"    {'step, insn':28}{'kernel':34}{'one hart':>12}{'busiest':>12}{'times':>7}")
        for step in sorted(steps, key=lambda s: s.whole / board.harts - s.busiest)[: options.steps]:
            times = step.whole / step.busiest
            print(f"    {step.name:28}{step.kernel:34}{step.whole:12,}{step.busiest:12,}{times:7.2f}")
        print(f"    {'all':62}{whole:12,}{busiest:12,}{whole / busiest:7.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
