"""Generated C of quantised ONNX networks against numpy: the frozen part in int8, layers without a kernel in float32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.importers.onnx import load_onnx
from edgelearn.plan import make_plan
from edgelearn.reference import Reference
from edgelearn.session import as_it_travels
from tests.support.cli import DATA, MODEL
from tests.support.clib import CModel
from tests.support.qdq_files import quantised
from tests.unit.test_import_qdq import FORMATS


@pytest.mark.parametrize("samples", ["f32", "s8"])
@pytest.mark.parametrize("name", ["pairs", "pairs, uint8 weights", "operators"])
def test_generated_code_predicts_as_numpy(name: str, samples: str, tmp_path: Path) -> None:
    with np.load(DATA) as data:
        calibration, x = (data[key].astype(np.float32) for key in ("x_train", "x_test"))
    graph = load_onnx(quantised(tmp_path, onnx.load(MODEL), calibration, **FORMATS[name]))
    plan = make_plan(graph, TrainConfig(train="last").with_changes(samples=samples), load("host"))
    model, reference = CModel(plan, tmp_path), Reference(plan.graph)
    quant = next(t.quant for t in graph.tensors.values() if t.name.startswith("window") and t.quant is not None)
    fed = graph.meta["input"].to_device(x[:20])
    # Half way between two integers the even one is right, on the board and on the host.
    fed[0] = (np.arange(fed[0].size).reshape(fed[0].shape) % 100 + 0.5) * np.float32(quant.scale[0])
    for sample in fed:
        travels = as_it_travels(plan, sample)
        want = reference.forward(travels)
        np.testing.assert_allclose(model.forward(travels), want, rtol=0, atol=1e-5 * np.abs(want).max())


def test_host_and_board_round_alike(tmp_path: Path) -> None:
    """The integers that travel are those that the board would have made."""
    with np.load(DATA) as data:
        calibration = data["x_train"].astype(np.float32)
    graph = load_onnx(quantised(tmp_path, onnx.load(MODEL), calibration, **FORMATS["pairs"]))
    quant = next(t.quant for t in graph.tensors.values() if t.name.startswith("window") and t.quant is not None)
    plans = [make_plan(graph, TrainConfig(train="last").with_changes(samples=s), load("host")) for s in ("f32", "s8")]
    shape = plans[0].graph.tensors[plans[0].graph.inputs[0]].shape
    sample = (np.arange(np.prod(shape)).reshape(shape) % 100 + 0.5).astype(np.float32) * np.float32(quant.scale[0])
    outs = [Reference(plan.graph).forward(as_it_travels(plan, sample)) for plan in plans]
    np.testing.assert_array_equal(*outs)
