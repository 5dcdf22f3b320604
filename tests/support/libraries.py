"""Libraries of `edgelearn build --library`, compiled as Arduino compiles them, and the usual path beside them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgelearn.build import Image
from edgelearn.device import open_device
from edgelearn.link import Link
from edgelearn.plan import Plan
from edgelearn.session import encode, hyper_of

HERE = Path(__file__).parent
STRICT = ("-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wcast-align", "-Werror", "-Wno-unused-macros")
ROUNDS = 3  # of library_driver.c


@dataclass(frozen=True)
class Result:
    """What the driver says: a loss for each step, that of sample 0 after them, steps, its prediction, the weights."""

    losses: np.ndarray
    after: float
    steps: int
    output: np.ndarray
    weights: bytes


def compile_library(folder: Path, out: Path, compiler: str, *flags: str) -> list[str]:
    """Objects of all C files below src/, each compiled by itself; any warning is an error."""
    out.mkdir(parents=True, exist_ok=True)
    objects = []
    for k, path in enumerate(sorted((folder / "src").rglob("*.c"))):
        objects.append(str(out / f"{path.stem}-{k}.o"))
        run([compiler, *flags, *STRICT, f"-I{folder / 'src'}", "-c", str(path), "-o", objects[-1]])
    return objects


def run(command: Sequence[str]) -> str:
    """What a command prints; what it complains of where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def read_result(said: bytes, plan: Plan, examples: int) -> Result:
    """The driver's bytes, taken apart."""
    steps, outputs = ROUNDS * examples, plan.graph.tensors[plan.graph.outputs[0]].count
    floats = np.frombuffer(said[: 4 * (steps + 2 + outputs)], "<f4")
    weights = said[4 * (steps + 2 + outputs) :]
    assert len(weights) == plan.params.used
    count = int(np.frombuffer(said[4 * (steps + 1) :][:4], "<u4")[0])
    return Result(floats[:steps], float(floats[steps]), count, floats[steps + 2 :], weights)


def usual_path(image: Image, plan: Plan, x: np.ndarray, y: np.ndarray) -> Result:
    """The same over the link: samples that are sent, and a host that reads weights back."""
    samples = encode(plan, x, y).wire
    with open_device(image) as device:
        link = Link(device)
        link.hello(plan.hash)
        link.configure(hyper_of(plan.config, len(x)))
        losses = [r.loss for _ in range(ROUNDS) for r in link.train_many(samples)]
        after = link.evaluate(*samples[0]).loss
        steps = link.status().step
        output = link.infer(samples[0][0])
        weights = link.read("params")
    return Result(np.array(losses, np.float32), after, steps, np.asarray(output).reshape(-1), bytes(weights))
