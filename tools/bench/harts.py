"""What a training step costs on a board with several harts: the instructions of the busiest one.

    python tools/bench/harts.py --board qemu-rv32x8

Each part of a step is counted by itself, on one hart, exactly: what the others do at the same time does not change what
it executes. A divided step takes as long as its largest part and the hand-over (HANDOVER); steps that are not divided
run on the first hart while the others sleep.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from edgelearn import boards, kernels
from edgelearn.formats import BIT
from edgelearn.ops import OPS
from edgelearn.ops.parts import Part
from edgelearn.plan import Plan
from tools.bench import probe
from tools.bench.cases import Bench, step_of
from tools.bench.counting import choose
from tools.bench.nets import NETS, plan_of

HANDOVER = 150  # instructions of el_harts_run beside the part: eight stores, a wait and the way there and back


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
    one = boards.load("qemu-rv32")
    counts = iter(probe.run(one.id, calls, count=choose(one).method))
    for bench, parts in zip(benches, plan.parts, strict=True):
        whole = next(counts).instructions or 0
        name = bench.kernel.name if bench.kernel else ""
        yield Divided(bench.name, name, whole, tuple(next(counts).instructions or 0 for _ in parts))


def main() -> int:
    """Print each net's steps that are far from their share, and the sums."""
    parser = argparse.ArgumentParser(prog="tools/bench/harts.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--board", default="qemu-rv32x8", help="a board with several harts (default: %(default)s)")
    parser.add_argument("--nets", default=",".join(NETS), help="comma-separated (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=5, help="how many of those that lose most (default: %(default)s)")
    options = parser.parse_args()
    board = boards.load(options.board)
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
