"""Generated C of every int8 op against numpy: the real numbers that the frozen part hands on, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.importers.tflite import load_tflite
from edgelearn.plan import make_plan
from edgelearn.reference import Reference
from edgelearn.session import as_it_travels
from tests.support.clib import CModel
from tests.support.int8_nets import Net
from tests.support.tflm import inputs, lowered, until_float
from tests.unit.test_int8_ops import BUILDERS

CASES = [(name, "f32") for name in BUILDERS] + [(name, "s8") for name in ("conv2d", "quantize", "add")]


@pytest.mark.parametrize(("name", "samples"), CASES)
def test_generated_code_computes_the_same_integers(name: str, samples: str, tmp_path: Path) -> None:
    net = Net(np.random.default_rng(50))
    path = tmp_path / "net.tflite"
    path.write_bytes(net.finish(BUILDERS[name](net)))
    source = load_tflite(path)
    plan = until_float(make_plan(source, TrainConfig(train="last").with_changes(samples=samples), load("host")))
    assert plan.samples == samples
    model = CModel(plan, tmp_path)
    graph = lowered(source)
    cut = next(n.outputs[0] for n in graph.nodes if n.op == "dequantize")
    reference = Reference(graph)
    for _, real in inputs(source, 5):
        reference.forward(real)
        np.testing.assert_array_equal(model.forward(as_it_travels(plan, real)), reference.values[cut].reshape(-1))
