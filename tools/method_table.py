"""What each training method costs on real nets and boards, and what it learns there: the table of docs/METHODS.md.

`python tools/method_table.py` builds each plan for each board and trains each net with each method on its real task
(`tools/adaptation.py`), once a seed, by the same C on this computer. That takes a compiler for each board and about a
quarter of an hour of one core; `--seeds 0` leaves the training out, `--net` asks for one net only, `--update FILE` puts
the rows where they stand in a file. `--search` tries learning rates instead, on samples that are not held out,
beginning with those that are recorded here.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from edgelearn.boards import load as load_board
from edgelearn.build import build_image
from edgelearn.build.verify import verify_image
from edgelearn.cli.progress import Progress
from edgelearn.codegen import generate
from edgelearn.config import TrainConfig
from edgelearn.errors import InputError
from edgelearn.graph import Graph
from edgelearn.importers import load
from edgelearn.plan import make_plan
from tools.adaptation import TASKS, Trainer
from tools.fetch_assets import fetch

NETS = {
    "ResNet8": "image_classification",
    "DS-CNN": "keyword_spotting",
    "MobileNetV1 0.25": "visual_wake_words",
    "autoencoder": "anomaly_detection",
    "MobileNetV2": "keyword_spotting_mobilenetv2",
}
METHODS: dict[str, dict[str, Any]] = {
    "`full`": {},
    "`full`, Adam": {"optimizer": "adam"},
    "`last`": {"method": "last"},
    "`bias`": {"method": "bias"},
    "`sparse`, a quarter": {"method": "sparse", "fraction": 0.25},
    "`mobiletl`, 3 blocks": {"method": "mobiletl", "blocks": 3},
}
# The learning rates that `--search` found, batch 1, cosine schedule.
RATES: dict[str, dict[str, float]] = {
    "ResNet8": {
        "`full`": 0.0003,
        "`full`, Adam": 0.0003,
        "`last`": 10,
        "`bias`": 0.03,
        "`sparse`, a quarter": 0.001,
    },
    "DS-CNN": {
        "`full`": 3e-05,
        "`full`, Adam": 0.0001,
        "`last`": 0.3,
        "`bias`": 0.03,
        "`sparse`, a quarter": 0.0001,
        "`mobiletl`, 3 blocks": 0.01,
    },
    "MobileNetV1 0.25": {
        "`full`": 0.0003,
        "`full`, Adam": 3e-05,
        "`last`": 0.01,
        "`bias`": 0.001,
        "`sparse`, a quarter": 0.001,
        "`mobiletl`, 3 blocks": 0.01,
    },
    "autoencoder": {
        "`full`": 3e-07,
        "`full`, Adam": 0.0003,
        "`last`": 1,
        "`bias`": 0.3,
        "`sparse`, a quarter": 1e-06,
    },
    "MobileNetV2": {
        "`full`": 0.0003,
        "`full`, Adam": 0.0003,
        "`last`": 1,
        "`bias`": 0.01,
        "`sparse`, a quarter": 0.0003,
        "`mobiletl`, 3 blocks": 0.01,
    },
}
BOARDS = ("qemu-m4", "qemu-m7", "qemu-m55", "qemu-rv32")


def row(source: Graph, settings: dict[str, Any]) -> tuple[int, int, int, list[int]]:
    """Trained weights, RAM on the first board, MACs of a training sample, and flash on each board, as linked."""
    flash = []
    for board_id in BOARDS:
        board = load_board(board_id)
        plan = make_plan(source, TrainConfig(**settings), board)
        sources = generate(plan)
        with tempfile.TemporaryDirectory() as folder:
            image = build_image(sources.files, board, Path(folder), kernel_sources=sources.kernels)
            verify_image(plan, image)
        flash.append(image.flash.total)
        if board_id == BOARDS[0]:
            figures = sum(t.count for t, _ in plan.params.tensors), plan.ram, plan.training_macs
    return *figures, flash


def learned(net: str, method: str, source: Graph, seeds: int) -> str:
    """Mean and standard deviation over seeds of the held-out accuracy, or error, on the net's task."""
    with Progress(f"{net} {method.split('`')[1]}") as progress:
        trainer = Trainer(source, TASKS[net], METHODS[method], progress)
        found = [trainer.result(RATES[net][method], seed) for seed in range(seeds)]
    return f"{np.mean(found):.3f} ± {np.std(found, ddof=min(1, seeds - 1)):.3f}"


def table(nets: Sequence[str], seeds: int) -> Iterator[str]:
    """Markdown, a line at a time as plans are built and nets trained."""
    heads = ["net", "method", "weights", "training MACs", "RAM", *(f"flash {b.removeprefix('qemu-')}" for b in BOARDS)]
    heads += ["rate", "accuracy"] if seeds else []
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    for net in nets:
        source = load(fetch(NETS[net]))
        for method, settings in METHODS.items():
            try:
                weights, ram, macs, flash = row(source, settings)
            except InputError:
                found = ["does not apply: no inverted residual blocks", *[""] * (len(heads) - 3)]
            else:
                found = [f"{n:,}" for n in (weights, macs, ram, *flash)]
                found += [f"{RATES[net][method]:g}", learned(net, method, source, seeds)] if seeds else []
            yield f"| {net} | {method} | " + " | ".join(found) + " |"


def update(path: Path, rows: Iterator[str]) -> None:
    """Put new rows in the place of the old ones of the same net and method; columns that they lack stay as they are."""
    for row in rows:
        new = cells(row)
        lines = path.read_text(encoding="utf-8").splitlines()
        for k, line in enumerate(lines):
            old = cells(line)
            if old[:2] == new[:2] != ["---", "---"]:
                lines[k] = "| " + " | ".join([*new, *old[len(new) :]]) + " |"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(row, flush=True)


def cells(line: str) -> list[str]:
    """The cells of a row in Markdown; one for other lines."""
    return [cell.strip() for cell in line.strip("|").split("|")]


def search(nets: Sequence[str]) -> Iterator[str]:
    """The learning rates that were tried, and how good they are: accuracy, or minus the error."""
    for net in nets:
        source = load(fetch(NETS[net]))
        for method, first in RATES[net].items():
            trainer = Trainer(source, TASKS[net], METHODS[method])
            found = ", ".join(f"{lr:g}: {value:.3f}" for lr, value in trainer.rates(first))
            yield f"{net} {method}: {found}"


def main() -> int:
    """Print the table, or learning rates."""
    parser = argparse.ArgumentParser(description="What training methods cost, and what they learn, on real nets.")
    parser.add_argument("--net", choices=tuple(NETS), action="append", help="only this one")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each row (default 3; 0: none)")
    parser.add_argument(
        "--update", type=Path, metavar="FILE", help="replace the rows in a file, such as docs/METHODS.md"
    )
    parser.add_argument("--search", action="store_true", help="try learning rates instead")
    args = parser.parse_args()
    nets = args.net or list(NETS)
    lines = search(nets) if args.search else table(nets, args.seeds)
    if args.update and not args.search:
        update(args.update, lines)
    else:
        for line in lines:
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
