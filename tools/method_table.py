"""What each training method costs on real nets and boards: the table of docs/METHODS.md, from plans that were built.

python tools/method_table.py
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from edgelearn.boards import load as load_board
from edgelearn.build import build_image
from edgelearn.build.verify import verify_image
from edgelearn.codegen import generate
from edgelearn.config import TrainConfig
from edgelearn.errors import InputError
from edgelearn.graph import Graph
from edgelearn.importers import load
from edgelearn.plan import make_plan
from tools.fetch_assets import fetch_all

NETS = {
    "ResNet8": "image_classification",
    "DS-CNN": "keyword_spotting",
    "MobileNetV1 0.25": "visual_wake_words",
    "autoencoder": "anomaly_detection",
    "MobileNetV2": "keyword_spotting_mobilenetv2",
}
METHODS: dict[str, dict[str, Any]] = {
    "`full`": {},
    "`last`": {"method": "last"},
    "`bias`": {"method": "bias"},
    "`sparse`, a quarter": {"method": "sparse", "fraction": 0.25},
    "`mobiletl`, 3 blocks": {"method": "mobiletl", "blocks": 3},
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


def table() -> Iterator[str]:
    """Markdown, a line at a time as plans are built."""
    heads = ["net", "method", "weights", "training MACs", "RAM", *(f"flash {b.removeprefix('qemu-')}" for b in BOARDS)]
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    for net, name in NETS.items():
        source = load(fetch_all([name])[name])
        for method, settings in METHODS.items():
            try:
                weights, ram, macs, flash = row(source, settings)
            except InputError:
                continue  # a net without inverted residual blocks
            yield (
                f"| {net} | {method} | {weights:,} | {macs:,} | {ram:,} | " + " | ".join(f"{n:,}" for n in flash) + " |"
            )


if __name__ == "__main__":
    for line in table():
        print(line, flush=True)
