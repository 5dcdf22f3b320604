"""What kernels have to reach (bars.toml), against what they reach and what was recorded."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgelearn import boards, kernels
from edgelearn.predict import select
from tools.bench import counting, harts, nets, probe
from tools.bench.cases import Bench, product_layers, small_kernels
from tools.bench.counting import Method

TABLE = Path(__file__).with_name("bars.toml")
STEPS = ("fwd", "bwd_w", "bwd_x")
PRECISIONS: Mapping[str, nets.Precision] = {
    "f32": "fp32",
    "f16": "fp16",
}  # whole training steps in a format, and the setting that makes them
SUFFIX = {"f32": "", "f16": " f16", "s8": " int8"}  # of names of single kernels
HARTS = "harts"  # in the place of a format: one hart alone against the busiest of all
TOLERANCE = 0.01  # what a figure may lose against the recorded one

Names = Mapping[str, float]


@dataclass(frozen=True)
class Figure:
    """A layer's step or a net's training step: MACs, and the instructions or cycles that they take. Of harts: what one
    of them alone takes, and the busiest of all.
    """

    macs: int
    count: int

    def value(self, cycles: bool) -> float:
        """MACs for an instruction; cycles for a MAC."""
        return self.count / self.macs if cycles else self.macs / self.count


Figures = Mapping[str, Figure]


@functools.cache
def _table() -> dict[str, Any]:
    return tomllib.loads(TABLE.read_text())


def formats(board: str) -> tuple[str, ...]:
    """The number formats that the board has bars for, and HARTS."""
    return tuple(fmt for fmt in (*SUFFIX, HARTS) if bars(board, fmt))


def bars(board: str, fmt: str = "f32") -> dict[str, float]:
    """Every bar of a board by the name of its figure: "pointwise 64>64, 25x5 bwd_w", "step resnet8"."""
    table = _table().get(board, {}).get(fmt, {})
    found: dict[str, float] = {}
    for layer, bar in table.get("layers", {}).items():
        each = bar if isinstance(bar, dict) else dict.fromkeys(STEPS, bar)
        found |= {f"{layer} {step}": least for step, least in each.items()}
    found |= {f"step {net}": bar for net, bar in table.get("steps", {}).items()}
    return found | {f"int8 forward {net}": bar for net, bar in table.get("forward", {}).items()}


def short(board: str, fmt: str = "f32") -> dict[str, float]:
    """Figures that are below their bar, and what each has to reach until then."""
    return dict(_table().get(board, {}).get(fmt, {}).get("short", {}))


def ratios(board: str) -> tuple[dict[str, float], dict[str, float]]:
    """How many times less halves have to take than floats, by layer or net, and what is short of that."""
    table = dict(_table().get(board, {}).get("ratios", {}))
    return {name: bar for name, bar in table.items() if name != "short"}, table.get("short", {})


def in_cycles(board: str, fmt: str = "f32") -> bool:
    """Whether a board's figures are cycles for a MAC: a core's own, or of floats modelled ones."""
    loaded = boards.load(board)
    return loaded.simulated or (counting.has_model(loaded) and fmt == "f32")


def measure(board: str, fmt: str = "f32") -> dict[str, Figure]:
    """Every figure that the board has a bar for, with the kernels that a plan would choose."""
    wanted, loaded = bars(board, fmt), boards.load(board)
    if fmt == HARTS:
        return {name: Figure(*counts) for name, counts in harts.measure(board, wanted).items()}
    modelled = in_cycles(board, fmt) and not loaded.simulated
    method = Method.MODEL if modelled else counting.choose(loaded).method
    layers = dict(_layers(loaded, fmt, wanted))
    results = probe.run(board, [probe.call_of(b.args, k) for b, k in layers.values()], count=method)
    found = {
        name: Figure(bench.macs, result.instructions or 0)
        for (name, (bench, _)), result in zip(layers.items(), results, strict=True)
    }
    for name in nets.NETS:
        if f"step {name}" in wanted:
            step = nets.measure(name, board, method, PRECISIONS[fmt])
            found[f"step {name}"] = Figure(step.macs, step.count)
    return found


def _layers(board: boards.Board, fmt: str, wanted: Names) -> Iterator[tuple[str, tuple[Bench, kernels.Kernel]]]:
    for bench in small_kernels() if board.simulated else product_layers():
        name = bench.name.removesuffix(SUFFIX[fmt])
        if name in wanted and bench.fmt == fmt:
            yield name, (bench, select(board, bench.step, bench.fmt, bench.sizes))


def missed(where: str, value: float, bar: float, least: float | None, words: str, *, fewer: bool = False) -> list[str]:
    """What is wrong with one figure: it misses its bar, or `least` in place of a bar that it does not reach yet, or it
    reaches a bar that it is said not to. `fewer`: less is better.
    """
    sign = -1 if fewer else 1
    if sign * value < sign * (bar if least is None else least):
        return [f"{where}: {value:.3f} {words}, the bar is {bar if least is None else least}"]
    if least is not None and sign * value >= sign * bar:
        return [f"{where}: {value:.3f} {words} reaches its bar, {bar}, and is not short any more"]
    return []


def problems(board: str, fmt: str, found: Figures, recorded: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Figures that miss their bar, or, where that is known, what they have to reach until then; and what got worse."""
    cycles, waiting, wrong = in_cycles(board, fmt), short(board, fmt), []
    wanted = bars(board, fmt)
    wrong += [f"{board} {fmt}: {name} has no bar that it could be short of" for name in waiting if name not in wanted]
    for name, bar in wanted.items():
        words = "cycles/MAC" if cycles else "times fewer insn" if fmt == HARTS else "MAC/insn"
        where, value = f"{board} {fmt}: {name}", found[name].value(cycles)
        wrong += missed(where, value, bar, waiting.get(name), words, fewer=cycles)
        before = recorded.get(name)
        if before and found[name].count > before["count"] * (1 + TOLERANCE):
            wrong.append(f"{where} takes {found[name].count:,}, recorded are {before['count']:,}")
    return wrong


def ratio(name: str, floats: Figures, halves: Figures) -> float:
    """How many times less halves take than floats: for a layer's three steps, or one training step of a net."""
    parts = [part for part in floats if part == name or part.rpartition(" ")[0] == name]
    return sum(floats[p].count for p in parts) / sum(halves[p].count for p in parts)


def ratio_problems(board: str, floats: Figures, halves: Figures) -> list[str]:
    """Ratios that miss their bar, likewise."""
    wanted, waiting = ratios(board)
    wrong = []
    for name, bar in wanted.items():
        value = ratio(name, floats, halves)
        wrong += missed(f"{board}: {name}", value, bar, waiting.get(name), "times less in halves")
    return wrong


def record(found: Figures) -> dict[str, dict[str, int]]:
    """As it is kept in tools/bench/recorded."""
    return {name: {"macs": figure.macs, "count": figure.count} for name, figure in found.items()}


def restored(rows: Mapping[str, Mapping[str, int]]) -> dict[str, Figure]:
    """What `record` kept."""
    return {name: Figure(row["macs"], row["count"]) for name, row in rows.items()}


def show(board: str, fmt: str, found: Figures) -> None:
    """A table of figures and bars."""
    cycles = in_cycles(board, fmt)
    unit = "cycles/MAC, at most" if cycles else "times fewer, at least" if fmt == HARTS else "MAC/insn, at least"
    print(f"\n{board}, {fmt}: {unit} the bar")
    for name, bar in bars(board, fmt).items():
        mark = "  short" if name in short(board, fmt) else ""
        print(f"{name:40}{found[name].value(cycles):8.3f}{bar:8.2f}{mark}")


def show_ratios(board: str, floats: Figures, halves: Figures) -> None:
    """How many times less halves take."""
    wanted, waiting = ratios(board)
    for name, bar in wanted.items():
        mark = "  short" if name in waiting else ""
        print(f"{name + ', f32 / f16':40}{ratio(name, floats, halves):8.3f}{bar:8.2f}{mark}")
