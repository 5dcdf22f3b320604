"""Train the wearable example: a network for eight people's exercises, and the windows of a ninth person.

Writes `examples/wearable/wearable.onnx` and `examples/wearable/person9.npz`, then adapts the network to the ninth
person in torch, the way the device will, and prints a table over seeds. Deterministic: the same torch writes the
same bytes. Needs torch; everything runs on one CPU thread in about a minute.
"""

from __future__ import annotations

import argparse
import copy
import math
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from fetch_assets import fetch
from torch import nn

FOLDER = Path(__file__).resolve().parent.parent / "examples" / "wearable"
LENGTH = 128  # samples a window: 2.56 s at 50 Hz
PEOPLE = range(1, 9)  # who the network is trained on
EPOCHS = 20
NOISE = 0.3  # of a standard deviation; without it the network is too sure of itself to be adapted gently
SEED = 0


@dataclass(frozen=True)
class Split:
    """Windows (N, 6, 128) float32 and labels (N,) int64 of one person: to adapt on, and held out."""

    x_train: torch.Tensor
    y_train: torch.Tensor
    x_test: torch.Tensor
    y_test: torch.Tensor


@dataclass(frozen=True)
class Recipe:
    """How the device adapts: SGD with constant learning rate `lr`, or a cosine from it down to zero."""

    title: str
    lr: float
    momentum: float
    batch: int
    epochs: int
    cosine: bool = False
    head_only: bool = False


RECIPES = (
    Recipe("SGD, all layers (the example)", lr=0.005, momentum=0.0, batch=1, epochs=10),
    Recipe("SGD, all layers, cosine", lr=0.005, momentum=0.0, batch=1, epochs=15, cosine=True),
    Recipe("momentum 0.9, all layers, cosine", lr=0.003, momentum=0.9, batch=8, epochs=15, cosine=True),
    Recipe("SGD, last layer only", lr=0.005, momentum=0.0, batch=1, epochs=10, head_only=True),
)


class Net(nn.Module):
    """Three strided convolutions, an average over time, a linear layer: 8.5k weights. (N, 6, 128) to (N, 7)."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(6, 16, 5, stride=2, padding=2)
        self.conv2 = nn.Conv1d(16, 32, 5, stride=2, padding=2)
        self.conv3 = nn.Conv1d(32, 32, 5, stride=2, padding=2)
        self.relu1, self.relu2, self.relu3 = nn.ReLU(), nn.ReLU(), nn.ReLU()
        self.pool = nn.AdaptiveAvgPool1d(1)
        self.flatten = nn.Flatten()
        self.classify = nn.Linear(32, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes) of windows (N, 6, 128)."""
        x = self.relu1(self.conv1(x))
        x = self.relu2(self.conv2(x))
        x = self.relu3(self.conv3(x))
        logits: torch.Tensor = self.classify(self.flatten(self.pool(x)))
        return logits


class Recordings:
    """The 140 recordings, standardised per axis with the statistics of the people trained on."""

    def __init__(self, path: Path) -> None:
        # The file is a pickle; `fetch` has compared its checksum with the pinned one.
        raw = np.load(path, allow_pickle=True).item()
        self.classes = [str(name) for name in raw["y_labels"]]
        self.labels = np.asarray(raw["y"]).astype(np.int64)
        self.subjects = np.asarray(raw["subject"]).astype(np.int64)
        known = np.concatenate([x for x, who in zip(raw["X"], self.subjects, strict=True) if who in PEOPLE])
        self.mean, self.std = known.mean(axis=0), known.std(axis=0)
        self.signals = [((x - self.mean) / self.std).astype(np.float32) for x in raw["X"]]

    def of(self, who: int) -> list[int]:
        """The indices of one person's recordings."""
        return [int(i) for i in np.flatnonzero(self.subjects == who)]

    def cut(self, index: int, step: int) -> np.ndarray:
        """The windows of one recording in order of time, (N, 6, LENGTH)."""
        signal = self.signals[index]
        starts = range(0, len(signal) - LENGTH + 1, step)
        return np.stack([signal[start : start + LENGTH].T for start in starts])

    def windows(self, people: range) -> tuple[torch.Tensor, torch.Tensor]:
        """All windows of some people, overlapping by half: there is nothing to leak into between them."""
        parts = [(self.cut(i, LENGTH // 2), self.labels[i]) for who in people for i in self.of(who)]
        x = np.concatenate([part for part, _ in parts])
        y = np.concatenate([np.full(len(part), label) for part, label in parts])
        return torch.from_numpy(x), torch.from_numpy(y)

    def split(self, who: int) -> Split:
        """One person's windows: the first quarter of every recording to adapt on, the rest held out.

        Windows do not overlap, so no sample is in both parts, and what is held out comes later in time. Values
        go through float16, because that is how the archive stores them.
        """
        first, rest = [], []
        for index in self.of(who):
            windows = self.cut(index, LENGTH).astype(np.float16).astype(np.float32)
            quarter = round(len(windows) / 4)
            first.append((windows[:quarter], self.labels[index]))
            rest.append((windows[quarter:], self.labels[index]))
        arrays = []
        for parts in (first, rest):
            arrays.append(torch.from_numpy(np.concatenate([x for x, _ in parts])))
            arrays.append(torch.from_numpy(np.concatenate([np.full(len(x), label) for x, label in parts])))
        return Split(*arrays)


def pretrain(data: Recordings) -> Net:
    """The network after EPOCHS epochs on the people trained on."""
    torch.manual_seed(SEED)
    net = Net(len(data.classes))
    x, y = data.windows(PEOPLE)
    optimizer = torch.optim.Adam(net.parameters())
    steps = EPOCHS * math.ceil(len(x) / 32)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for epoch in range(EPOCHS):
        order = torch.randperm(len(x))
        total = 0.0
        for start in range(0, len(x), 32):
            chosen = order[start : start + 32]
            optimizer.zero_grad()
            noisy = x[chosen] + NOISE * torch.randn_like(x[chosen])
            loss = nn.functional.cross_entropy(net(noisy), y[chosen])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += loss.item() * len(chosen)
        say(f"epoch {epoch + 1:2}/{EPOCHS}  loss {total / len(x):.4f}")
    return net.eval()


def adapt(net: Net, person: Split, recipe: Recipe, seed: int) -> float:
    """Accuracy on the held-out windows after adapting a copy of `net`."""
    net = copy.deepcopy(net)
    trained = list((net.classify if recipe.head_only else net).parameters())
    optimizer = torch.optim.SGD(trained, recipe.lr, momentum=recipe.momentum)
    order = np.random.default_rng(seed)
    count = len(person.x_train)
    steps, done = recipe.epochs * math.ceil(count / recipe.batch), 0
    for _ in range(recipe.epochs):
        shuffled = torch.from_numpy(order.permutation(count))
        for start in range(0, count, recipe.batch):
            chosen = shuffled[start : start + recipe.batch]
            if recipe.cosine:
                optimizer.param_groups[0]["lr"] = recipe.lr * (1 + math.cos(math.pi * done / steps)) / 2
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(person.x_train[chosen]), person.y_train[chosen])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            done += 1
    return accuracy(net, person)


def accuracy(net: Net, person: Split) -> float:
    """The share of held-out windows classified correctly."""
    with torch.no_grad():
        return float((net(person.x_test).argmax(1) == person.y_test).double().mean())


def export(net: Net, path: Path) -> None:
    """Write the network as ONNX with a symbolic batch axis."""
    with warnings.catch_warnings():
        # The older exporter is deprecated, and kept: it needs no further package and stores no source paths.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            net,
            (torch.zeros(1, 6, LENGTH),),
            path,
            input_names=["window"],
            output_names=["logits"],
            dynamic_axes={"window": {0: "batch"}, "logits": {0: "batch"}},
            opset_version=17,
            dynamo=False,
        )


def save(data: Recordings, person: Split, path: Path) -> None:
    """Write the person's windows and what is needed to make more of them."""
    np.savez_compressed(
        path,
        x_train=person.x_train.numpy().astype(np.float16),
        y_train=person.y_train.numpy().astype(np.int32),
        x_test=person.x_test.numpy().astype(np.float16),
        y_test=person.y_test.numpy().astype(np.int32),
        classes=np.array(data.classes),
        mean=data.mean.astype(np.float32),
        std=data.std.astype(np.float32),
    )


def table(net: Net, person: Split, seeds: int) -> list[str]:
    """One line per recipe, in Markdown: accuracies on the held-out windows over `seeds` orders of the samples."""
    lines = [
        "| recipe | lr | batch | epochs | sample-steps | held-out accuracy, by seed | mean |",
        "|" + "---|" * 7,
    ]
    for recipe in RECIPES:
        scores = [adapt(net, person, recipe, seed) for seed in range(seeds)]
        listed = " ".join(f"{score:.3f}" for score in scores)
        work = recipe.epochs * len(person.x_train)
        lines.append(
            f"| {recipe.title} | {recipe.lr} | {recipe.batch} | {recipe.epochs} | {work} | {listed} "
            f"| {np.mean(scores):.3f} |"
        )
    return lines


def say(line: str) -> None:
    """Progress, on stderr."""
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """Train, write both files, print the table."""
    parser = argparse.ArgumentParser(description="Train the wearable example and write its model and data.")
    parser.add_argument("--seeds", type=int, default=5, help="orders of the samples to measure (default 5)")
    parser.add_argument("--person", type=int, default=9, choices=(9, 10), help="whom to adapt to (default 9)")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder to write to")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    data = Recordings(fetch("watch"))
    net, person = pretrain(data), data.split(args.person)
    args.out.mkdir(parents=True, exist_ok=True)
    export(net, args.out / "wearable.onnx")
    save(data, person, args.out / f"person{args.person}.npz")
    print(f"person {args.person}: {len(person.x_train)} windows to adapt on, {len(person.x_test)} held out")
    print(f"accuracy before: {accuracy(net, person):.3f}")
    print("\n".join(table(net, person, args.seeds)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
