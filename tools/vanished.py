"""What a loss leaves of its gradient in halves, after training: the table on StableMax in docs/FP16.md."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from edgelearn.config import TrainConfig
from edgelearn.data import load_dataset
from edgelearn.export import export_model
from edgelearn.importers import load
from edgelearn.interpreter import open_interpreter
from edgelearn.ops import OPS
from edgelearn.passes.differentiate import LOSSES
from edgelearn.session import Outcome
from tools.compare_precision import TASKS, Task, config_of, outcomes, score

COMPARED = ("cross-entropy", "stablemax")
SCALES = (1.0, TrainConfig().loss_scale)


def vanished(task: Task, outcome: Outcome, loss: str, scale: float) -> float:
    """The share of elements of d logits, over the training samples, that are zero as halves."""
    graph = load(task.model)
    data = load_dataset(task.data, graph, loss)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"trained{task.model.suffix}"
        export_model(task.model, graph, outcome.weights, path)
        logits = open_interpreter(path, graph.meta.get("batch_axes", (0, 0))).predict(data.x_train)
    step = OPS[f"{LOSSES[loss]}_bwd"]
    gradients = [
        step.compute({"scale": scale}, z.reshape(-1).astype(np.float32), np.array([y], np.uint32))[0].astype(np.float16)
        for z, y in zip(logits, data.y_train, strict=True)
    ]
    return float(np.mean(np.stack(gradients) == 0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--task", choices=("wearable", "digits"), default="wearable", help="models that end in logits")
    options = parser.parse_args()
    task = TASKS[options.task]
    for loss in COMPARED:
        found = outcomes(task, config_of(task, "fp16", loss=loss), range(options.seeds))
        shares = " | ".join(f"{vanished(task, found[0], loss, scale):.1%}" for scale in SCALES)
        print(f"| {options.task}, {loss} | {shares} | {' '.join(f'{score(o):.3f}' for o in found)} |", flush=True)


if __name__ == "__main__":
    main()
