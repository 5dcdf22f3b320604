"""What shift weights are worth on real tasks, beside float32 and int8: the tables of docs/SHIFT.md.

A watch's exercises: the network for eight people is tuned on their windows and tried on two others'. Keywords: a DS-CNN
with BatchNorm, trained on other words, learns twelve new ones. All rows are tuned alike, the float one too. Everything
but the last layer is frozen then, as on a board that trains it; flash is that of weights, instructions are those of a
sample's way through the net, with the kernels that a plan for the board chooses.
"""

from __future__ import annotations

import argparse
import functools
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from edgelearn import boards
from edgelearn.calibrate import calibrate, pick
from edgelearn.config import TrainConfig
from edgelearn.data import Dataset, load_dataset
from edgelearn.importers import load
from edgelearn.plan import Plan, make_plan
from edgelearn.reference import Reference
from edgelearn.session import encode
from edgelearn.shift import choose, files, norms
from edgelearn.shift.torch_network import TorchNetwork
from edgelearn.shift.tuning import Settings, Tuning
from edgelearn.verdict import threshold, verdicts
from tools.bench import counting, probe
from tools.bench.prefixes import calls
from tools.fetch_assets import fetch

ROOT = Path(__file__).resolve().parents[1]
BOARDS = ("qemu-m4", "qemu-m3", "qemu-rv32imac", "qemu-rv32i")
BITS = (0, 4, 3, 2)  # 0: weights stay float
STRANGERS = range(9, 11)
CALIBRATION = 128


@dataclass(frozen=True)
class Task:
    """A model, samples to tune it with and to try it on, and how it is tuned."""

    model: Callable[[], Path]
    data: Callable[[Path], Path]
    settings: Settings


def _people(folder: Path) -> Path:
    """Windows of the people that the wearable's network knows, and of two that it does not."""
    sys.path.insert(0, str(ROOT / "tools"))
    from train_wearable import PEOPLE, Recordings

    recordings = Recordings(fetch("watch"))
    (x, y), (x_test, y_test) = recordings.windows(PEOPLE), recordings.windows(STRANGERS)
    path = folder / "people.npz"
    np.savez(path, x_train=x.numpy(), y_train=y.numpy(), x_test=x_test.numpy(), y_test=y_test.numpy())
    return path


def _keywords() -> Path:
    from tools.keras_models import make

    return make("keyword_spotting")


TASKS: Mapping[str, Task] = {
    "wearable": Task(lambda: ROOT / "examples/wearable/wearable.onnx", _people, Settings(epochs=40, batch=32, lr=0.02)),
    "keywords": Task(
        _keywords, lambda folder: ROOT / "examples/keywords/words.npz", Settings(epochs=30, batch=32, lr=0.005)
    ),
}


@functools.cache
def samples(name: str) -> Dataset:
    """What a task's models are tuned with and tried on."""
    task = TASKS[name]
    with tempfile.TemporaryDirectory() as folder:
        return load_dataset(task.data(Path(folder)), load(task.model()), "cross-entropy")


def tune(name: str, bits: int, seed: int, out: Path) -> None:
    """Write a task's model, tuned with shift weights of so many bits, or in float with none."""
    task, data = TASKS[name], samples(name)
    source = task.model()
    graph = load(source)
    nodes = choose.pick(graph, ()) if bits else []
    begun = choose.start(graph, nodes, bits or 2, np.random.default_rng(seed), fresh=False, loss="cross-entropy")
    x = graph.meta["input"].to_device(data.x_train)
    live = files.epsilons(source, graph)
    others = norms.unfused(graph, live)
    begun = norms.revive(begun, others, x)
    live |= {node.inputs[3]: norms.EPSILON for node in others}
    settings = Settings(task.settings.epochs, task.settings.batch, task.settings.lr, seed=seed)
    tuning = Tuning(TorchNetwork(begun.graph, live), begun.shifted, begun.values, settings)
    for _ in range(settings.epochs):
        tuning.run(x, data.y_train)
    files.write(source, graph, tuning.values, begun.shifted, live, out)


def plan_of(model: Path, board: str, name: str, *, int8: bool) -> Plan:
    """The plan of a model whose last layer trains."""
    graph, data = load(model), samples(name)
    if int8:
        seen = data.x_train[pick(len(data.x_train), CALIBRATION, 0)]
        ranges = calibrate(graph, graph.meta["input"].to_device(seen))
        graph = graph.replace(meta={**graph.meta, "ranges": ranges})
    return make_plan(graph, TrainConfig(train="last", int8_prefix=int8), boards.load(board))


def accuracy(plan: Plan, name: str) -> float:
    """The share of held-out samples that the plan's reference knows, before it trains."""
    data = samples(name)
    encoded = encode(plan, data.x_test, data.y_test)
    reference, output, limit = Reference(plan.graph, np.float32), plan.graph.outputs[0], threshold(plan.graph)
    right = 0
    for x, y in zip(encoded.x, encoded.y, strict=True):
        reference.loss(x, y)
        right += int(verdicts(reference.values[output].reshape(1, -1), limit)[0] == y[0])
    return right / len(data.x_test)


def count(plan: Plan) -> tuple[int, int]:
    """Multiply-accumulates of a sample's way to the loss, and what the board executes for it."""
    board = plan.board
    benches = list(calls(plan))
    method = counting.choose(board).method
    results = probe.run(board.id, [probe.call_of(b.args, b.kernel) for b in benches if b.kernel], count=method)
    return sum(b.macs for b in benches), sum(r.instructions or 0 for r in results)


def tuned(name: str, bits: int, seeds: Sequence[int], folder: Path) -> list[Path]:
    """The tuned models, those that are not in the folder yet made."""
    models = [folder / f"{name}-{bits}-{seed}.onnx" for seed in seeds]
    for seed, model in zip(seeds, models, strict=True):
        if not model.exists():
            tune(name, bits, seed, model)
    return models


def rows(name: str, seeds: Sequence[int], folder: Path, *, int8: bool) -> list[str]:
    """One line a format, in Markdown."""
    lines = []
    for bits in BITS:
        models = tuned(name, bits, seeds, folder)
        plans = [plan_of(model, BOARDS[0], name, int8=int8) for model in models]
        mean = 100 * float(np.mean([accuracy(plan, name) for plan in plans]))
        counted = []
        for board in BOARDS:
            macs, insn = count(plan_of(models[0], board, name, int8=int8))
            counted.append(f"{insn / macs:.2f}")
        title = f"shifts of {bits} bits" if bits else "int8" if int8 else "float32"
        title += ", int8 activations" if int8 and bits else ""
        lines.append(f"| {title} | {mean:.1f} | {plans[0].model_flash:,} | {' | '.join(counted)} |")
        print(lines[-1], file=sys.stderr, flush=True)
    return lines


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--task", choices=sorted(TASKS), action="append")
    parser.add_argument("--models", type=Path, default=ROOT / ".cache/shift", help="folder for tuned models, kept")
    options = parser.parse_args()
    options.models.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for name in options.task or TASKS:
        print(f"\n### {name}\n\n| weights | accuracy | flash | {' | '.join(f'`{board}`' for board in BOARDS)} |")
        print("|" + "---|" * (3 + len(BOARDS)))
        for int8 in (False, True):
            print("\n".join(rows(name, range(options.seeds), options.models, int8=int8)), flush=True)


if __name__ == "__main__":
    main()
