"""What piecewise affine products are worth: examples trained on the host with float products, `pam` and `pam-exact`, by
seed, and what the trained weights are worth where ordinary products compute; tables of docs/PAM.md."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import get_args, get_type_hints

import numpy as np

from edgelearn.boards import load as load_board
from edgelearn.config import TrainConfig
from edgelearn.data import load_dataset
from edgelearn.formats import F32
from edgelearn.graph import Graph
from edgelearn.importers import load
from edgelearn.passes.multiply import FLOAT
from edgelearn.plan import make_plan
from edgelearn.reference import Reference
from edgelearn.session import Outcome
from edgelearn.training import training_graph
from tools.compare_precision import TASKS, Task, config_of, outcomes, score

BOARD = "qemu-m3"  # whose RAM is stated
PRODUCTS: tuple[str, ...] = get_args(get_type_hints(TrainConfig)["multiply"])
NAMES = ("wearable", "digits", "keywords")


def in_floats(task: Task, outcome: Outcome) -> float | None:
    """Held-out accuracy of the trained weights, as the user's file has them, with ordinary products; None where that
    file has integers.
    """
    source = load(task.model)
    if any(source.tensors[name].format is not F32 for name in outcome.weights):
        return None
    data = load_dataset(task.data, source, task.loss)
    held = {n: replace(source.tensors[n], data=w.reshape(source.tensors[n].shape)) for n, w in outcome.weights.items()}
    trained: Graph = source.replace(tensors={**source.tensors, **held})
    model = Reference(training_graph(trained, config_of(task, "fp32", multiply=FLOAT), thrifty=False))
    layout = source.meta["input"]
    found = [int(np.argmax(model.forward(layout.to_device(x[None])[0]))) for x in data.x_test]
    return float(np.mean(np.array(found) == np.asarray(data.y_test).reshape(-1)))


def table(name: str, seeds: int) -> list[str]:
    """One line a kind of product, in Markdown."""
    task = TASKS[name]
    head = ("products", "RAM", "accuracy before", "accuracy, by seed", "mean", "with float products")
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for multiply in PRODUCTS:
        small = config_of(task, "fp32", multiply=multiply, store=0, store_latents=False)
        ram = make_plan(load(task.model), small, load_board(BOARD)).ram
        found = outcomes(task, config_of(task, "fp32", multiply=multiply), range(seeds))
        before = found[0].before
        assert before is not None
        listed = " ".join(f"{score(o):.3f}" for o in found)
        mean, plain = float(np.mean([score(o) for o in found])), [in_floats(task, o) for o in found]
        known = [accuracy for accuracy in plain if accuracy is not None]
        last = f"{np.mean(known):.3f}" if known else ""
        lines.append(f"| {multiply} | {ram:,} | {before.accuracy:.3f} | {listed} | {mean:.3f} | {last} |")
        print(lines[-1], file=sys.stderr, flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--task", choices=NAMES, action="append")
    options = parser.parse_args()
    for name in options.task or NAMES:
        print(f"\n### {name}\n")
        print("\n".join(table(name, options.seeds)), flush=True)


if __name__ == "__main__":
    main()
