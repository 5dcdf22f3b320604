"""What layers that shift take beside float32 and int8, forward: multiply-accumulates an instruction, for docs/SHIFT.md.

    python tools/shift_layers.py --boards qemu-m3,qemu-rv32i --bits 4

The kernels are those that a plan for the board takes. Weights are random: no exponent is more frequent than another.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from edgelearn import boards
from edgelearn.build.toolchain import find_compiler
from edgelearn.kernels import Sizes
from edgelearn.ops import OPS
from edgelearn.predict import select
from tools.bench import counting, probe
from tools.bench.cases import LAYERS, SMALL
from tools.record_costs.calls import INTEGERS, arguments, parameters

BOARDS = ("qemu-m3", "qemu-m4", "qemu-rv32imac", "qemu-rv32i")
ROWS: dict[str, tuple[str, Sizes]] = {
    "conv 1x5 s2, 16>32, 64": LAYERS["conv 1x5 s2, 16>32, 64"],
    **{name: layer for name, layer in SMALL.items() if not name.startswith("product")},
    "dense 640>128": ("dense", {"in": 640, "out": 128}),
}
COLUMNS = (("{op}_fwd", "f32"), ("{op}_shift_fwd", "f32"), ("{op}_fwd", "s8"), ("{op}_shift_fwd", "s8"))


def rows(board_id: str) -> Iterator[str]:
    """A row of the table for each layer."""
    board = boards.load(board_id)
    types_of = parameters(find_compiler(board).path)
    made: list[tuple[str, list[Any]]] = []
    for op, sizes in ROWS.values():
        for step, fmt in COLUMNS:
            kernel = select(board, step.format(op=op), fmt, sizes)
            args = arguments(types_of[kernel.name], kernel, step.format(op=op), sizes)
            made.append(probe.call_of(args, kernel))
    found = iter(probe.run(board_id, made, count=counting.choose(board).method))
    for name, (op, sizes) in ROWS.items():
        macs = OPS[op].macs(dict(sizes))
        cells = [f"{macs / (next(found).instructions or macs):.3g}" for _ in COLUMNS]
        yield f"| `{board_id}` | {name} | {' | '.join(cells)} |"


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="tools/shift_layers.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--boards", default=",".join(BOARDS), help="comma-separated board ids")
    parser.add_argument("--bits", type=int, default=4, choices=(2, 3, 4), help="of a weight (default: 4)")
    options = parser.parse_args()
    INTEGERS["bits"] = options.bits
    print("| board | layer | float32 | shift | int8 | int8, shift |\n|---|---|---|---|---|---|")
    for board_id in options.boards.split(","):
        print(*rows(board_id), sep="\n", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
