"""Compare training methods on two real tasks: MobileNets that this script trains, adapted by the boards' own C.

* watch: a MobileNetV3 for signals (hard-swish, squeeze and excitation) knows the exercises of eight people and adapts
  to a ninth, whose windows are those of `examples/wearable`.
* digits: a MobileNetV2 (ReLU6) knows the handwritten digits 0 to 4 and learns 5 to 9 from 40 examples of each.

`--pretrain` writes the two models and the digits to `tests/assets/`; it needs torch and takes a few minutes. Without
it, the models there are adapted on the host, for each method and seed, and the tables of docs/METHODS.md are printed.
BatchNorm stays a layer of its own in the files: MobileTL trains its shift.
"""

from __future__ import annotations

import argparse
import gzip
import math
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from edgelearn.session import Session

if TYPE_CHECKING:
    import torch
    from torch import nn

ROOT = Path(__file__).resolve().parent.parent
ASSETS = ROOT / "tests" / "assets"
EACH, HELD_OUT = 40, 1000  # digits to learn from, of each class, and to test with
LEVELS = 16  # of grey
BOARD = "qemu-m4"  # whose RAM is stated


@dataclass(frozen=True)
class Task:
    """A model, its data, and the settings that all methods share; `blocks` is how many of them train."""

    model: Path
    data: Path
    blocks: int
    settings: Mapping[str, Any]


TASKS = {
    "watch": Task(
        ASSETS / "watch_v3.onnx", ROOT / "examples" / "wearable" / "person9.npz", 2, {"lr": 0.005, "epochs": 15}
    ),
    "digits": Task(ASSETS / "digits_v2.onnx", ASSETS / "digits.npz", 2, {"lr": 0.005, "epochs": 15}),
}
# Settings beside the task's own. `blocks` is filled in by the task.
METHODS: dict[str, dict[str, Any]] = {
    "head only": {"method": "last"},
    "biases of the blocks": {"method": "bias", "blocks": True},
    "a quarter of the blocks' channels": {"method": "sparse", "blocks": True},
    "the blocks": {"method": "full", "blocks": True},
    "MobileTL of the blocks": {"method": "mobiletl", "blocks": True},
    "MobileTL, exact derivative": {"method": "mobiletl", "blocks": True, "exact_derivative": True},
    "everything": {"method": "full"},
}


def config_of(task: Task, method: str, **more: Any) -> TrainConfig:
    """The settings of one row."""
    own = METHODS[method]
    blocks = {"blocks": task.blocks} if own.get("blocks") else {}
    return TrainConfig(**{**task.settings, **own, **blocks, **more})


def scores(task: Task, config: TrainConfig, seeds: Sequence[int]) -> list[float]:
    """Held-out accuracy after training on the host, by seed; NumbersError if it is not what the reference computes."""
    graph, board = load(task.model), load_board("host")
    plan = make_plan(graph, config, board)
    data = load_dataset(task.data, graph, "cross-entropy")
    found = []
    with tempfile.TemporaryDirectory() as folder:
        sources = generate(plan)
        image = build_image(sources.files, board, Path(folder), kernel_sources=sources.kernels)
        for seed in seeds:
            with open_device(image) as device:
                seeded = replace(plan, config=config.with_changes(seed=seed))
                outcome = Session(seeded, Link(device), data, lambda event: None).run()
            assert outcome.after is not None
            assert outcome.after.accuracy is not None
            found.append(outcome.after.accuracy)
    return found


def board_plan(task: Task, config: TrainConfig) -> Plan:
    """The plan whose bytes and multiplications the table states."""
    return make_plan(load(task.model), config, load_board(BOARD))


def table(name: str, seeds: int) -> list[str]:
    """One line a method, in Markdown."""
    task = TASKS[name]
    lines = [
        "| what trains | weights | kept for backward | arena | RAM | training MACs | accuracy, by seed | mean |",
        "|" + "---|" * 8,
    ]
    known: dict[str, list[float]] = {}
    for method in METHODS:
        config = config_of(task, method)
        plan = board_plan(task, config)
        # What is the same program is run once.
        key = repr([(s.node.op, s.node.inputs, s.node.outputs) for s in plan.schedule.steps])
        if key not in known:
            known[key] = scores(task, config, range(seeds))
        weights, kept = sum(t.count for t, _ in plan.params.tensors), sum(t.nbytes for t in plan.kept())
        sizes = " | ".join(f"{n:,}" for n in (weights, kept, plan.arena_bytes, plan.ram, plan.training_macs))
        listed = " ".join(f"{score:.3f}" for score in known[key])
        lines.append(f"| {method} | {sizes} | {listed} | {np.mean(known[key]):.3f} |")
        print(lines[-1], file=sys.stderr, flush=True)
    return lines


# What follows makes the models, with torch.


def digits() -> tuple[np.ndarray, np.ndarray]:
    """5,000 digits (N, 1, 28, 28) float32 in LEVELS steps from -1 to 1 and their labels, in a fixed random order."""
    from fetch_assets import fetch

    with gzip.open(fetch("mnist"), "rt") as lines:
        rows = np.loadtxt(lines, delimiter=",", dtype=np.uint8)
    rows = rows[np.random.default_rng(0).permutation(len(rows))]
    ink = rows[:, :-1].reshape(-1, 1, 28, 28) // (256 // LEVELS)
    return (ink / np.float32((LEVELS - 1) / 2) - 1).astype(np.float32), rows[:, -1].astype(int)


def new_digits(x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """5 to 9 as classes 0 to 4: EACH of every class to learn from, HELD_OUT of the others to test with."""
    chosen = np.concatenate([np.flatnonzero(y == k)[:EACH] for k in range(5, 10)])
    rest = np.setdiff1d(np.flatnonzero(y >= 5), chosen)[:HELD_OUT]
    parts = {"train": np.sort(chosen), "test": rest}
    arrays: dict[str, np.ndarray] = {}
    for part, index in parts.items():
        arrays |= {f"x_{part}": x[index].astype(np.float16), f"y_{part}": (y[index] - 5).astype(np.int32)}
    return arrays


def _convolution(axes: int, *sizes: int, **more: Any) -> nn.Module:
    from torch import nn

    return (nn.Conv1d if axes == 1 else nn.Conv2d)(*sizes, **more)  # type: ignore[arg-type]


def _normed(axes: int, inside: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    from torch import nn

    own = {"stride": stride, "padding": kernel // 2, "groups": groups, "bias": False}
    return [_convolution(axes, inside, out, kernel, **own), (nn.BatchNorm1d if axes == 1 else nn.BatchNorm2d)(out)]


def make_net(axes: int, stem: Sequence[int], blocks: Sequence[tuple[int, int, int, bool]], classes: int) -> nn.Module:
    """A net of inverted residual blocks, one axis or two.

    `stem`: input channels, channels, kernel. A block is its channels, factor, stride, and whether it has a gate; with
    gates anywhere the activation is hard-swish, else ReLU6.
    """
    from torch import nn

    signed = any(gate for *_, gate in blocks)
    kernel = stem[2]

    def act() -> nn.Module:
        return nn.Hardswish() if signed else nn.ReLU6()

    def mean() -> nn.Module:
        return nn.AdaptiveAvgPool1d(1) if axes == 1 else nn.AdaptiveAvgPool2d(1)

    class Gate(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            few = max(4, channels // 4)
            self.pool, self.less, self.relu = mean(), _convolution(axes, channels, few, 1), nn.ReLU()
            self.more, self.gate = _convolution(axes, few, channels, 1), nn.Hardsigmoid()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            factor: torch.Tensor = self.gate(self.more(self.relu(self.less(self.pool(x)))))
            return x * factor

    class Block(nn.Module):
        def __init__(self, inside: int, out: int, factor: int, stride: int, gate: bool) -> None:
            super().__init__()
            wide = inside * factor
            layers = [*_normed(axes, inside, wide, 1), act()] if factor > 1 else []
            layers += [*_normed(axes, wide, wide, kernel, stride, wide), act(), *([Gate(wide)] if gate else [])]
            self.layers = nn.Sequential(*layers, *_normed(axes, wide, out, 1))
            self.adds = stride == 1 and inside == out

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = self.layers(x)
            return x + y if self.adds else y

    layers: list[nn.Module] = [*_normed(axes, stem[0], stem[1], kernel, 2), act()]
    channels = stem[1]
    for out, factor, stride, gate in blocks:
        layers.append(Block(channels, out, factor, stride, gate))
        channels = out
    return nn.Sequential(*layers, mean(), nn.Flatten(), nn.Linear(channels, classes))


def pretrain(net: nn.Module, x: torch.Tensor, y: torch.Tensor, epochs: int, noise: float) -> nn.Module:
    """Adam with a one-cycle learning rate, batches of 32."""
    import torch
    from torch import nn

    optimizer = torch.optim.Adam(net.parameters())
    steps = epochs * math.ceil(len(x) / 32)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for epoch in range(epochs):
        total, order = 0.0, torch.randperm(len(x))
        for start in range(0, len(x), 32):
            chosen = order[start : start + 32]
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(x[chosen] + noise * torch.randn_like(x[chosen])), y[chosen])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += loss.item() * len(chosen)
        print(f"epoch {epoch + 1:2}/{epochs}  loss {total / len(x):.4f}", file=sys.stderr, flush=True)
    return net.eval()


def export(net: nn.Module, shape: Sequence[int], path: Path) -> None:
    """Write the network as ONNX, BatchNorm and all."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the older exporter, which is kept: it stores no source paths
        mode = torch.onnx.TrainingMode.PRESERVE  # the default folds BatchNorm
        torch.onnx.export(
            net, (torch.zeros(1, *shape),), path, input_names=["x"], output_names=["logits"],
            opset_version=17, training=mode, do_constant_folding=False, dynamo=False,
        )  # fmt: skip


def make_models(names: Sequence[str]) -> None:
    """Pretrain and write the models, and the digits."""
    import torch
    from fetch_assets import fetch
    from train_wearable import PEOPLE, Recordings

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    ASSETS.mkdir(exist_ok=True)
    if "watch" in names:
        torch.manual_seed(0)
        data = Recordings(fetch("watch"))
        blocks = ((16, 2, 2, True), (24, 3, 2, True), (24, 3, 1, True))
        net = make_net(1, (6, 16, 5), blocks, len(data.classes))
        seen, labels = data.windows(PEOPLE)
        export(pretrain(net, seen, labels, 20, 0.3), (6, 128), TASKS["watch"].model)
    if "digits" in names:
        torch.manual_seed(0)
        x, y = digits()
        np.savez_compressed(TASKS["digits"].data, **new_digits(x, y))  # type: ignore[arg-type]
        seen, labels = torch.from_numpy(x[y < 5]), torch.from_numpy(y[y < 5])
        net = make_net(2, (1, 8, 3), ((8, 1, 1, False), (12, 4, 2, False), (12, 4, 1, False), (16, 4, 2, False)), 5)
        export(pretrain(net, seen, labels, 10, 0.2), (1, 28, 28), TASKS["digits"].model)


def main() -> int:
    """Write the models, or print the tables."""
    parser = argparse.ArgumentParser(description="Compare training methods on real tasks.")
    parser.add_argument("--pretrain", action="store_true", help="train and write the models")
    parser.add_argument("--seeds", type=int, default=5, help="orders of the samples to measure (default 5)")
    parser.add_argument("--task", choices=tuple(TASKS), action="append", help="only this one")
    args = parser.parse_args()
    names = args.task or list(TASKS)
    if args.pretrain:
        make_models(names)
        return 0
    for name in names:
        print(f"{name}\n", *table(name, args.seeds), "", sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
