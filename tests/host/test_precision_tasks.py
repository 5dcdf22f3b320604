"""What half precision is worth on real data: parts of the tables in docs/FP16.md, and a task that fails without the
loss scale.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.graph import Graph
from edgelearn.plan import make_plan
from tests.support.clib import CModel
from tests.support.compare import optim
from tests.support.nets import Net
from tools import half_errors
from tools.compare_precision import PRECISIONS, TASKS, config_of, outcomes, score

ROOT = Path(__file__).resolve().parents[2]
DOCS = (ROOT / "docs" / "FP16.md").read_text()


def test_the_watch_learns_as_much_in_half_precision() -> None:
    """Two of the table's five seeds: within 0.5 points of float32."""
    task = TASKS["wearable"]
    means = {p: float(np.mean([score(o) for o in outcomes(task, config_of(task, p), range(2))])) for p in PRECISIONS}
    assert means["fp32"] > 0.97
    assert min(means["fp16"], means["mixed"]) >= means["fp32"] - 0.005


def test_heartbeats_are_drawn_as_well_in_half_precision() -> None:
    """A third of the table's epochs: the loss is within a tenth of float32's, and the scale is what overflows leave."""
    task = TASKS["ecg"]
    found = {p: outcomes(task, config_of(task, p, epochs=20), [0])[0] for p in PRECISIONS}
    for precision in ("fp16", "mixed"):
        assert score(found[precision]) <= 1.1 * score(found["fp32"])
        assert found[precision].loss_scale is not None
        assert found[precision].loss_scale > 1024


def autoencoder() -> Graph:
    """140 values through 16, without biases."""
    net = Net((140,), "volts", 3)
    net.dense(16)
    net.relu(slope=0.1)
    net.dense(140)
    graph = net.graph()
    nodes = [replace(n, inputs=(*n.inputs[:2], "")) if n.op == "dense" else n for n in graph.nodes]
    return graph.replace(nodes=nodes, tensors={k: t for k, t in graph.tensors.items() if not k.endswith("_bias")})


def left_over(folder: Path, **settings: object) -> float:
    """The part of held-out heartbeats that is missing after training on others; both in volts, not millivolts."""
    data = np.load(ROOT / "examples" / "ecg" / "person.npz")
    seen, held_out = (data[k].astype(np.float32) / 1000 for k in ("x_train", "x_test"))
    config = TrainConfig(loss="mse", lr=3e6).with_changes(**settings)
    model = CModel(make_plan(autoencoder(), config, load("host")), folder)
    model.settings = lambda step: optim(config)
    for epoch in range(8):
        for k in np.random.default_rng(epoch).permutation(len(seen)):
            model.train(seen[k], seen[k])
    errors = [np.mean(np.square(model.forward(x) - x)) for x in held_out[~data["wide_test"]]]
    return float(np.mean(errors) / np.mean(np.square(held_out[~data["wide_test"]])))


@pytest.mark.parametrize("precision", ["fp16", "mixed"])
def test_small_gradients_need_the_loss_scale(precision: str, tmp_path: Path) -> None:
    """Gradients of 1e-8 are zero as halves: without the scale the net stays as far off as it was, more than all."""
    truth = left_over(tmp_path)
    assert truth < 0.12
    assert left_over(tmp_path, precision=precision) <= 1.02 * truth
    assert left_over(tmp_path, precision=precision, loss_scale=1.0, scale_every=0) > 1.0


def test_errors_of_kernels_are_those_of_the_table() -> None:
    """What docs/FP16.md says of each kernel is what is measured: a tenth more or less, for compilers that fuse."""
    table = DOCS.partition("## Errors of kernels")[2].splitlines()
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in table if line.startswith("| ")][1:]
    stated = {op: [float(c) for c in errors if c] for op, _, *errors in cells}
    measured = half_errors.measure()
    assert {e.op for e in measured} == stated.keys()
    for e in measured:
        own, *half = stated[e.op]
        assert e.kernel == pytest.approx(own, rel=0.1), e.op
        assert e.kernel < 2**-11, e.op  # one rounding of the largest element
        if e.half_sums is not None:
            assert half == [pytest.approx(e.half_sums, rel=0.05)], e.op
            assert e.half_sums > 10 * e.kernel, e.op
