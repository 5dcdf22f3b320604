"""Nets of the same package out of Keras and torch's exporter: ONNX with each BatchNorm unfused and transposes around
every convolution. They give the figures and the numbers of the TensorFlow Lite files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgelearn.boards import load as load_board
from edgelearn.config import TrainConfig
from edgelearn.graph import Graph, Phase, Role
from edgelearn.importers import load
from edgelearn.passes.dequantize import dequantize
from edgelearn.plan import make_plan
from edgelearn.reference import Reference
from tests.models.test_mltk import FIGURES, FLOAT, smooth
from tests.models.test_training import TINY, train
from tests.unit.import_models import check, predict
from tools.fetch_assets import fetch
from tools.keras_models import make

# The four of MLPerf Tiny, and two that there are float files of.
NETS = (*TINY, "image_example1", "rock_paper_scissors")
NORMS = {"anomaly_detection": 9, "image_classification": 7, "keyword_spotting": 9, "visual_wake_words": 27,
         "image_example1": 1, "rock_paper_scissors": 0}  # fmt: skip
# Of the largest logit, what 8-bit weights change at most: measured 0.036, with every other operation in float.
INT8_WEIGHTS = 0.05


def logits(graph: Graph, x: np.ndarray) -> np.ndarray:
    """What comes before the softmax, for samples in the user's layout."""
    oracle = Reference(graph, np.float32)
    last = [n for n in graph.nodes if n.op not in ("softmax", "sigmoid")][-1].outputs[0]
    found = []
    for sample in graph.meta["input"].to_device(x):
        oracle.forward(sample)
        found.append(oracle.values[last].ravel())
    return np.stack(found)


@pytest.mark.parametrize("name", NETS)
def test_figures(name: str) -> None:
    """With its norms folded a net has the weights and multiply-accumulates of its file for microcontrollers."""
    graph = load(make(name))
    check(graph)
    assert graph.meta["warnings"] == ()
    assert sum(n.op == "batch_norm" for n in graph.nodes) == NORMS[name]
    assert not any(n.op == "transpose" for n in graph.nodes)
    plan = make_plan(graph, TrainConfig(fold_norms=True), load_board("host"))
    parameters = sum(t.count for t in plan.graph.of_role(Role.PARAM))
    assert (parameters, plan.macs(Phase.FORWARD), plan.training_macs) == FIGURES[name]


@pytest.mark.parametrize("name", NETS)
def test_predictions(name: str) -> None:
    """1e-5 of the largest value beside onnxruntime and beside the float file; the int8 file's weights in float."""
    graph, int8 = load(make(name)), load(fetch(name))
    x = smooth(int8, 4)
    oracle = Reference(graph, np.float32)
    device = np.stack([oracle.forward(sample) for sample in graph.meta["input"].to_device(x)])
    expected = np.concatenate([predict(make(name), sample[None]) for sample in x])
    limit = 1e-5 * np.abs(expected).max()
    np.testing.assert_allclose(graph.meta["output"].to_user(device), expected, rtol=0, atol=limit)

    found = logits(graph, x)
    if f"{name}.float32" in FLOAT:
        twin = logits(load(fetch(f"{name}.float32")), x)
        np.testing.assert_allclose(found, twin, rtol=0, atol=1e-5 * np.abs(twin).max())
    twin = logits(dequantize(int8), x)
    np.testing.assert_allclose(found, twin, rtol=0, atol=INT8_WEIGHTS * np.abs(twin).max())


@pytest.mark.parametrize(("name", "fold"), [*((name, False) for name in TINY), ("keyword_spotting", True)])
def test_training_on_the_host(name: str, fold: bool, tmp_path: Path) -> None:
    """All weights, norms apart or folded; the session holds losses and predictions against the reference."""
    outcome = train(make(name), "host", TrainConfig(lr=1e-4, epochs=1, fold_norms=fold), tmp_path)
    assert outcome.steps == 3
    assert all(np.isfinite(w).all() for w in outcome.weights.values())
