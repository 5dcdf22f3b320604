"""What kernels have to reach (bars.toml), against what they reach and what was recorded."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgelearn import boards, kernels
from tools.bench import counting, nets, probe
from tools.bench.cases import Bench, single_kernels
from tools.bench.counting import Method

TABLE = Path(__file__).with_name("bars.toml")
STEPS = ("fwd", "bwd_w", "bwd_x")
TOLERANCE = 0.01  # what a figure may lose against the recorded one


@dataclass(frozen=True)
class Figure:
    """A layer's step or a net's training step: MACs, and the instructions or cycles that they take."""

    macs: int
    count: int

    def value(self, cycles: bool) -> float:
        """MACs for an instruction; cycles for a MAC."""
        return self.count / self.macs if cycles else self.macs / self.count


@functools.cache
def _table() -> dict[str, Any]:
    return tomllib.loads(TABLE.read_text())


def bars(board: str, fmt: str = "f32") -> dict[str, float]:
    """Every bar of a board by the name of its figure: "pointwise 64>64, 25x5 bwd_w", "step resnet8"."""
    table = _table().get(board, {}).get(fmt, {})
    found: dict[str, float] = {}
    for layer, bar in table.get("layers", {}).items():
        found |= {f"{layer} {step}": bar[step] if isinstance(bar, dict) else bar for step in STEPS}
    return found | {f"step {net}": bar for net, bar in table.get("steps", {}).items()}


def short(board: str, fmt: str = "f32") -> dict[str, float]:
    """Figures that are below their bar, and what each has to reach until then."""
    return dict(_table().get(board, {}).get(fmt, {}).get("short", {}))


def in_cycles(board: str) -> bool:
    """Whether a board's figures are cycles for a MAC."""
    loaded = boards.load(board)
    return loaded.simulated or counting.has_model(loaded)


def measure(board: str) -> dict[str, Figure]:
    """Every figure that the board has a bar for, with the kernels that a plan would choose."""
    wanted = bars(board)
    method = Method.MODEL if counting.has_model(boards.load(board)) else counting.choose(boards.load(board)).method
    layers = dict(_layers(board, wanted))
    results = probe.run(board, [probe.call_of(b.args, k) for b, k in layers.values()], count=method)
    found = {
        name: Figure(bench.macs, result.instructions or 0)
        for (name, (bench, _)), result in zip(layers.items(), results, strict=True)
    }
    for name in nets.NETS:
        if f"step {name}" in wanted:
            step = nets.measure(name, board, method)
            found[f"step {name}"] = Figure(step.macs, step.count)
    return found


def _layers(board: str, wanted: Mapping[str, float]) -> Iterator[tuple[str, tuple[Bench, kernels.Kernel]]]:
    isas = boards.load(board).kernels
    for bench in single_kernels():
        if bench.name in wanted and bench.fmt == "f32":
            yield bench.name, (bench, kernels.select(bench.step, bench.fmt, isas, bench.sizes))


def problems(board: str, found: Mapping[str, Figure], recorded: Mapping[str, float]) -> list[str]:
    """Figures that miss their bar, or, where that is known, what they have to reach until then; and what got worse."""
    cycles = in_cycles(board)
    waiting = short(board)
    wrong = []
    for name, bar in bars(board).items():
        value, least = found[name].value(cycles), waiting.get(name, bar)
        words = "cycles/MAC" if cycles else "MAC/insn"
        if (value > least) if cycles else (value < least):
            wrong.append(f"{board}: {name}: {value:.3f} {words}, the bar is {least}")
        elif name in waiting and ((value <= bar) if cycles else (value >= bar)):
            wrong.append(f"{board}: {name}: {value:.3f} {words} reaches its bar, {bar}, and is not short any more")
        before = recorded.get(name)
        if before and found[name].count > before * (1 + TOLERANCE):
            wrong.append(f"{board}: {name} takes {found[name].count:,}, recorded are {before:,}")
    return wrong


def show(board: str, found: Mapping[str, Figure]) -> None:
    """A table of figures and bars."""
    cycles = in_cycles(board)
    print(f"\n{board}: {'modelled cycles/MAC, at most' if cycles else 'MAC/insn, at least'} the bar")
    for name, bar in bars(board).items():
        mark = "  short" if name in short(board) else ""
        print(f"{name:40}{found[name].value(cycles):8.3f}{bar:8.2f}{mark}")
