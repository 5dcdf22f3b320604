"""Every weight's gradient of every model, in C and float32, against torch in float64: 1e-5 of the tensor's largest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgelearn import methods
from edgelearn.boards import load as load_board
from edgelearn.config import TrainConfig
from edgelearn.graph import Graph
from edgelearn.importers import load
from edgelearn.passes.dequantize import dequantize
from edgelearn.plan import make_plan
from edgelearn.reference import Reference
from tests.models.test_mltk import INT8, smooth
from tests.models.test_onnx import NETS
from tests.support.clib import CModel
from tests.support.compare import apart
from tests.support.kinks import clear_sample
from tests.support.torch_graph import TorchGraph
from tools.fetch_assets import fetch
from tools.keras_models import make

TRIES = 50


def candidates(graph: Graph, int8: Graph) -> Iterator[np.ndarray]:
    """Samples in device layout that the int8 variant of a net was calibrated for: smooth ones under some noise."""
    rng = np.random.default_rng(0)
    step = next(t.quant.scale[0] for t in int8.tensors.values() if t.quant and t.data is None)
    for x in graph.meta["input"].to_device(smooth(int8, TRIES)):
        yield (x + rng.normal(scale=8 * step, size=x.shape)).astype(np.float32)


def hold(source: Graph, int8: Graph, folder: Path) -> None:
    """The generated C in float32, and numpy in float64."""
    plan = make_plan(source, TrainConfig(batch=2, target="given"), load_board("host"))
    names, loss = methods.select(source, "all"), plan.graph.meta["loss"]
    x, prediction = clear_sample(source, candidates(source, int8))
    # The least likely class: were it the likeliest, the gradient would be what is left of 1 - p.
    target = int(np.argmin(prediction)) if loss == "cross-entropy" else np.linspace(-1, 1, prediction.size)
    torch_net = TorchGraph(source, names)
    torch_net.loss(x, target, loss).backward()
    truth = torch_net.gradients(names)
    assert truth.keys() == names

    model, oracle = CModel(plan, folder), Reference(plan.graph, np.float64)
    model.train(x, target)
    oracle.train(x, target)
    for found, limit in ((model.state(), 1e-5), (oracle.values, 1e-9)):
        gradients = {name: 2 * found[f"{name}_grad"].reshape(truth[name].shape) for name in names}
        error, worst = apart(gradients, truth, floor=0)
        assert error <= limit, f"{worst} is {error:.1e} away"


@pytest.mark.parametrize("name", INT8)
def test_tensorflow_lite(name: str, tmp_path: Path) -> None:
    graph = load(fetch(name))
    hold(dequantize(graph), graph, tmp_path)


@pytest.mark.parametrize("name", NETS)
def test_onnx_with_norms(name: str, tmp_path: Path) -> None:
    hold(load(make(name)), load(fetch(name)), tmp_path)
