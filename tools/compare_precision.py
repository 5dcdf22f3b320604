"""What half precision is worth: examples trained in fp32, fp16 and mixed on the host, by seed; tables of docs/FP16.md.

Four tasks: a watch's signals (everything trains), an autoencoder of heartbeats (everything trains), handwritten digits
(the last blocks of a float MobileNetV2), and keywords (the last layers of an int8 DS-CNN; what is frozen stays int8).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgelearn.boards import load as load_board
from edgelearn.build import build_image
from edgelearn.codegen import generate
from edgelearn.config import TrainConfig
from edgelearn.data import load_dataset
from edgelearn.device import open_device
from edgelearn.importers import load
from edgelearn.link import Link
from edgelearn.plan import Plan, make_plan
from edgelearn.session import Outcome, Session

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES, ASSETS = ROOT / "examples", ROOT / "tests" / "assets"
BOARD = "qemu-m4"  # whose RAM is stated
PRECISIONS = ("fp32", "fp16", "mixed")


@dataclass(frozen=True)
class Task:
    """A model, its data, and the settings that all precisions share."""

    model: Path
    data: Path
    settings: Mapping[str, Any]
    loss: str = "cross-entropy"


TASKS = {
    "wearable": Task(
        EXAMPLES / "wearable" / "wearable.onnx", EXAMPLES / "wearable" / "person9.npz", {"lr": 0.005, "epochs": 10}
    ),
    "ecg": Task(
        EXAMPLES / "ecg" / "autoencoder.tflite", EXAMPLES / "ecg" / "person.npz",
        {"loss": "mse", "lr": 2.0, "epochs": 60, "samples": "f16"}, "mse",
    ),
    "digits": Task(ASSETS / "digits_v2.onnx", ASSETS / "digits.npz", {"lr": 0.005, "epochs": 15, "blocks": 2}),
    "keywords": Task(
        EXAMPLES / "keywords" / "ds_cnn.tflite", EXAMPLES / "keywords" / "words.npz",
        {"train": "conv2d_3,depthwise_conv2d_3,conv2d_4,dense", "lr": 0.01, "schedule": "cosine", "warmup": 240,
         "epochs": 8, "store": 240, "store_latents": True},
    ),
}  # fmt: skip


def outcomes(task: Task, config: TrainConfig, seeds: Sequence[int]) -> list[Outcome]:
    """What training on the host comes to, by seed; NumbersError if it is not what the reference computes."""
    graph, board = load(task.model), load_board("host")
    plan = make_plan(graph, config, board)
    data = load_dataset(task.data, graph, task.loss)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        sources = generate(plan)
        image = build_image(sources.files, board, Path(folder), kernel_sources=sources.kernels)
        for seed in seeds:
            with open_device(image) as device:
                seeded = replace(plan, config=config.with_changes(seed=seed))
                found.append(Session(seeded, Link(device), data, lambda event: None).run())
    return found


def score(outcome: Outcome) -> float:
    """Held-out accuracy, or the loss where there is none."""
    assert outcome.after is not None
    return outcome.after.loss if outcome.after.accuracy is None else outcome.after.accuracy


def config_of(task: Task, precision: str, **more: Any) -> TrainConfig:
    """The settings of one row."""
    return TrainConfig(**{**task.settings, "precision": precision, **more})


def board_plan(task: Task, precision: str) -> Plan:
    """The plan whose bytes the table states: without the latents that only save time here."""
    config = config_of(task, precision, store=0, store_latents=False)
    return make_plan(load(task.model), config, load_board(BOARD))


def table(name: str, seeds: int) -> list[str]:
    """One line a precision, in Markdown."""
    task = TASKS[name]
    measure = "loss" if task.loss == "mse" else "accuracy"
    head = ("precision", "weights", "optimizer", "arena", "RAM", f"{measure}, by seed", "mean", "updates left out")
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for precision in PRECISIONS:
        plan = board_plan(task, precision)
        found = outcomes(task, config_of(task, precision), range(seeds))
        digits = 5 if measure == "loss" else 3
        listed = " ".join(f"{score(o):.{digits}f}" for o in found)
        sizes = " | ".join(f"{n:,}" for n in (plan.params.nbytes, plan.state.nbytes, plan.arena_bytes, plan.ram))
        skipped = sum(o.skipped or 0 for o in found)
        mean = float(np.mean([score(o) for o in found]))
        lines.append(f"| {precision} | {sizes} | {listed} | {mean:.{digits}f} | {skipped} |")
        print(lines[-1], file=sys.stderr, flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--task", choices=sorted(TASKS), action="append")
    options = parser.parse_args()
    for name in options.task or TASKS:
        print(f"\n### {name}\n")
        print("\n".join(table(name, options.seeds)), flush=True)


if __name__ == "__main__":
    main()
