"""Measure what latent replay is worth: the tables of docs/REPLAY.md.

The classes of an example come in phases, each seen for some epochs and then never again. A native process of the same C
as on a board gives the latents of all samples; the head then takes the board's steps in numpy, with the board's
reservoir, once a seed. Needs a C compiler; it takes minutes.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgelearn.boards import load as load_board
from edgelearn.build import build_image
from edgelearn.codegen import generate
from edgelearn.config import TrainConfig
from edgelearn.data import load_dataset
from edgelearn.device import open_device
from edgelearn.importers import load as load_model
from edgelearn.link import Link
from edgelearn.ops.optimizers import Optim
from edgelearn.plan import Plan, make_plan
from edgelearn.reference import Reference
from edgelearn.rehearsal import phases
from edgelearn.replay import Reservoir
from edgelearn.session import encode, hyper_of
from edgelearn.wire import Op

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
Latents = list[Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Task:
    """An example whose classes come in phases, so many classes in each."""

    name: str
    model: str
    data: str
    classes: tuple[int, ...]
    train: Mapping[str, Any] = field(default_factory=dict)

    def phase_of(self, labels: np.ndarray) -> np.ndarray:
        """The phase of each label."""
        return np.searchsorted(np.cumsum(self.classes), labels, side="right")


HEAD = {"train": "last", "lr": 0.1, "epochs": 3}
TASKS = (
    Task("digits, 0 to 4, then 5 to 9", "digits/resnet8.tflite", "digits/digits.npz", (5, 5), HEAD),
    Task("digits, two at a time", "digits/resnet8.tflite", "digits/digits.npz", (2,) * 5, HEAD),
)
WAYS: dict[str, dict[str, Any]] = {
    "without replay": {},
    "20 latents, 2 a sample": {"replay": 20, "replay_ratio": 2},
    "50 latents, 2 a sample": {"replay": 50, "replay_ratio": 2},
    "100 latents, 2 a sample": {"replay": 100, "replay_ratio": 2},
    "100 latents, 4 a sample": {"replay": 100, "replay_ratio": 4},
    "200 latents, 4 a sample": {"replay": 200, "replay_ratio": 4},
    "all classes at once": {"together": True},
    "all classes at once, 15 epochs": {"together": True, "epochs": 15},
}


def latents_of(plan: Plan, samples: Any) -> Latents:
    """What crosses the cut for each sample, as a native process of a plan that has room for all of them keeps it."""
    with tempfile.TemporaryDirectory() as folder:
        sources = generate(plan)
        image = build_image(sources.files, plan.board, Path(folder), kernel_sources=sources.kernels)
        with open_device(image) as device:
            link = Link(device)
            link.hello(plan.hash)
            link.write("replay", plan.latents.pack_head(Reservoir(len(samples), 1, 0), {}, 0)[:16], at=0)
            for _ in link.run_many(Op.OFFER, samples.wire):
                pass
            places = (plan.latents.place(slot) for slot in range(len(samples)))
            return [plan.latents.recall(link.read("replay", at, count), {}) for at, count in places]


class Run:
    """One run of the head over phases, as a board would take it."""

    def __init__(self, plan: Plan, latents: Latents, labels: np.ndarray, order: np.ndarray) -> None:
        config = plan.config
        self.plan, self.latents, self.labels = plan, latents, labels
        self.parts = [members for _, members in phases(order, len(labels))]
        hyper = hyper_of(config, *(len(members) for members in self.parts))
        self.reference = Reference(plan.graph, np.float32, lambda step: Optim(lr=hyper.lr_at(step)))
        self.reservoir = Reservoir(config.replay, plan.latents.classes, config.seed)

    def train(self) -> None:
        """All phases."""
        contents: dict[int, int] = {}
        for k, new in self._samples():
            slot = self.reservoir.offer(int(self.labels[k])) if new and self.plan.config.replay else None
            if slot is not None:
                contents[slot] = k
            self.reference.replay(self.latents[k], self.labels[k])
            ratio = self.plan.config.replay_ratio if self.plan.config.replay else 0
            for drawn in self.reservoir.draws(ratio, slot):
                self.reference.replay(self.latents[contents[drawn]], self.reservoir.labels[drawn])

    def _samples(self) -> Iterator[tuple[int, bool]]:
        generator = np.random.default_rng(self.plan.config.seed)
        for members in self.parts:
            for epoch in range(self.plan.config.epochs):
                yield from ((int(k), epoch == 0) for k in generator.permutation(members))

    def right(self, latents: Latents, labels: np.ndarray) -> np.ndarray:
        """Whether each prediction is right."""
        found = [int(np.argmax(self.reference.head(one))) for one in latents]
        return np.asarray(np.array(found) == labels)


def measure(task: Task, seeds: int) -> Iterator[str]:
    """The rows of a table."""
    graph, board = load_model(EXAMPLES / task.model), load_board("host")
    data = load_dataset(EXAMPLES / task.data, graph, "cross-entropy")
    count = len(data.x_train) + len(data.x_test)
    plan = make_plan(graph, TrainConfig(**task.train, replay=count, latents="f32"), board)
    joined = encode(plan, np.concatenate([data.x_train, data.x_test]), np.concatenate([data.y_train, data.y_test]))
    found = latents_of(plan, joined)
    known, held = found[: len(data.x_train)], found[len(data.x_train) :]
    order, tested = task.phase_of(data.y_train), task.phase_of(data.y_test)
    for way, settings in WAYS.items():
        chosen = {k: v for k, v in settings.items() if k != "together"}
        shares = []
        memory = 0
        for seed in range(seeds):
            config = plan.config.with_changes(seed=seed, **({"replay": 0} | chosen))
            memory = plan.latents.nbytes(config.replay)
            # The cut stays marked whatever is kept.
            run = Run(replace(plan, config=config), known, data.y_train, 0 * order if "together" in settings else order)
            run.train()
            right = run.right(held, data.y_test)
            shares.append([right[tested < tested.max()].mean(), right[tested == tested.max()].mean(), right.mean()])
        means, spread = np.mean(shares, axis=0), np.std(shares, axis=0)
        cells = (f"{m:.3f} ± {s:.3f}" for m, s in zip(means, spread, strict=True))
        yield f"| {way} | {memory:,} | {' | '.join(cells)} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    for task in TASKS:
        print(
            f"\n{task.name}\n\n| | bytes kept | earlier classes | last classes | all |\n|---|---|---|---|---|",
            flush=True,
        )
        for row in measure(task, options.seeds):
            print(row, flush=True)


if __name__ == "__main__":
    main()
