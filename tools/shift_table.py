"""Reproduce the accuracy of DenseShift weights on handwritten digits, as a table: bits, and how latents begin.

A perceptron 64-64-64-10 with BatchNorm on 1,797 digits of 8 x 8, four fifths to train on, 40 epochs of SGD with a rate
of 0.02. The first two layers are shifted. Latents with a standard deviation of 1e-3 beside those of He's
initialisation: Li et al., ICCV 2023, section 4.3. Three seeds take a minute or two.
"""

from __future__ import annotations

import argparse
import gzip
import math
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from edgelearn.graph import Graph, Layout, Node, Role, Tensor
from edgelearn.passes.differentiate import differentiate
from edgelearn.passes.partition import partition
from edgelearn.shift import latents
from edgelearn.shift.network import Network
from edgelearn.shift.tuning import Settings, Shifted, Tuning
from tools.fetch_assets import fetch

WIDTH, CLASSES, TRAINED = 64, 10, 1437
EPOCHS, BATCH, LR = 40, 64, 0.02
HE = math.sqrt(2 / WIDTH)
ROWS = ((0, 0.0), *((bits, spread) for spread in (latents.SPREAD, HE) for bits in latents.BITS))
HIDDEN = ("first", "second")


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N, 64) float32 between 0 and 1, and what they show (N,) int64."""
    with gzip.open(fetch("optical-digits"), "rt") as file:
        rows = np.loadtxt(file, delimiter=",")
    return (rows[:, :WIDTH] / 16).astype(np.float32), rows[:, WIDTH].astype(np.int64)


def perceptron(seed: int) -> Graph:
    """64-64-64-10 with BatchNorm and ReLU behind the first two layers, its loss and backward pass attached."""
    rng = np.random.default_rng(seed)
    tensors = {"x": Tensor("x", (WIDTH,), Role.INPUT)}
    nodes: list[Node] = []
    last = "x"

    def const(name: str, value: np.ndarray) -> str:
        tensors[name] = Tensor(name, value.shape, Role.CONST, data=value.astype(np.float32))
        return name

    def add(op: str, *weights: str, size: int = WIDTH, **attrs: float) -> None:
        nonlocal last
        name = f"{op}{len(nodes)}"
        tensors[name] = Tensor(name, (size,), Role.ACT)
        nodes.append(Node(op, name, (last, *weights), (name,), attrs))
        last = name

    for name in HIDDEN:
        add("dense", const(name, rng.normal(0, HE, (WIDTH, WIDTH))), "")
        parts = {"gamma": 1.0, "beta": 0.0, "mean": 0.0, "inv_std": 1.0}
        add("batch_norm", *(const(f"{name}_{part}", np.full(WIDTH, value)) for part, value in parts.items()))
        add("relu", slope=0.0, max=math.inf)
    head = const("head", rng.normal(0, 1 / math.sqrt(WIDTH), (CLASSES, WIDTH)))
    add("dense", head, const("bias", np.zeros(CLASSES)), size=CLASSES)
    ends = {"input": Layout("x", (WIDTH,), (0,), (WIDTH,)), "output": Layout(last, (CLASSES,), (0,), (CLASSES,))}
    graph = Graph("digits", tensors, tuple(nodes), ("x",), (last,), ends)
    trained = {t.name for t in tensors.values() if t.data is not None and not t.name.endswith(("mean", "inv_std"))}
    return differentiate(partition(graph, trained), "cross-entropy", 1)


def measure(x: np.ndarray, y: np.ndarray, bits: int, spread: float, seed: int) -> tuple[float, float]:
    """Accuracy on the digits left out, and the share of discrete weights that the first epoch changes."""
    order = np.random.default_rng(100 + seed).permutation(len(x))
    train, test = order[:TRAINED], order[TRAINED:]
    graph, rng = perceptron(seed), np.random.default_rng(seed)
    values = {t.name: np.array(t.data) for t in graph.of_role(Role.PARAM)}
    shifted = {name: Shifted(name, bits) for name in HIDDEN} if bits else {}
    values |= {name: latents.fresh((WIDTH, WIDTH), bits, rng, spread) for name in shifted}
    net = Network(graph, {f"{name}_mean": 1e-5 for name in HIDDEN})
    tuning = Tuning(net, shifted, values, Settings(EPOCHS, BATCH, LR, seed=seed))
    course = [tuning.run(x[train], y[train]) for _ in range(EPOCHS)]
    return float((net.forward(x[test]).argmax(axis=1) == y[test]).mean()), course[0].changed


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    x, y = digits()
    print("| weights | latents at first | accuracy | changed in epoch 1 |\n|---|---|---|---|")
    for bits, spread in ROWS:
        found = np.array([measure(x, y, bits, spread, seed) for seed in range(seeds)])
        accuracy, changed = found.mean(axis=0)
        title = f"{bits} bits | N(0, {spread:.2g}²)" if bits else "float32 | –"
        print(f"| {title} | {100 * accuracy:.1f} | {f'{100 * changed:.1f} %' if bits else '–'} |", flush=True)


if __name__ == "__main__":
    main()
