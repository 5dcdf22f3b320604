"""The tables of docs/KERNELS.md out of what is recorded.

python tools/bench/page.py           print them
python tools/bench/page.py --write   put them into the page, each between its two comments
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.bench import bars
from tools.bench.bars import STEPS, Figure

PAGE = Path(__file__).resolve().parents[2] / "docs/KERNELS.md"
RECORD = Path(__file__).resolve().parent / "recorded"
FLOATS = ("qemu-m7", "qemu-m33", "qemu-m4", "qemu-rv32", "qemu-m55", "qemu-rv32v")
HALVES = ("qemu-m55", "qemu-rv32v", "qemu-m7")
INT8 = ("qemu-m4", "qemu-m33", "qemu-m55", "qemu-rv32", "qemu-rv32v")
LAYERS = ("product 64x64x64", "conv 3x3, 16>32, 32x32", "pointwise 64>64, 25x5", "depthwise 3x3, 64, 25x5",
          "dense 640>128")  # fmt: skip
NETS = {f"training step of {net}": f"step {net}" for net in ("resnet8", "ds-cnn", "mobilenet")}
ROWS = {**{layer: layer for layer in LAYERS}, **NETS}  # what a row is called, and its figure
SIMULATED, MANY = "rtl-cv32e40p", "qemu-rv32x8"
SMALL = (LAYERS[0], "conv 3x3, 16>32, 16x16", *LAYERS[2:])
NONE = "–"
# MACs an instruction or a beat; on the M4 cycles for one, a multiply and an add: what there would be without any load.
LIMITS: Mapping[tuple[str, str], float] = MappingProxyType({
    ("qemu-m7", "f32"): 1, ("qemu-m33", "f32"): 1, ("qemu-m4", "f32"): 2, ("qemu-rv32", "f32"): 1,
    ("qemu-m55", "f32"): 4, ("qemu-rv32v", "f32"): 4, ("qemu-m55", "f16"): 8, ("qemu-rv32v", "f16"): 8,
})  # fmt: skip


@cache
def _read(board: str) -> dict[str, Any]:
    return dict(json.loads((RECORD / f"{board}.json").read_text()))


def _figures(board: str, fmt: str) -> dict[str, Figure]:
    return bars.restored(_read(board)["bars"].get(fmt, {}))


def _row(name: str, cells: Sequence[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"


def _table(head: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    return "\n".join([_row(head[0], head[1:]), "|" + "---|" * len(head), *(_row(*row) for row in rows)])


def _ticked(names: Sequence[str]) -> list[str]:
    return [f"`{name}`" for name in names]


def _cell(board: str, fmt: str, name: str) -> str:
    """The three steps of a layer, or a net's training step."""
    figures, cycles = _figures(board, fmt), bars.in_cycles(board, fmt)
    found = [figures.get(part) for part in ((name,) if name in NETS.values() else (f"{name} {s}" for s in STEPS))]
    return " / ".join(f"{f.value(cycles):.2f}" if f else NONE for f in found) if any(found) else NONE


def floats() -> str:
    """Layers and whole training steps in float32, a column for each board."""
    rows = [(title, [_cell(board, "f32", name) for board in FLOATS]) for title, name in ROWS.items()]
    return _table(["layer: fwd / bwd_w / bwd_x", *_ticked(FLOATS)], rows)


def halves() -> str:
    """The same in halves, and how many times less that takes."""

    def cells(name: str) -> list[str]:
        times = [bars.ratio(name, _figures(board, "f32"), _figures(board, "f16")) for board in HALVES]
        figures = [_cell(board, "f16", name) for board in HALVES]
        return [cell for figure, n in zip(figures, times, strict=True) for cell in (figure, f"{n:.2f}")]

    head = [cell for board in HALVES for cell in (f"`{board}`", "times fewer than float32")]
    return _table(["layer: fwd / bwd_w / bwd_x", *head], [(title, cells(name)) for title, name in ROWS.items()])


def shares() -> str:
    """What of the limit is reached: the three steps of a layer together, and training steps."""

    def share(board: str, fmt: str, name: str) -> str:
        found = _figures(board, fmt)
        parts = [found[p] for p in found if p == name or p.rpartition(" ")[0] == name]
        if not parts:
            return NONE
        together = Figure(sum(p.macs for p in parts), sum(p.count for p in parts))
        cycles = bars.in_cycles(board, fmt)
        value, limit = together.value(cycles), LIMITS[board, fmt]
        return f"{limit / value if cycles else value / limit:.0%}".replace("%", " %")

    columns = list(LIMITS)
    rows = [("limit", [f"{limit:g}" for limit in LIMITS.values()])]
    rows += [(title, [share(board, fmt, name) for board, fmt in columns]) for title, name in ROWS.items()]
    words = {"f32": "float32", "f16": "fp16"}
    return _table(["", *(f"`{board}` {words[fmt]}" for board, fmt in columns)], rows)


def integers() -> str:
    """Layers in int8, forward, with the fastest kernel of each board, beside what has to be beaten."""
    rows = []
    for layer in LAYERS[1:]:
        cells = []
        for board in INT8:
            row = _read(board)["kernels"][f"{layer} fwd int8"]
            bar = bars.bars(board, "s8").get(f"{layer} fwd")
            value = row["macs"] / min(count for isa, count in row.items() if isa != "macs")
            cells.append(f"{value:.2f} ({bar:g})" if bar else f"{value:.2f}")
        rows.append((layer, cells))
    return _table(["layer", *_ticked(INT8)], rows)


def cycles() -> str:
    """Layers of a simulated core in cycles for a MAC."""

    def value(layer: str, step: str, suffix: str) -> tuple[int, str]:
        row = recorded[f"{layer} {step}{suffix}"]
        count = min(count for isa, count in row.items() if isa != "macs")
        return count, f"{count / row['macs']:.2f}"

    rows, recorded = [], _read(SIMULATED)["kernels"]
    for layer in (name for name in SMALL if f"{name} fwd" in recorded):
        single = [value(layer, step, "") for step in STEPS]
        half = [value(layer, step, " f16") for step in STEPS]
        times = sum(n for n, _ in single) / sum(n for n, _ in half)
        rows.append((layer, [*(" / ".join(text for _, text in part) for part in (single, half)), f"{times:.2f}"]))
    steps = [_figures(SIMULATED, fmt) for fmt in ("f32", "f16")]
    for title, name in NETS.items():
        both = [figures[name].value(True) if name in figures else 0.0 for figures in steps]
        if any(both):
            ratio = f"{both[0] / both[1]:.2f}" if all(both) else NONE
            rows.append((title, [*(f"{value:.2f}" if value else NONE for value in both), ratio]))
    return _table(["layer: fwd / bwd_w / bwd_x", "float32", "fp16", "times fewer than float32"], rows)


def harts() -> str:
    """How many times fewer instructions the busiest of eight harts executes than one alone."""
    figures = _figures(MANY, bars.HARTS)
    rows = [(title, [_cell(MANY, bars.HARTS, name)]) for title, name in ROWS.items() if "depthwise" not in name]
    rows += [(n.replace("d ", "d pass of "), [f"{f.value(False):.2f}"]) for n, f in figures.items() if "int8" in n]
    return _table(["layer: fwd / bwd_w / bwd_x", f"`{MANY}`"], rows)


TABLES: Mapping[str, Callable[[], str]] = MappingProxyType(
    {"float32": floats, "fp16": halves, "shares": shares, "int8": integers, "cycles": cycles, "harts": harts}
)


def filled(page: str) -> str:
    """The page with every table as it is now; ValueError if one has no place in it."""
    for name, table in TABLES.items():
        begin, end = f"<!-- {name}: tools/bench/page.py -->\n", "<!-- end -->"
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"{PAGE.name} has no place for the table {name!r}")
        page = f"{before}{begin}{table()}\n{end}{after}"
    return page


def main() -> int:
    """Print, or write, all tables."""
    parser = argparse.ArgumentParser(prog="tools/bench/page.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="put them into docs/KERNELS.md")
    if parser.parse_args().write:
        PAGE.write_text(filled(PAGE.read_text()))
    else:
        print("\n\n".join(f"{name}\n{table()}" for name, table in TABLES.items()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
