"""The tables of docs/KERNELS.md out of what is recorded.

python tools/bench/page.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RECORD = Path(__file__).resolve().parent / "recorded"
BOARDS = ("qemu-m7", "qemu-m33", "qemu-m4", "qemu-rv32", "qemu-m55", "qemu-rv32v")
CYCLES = ("qemu-m4",)  # where a figure is cycles for a MAC
LAYERS = ("conv 3x3, 16>32, 32x32", "pointwise 64>64, 25x5", "depthwise 3x3, 64, 25x5", "dense 640>128")
STEPS = ("fwd", "bwd_w", "bwd_x")
NETS = {"resnet8": 37_062_528, "ds-cnn": 7_650_304, "mobilenet": 21_971_328}  # MACs of a training step


def _figure(board: str, macs: int, count: int | None) -> str:
    if count is None:
        return "–"
    return f"{count / macs:.2f}" if board in CYCLES else f"{macs / count:.2f}"


def _row(name: str, cells: list[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"


def tables() -> str:
    """Layers and whole training steps, a column for each board."""
    records: dict[str, dict[str, Any]] = {b: json.loads((RECORD / f"{b}.json").read_text()) for b in BOARDS}
    lines = [_row("layer: fwd / bwd_w / bwd_x", [f"`{b}`" for b in BOARDS]), "|" + "---|" * (len(BOARDS) + 1)]
    for layer in LAYERS:
        cells = []
        for board, record in records.items():
            macs = record["kernels"][f"{layer} fwd"]["macs"]
            counts = [record["bars"].get(f"{layer} {step}") for step in STEPS]
            cells.append(" / ".join(_figure(board, macs, count) for count in counts))
        lines.append(_row(layer, cells))
    for net, macs in NETS.items():
        cells = [_figure(board, macs, record["bars"].get(f"step {net}")) for board, record in records.items()]
        lines.append(_row(f"training step of {net}", cells))
    return "\n".join(lines)


if __name__ == "__main__":
    print(tables())
