"""Real int8 models: the frozen part, as generated C, gives the integers of TensorFlow Lite for Microcontrollers."""

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
from tests.support.tflm import Tflm, inputs, integer_layers, lowered, until_float
from tools.fetch_assets import MLTK, FetchError, fetch_all

MODELS = sorted(name for names in MLTK.values() for name in names if not name.endswith(".float32"))
SAMPLES = 200


@pytest.fixture(scope="module")
def files() -> dict[str, Path]:
    try:
        return fetch_all(MODELS)
    except FetchError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", MODELS)
def test_generated_code_gives_the_integers_of_the_frozen_part(
    name: str, files: dict[str, Path], tmp_path: Path
) -> None:
    """What reaches the trained layer, on 200 inputs; the layers before it are almost all of the model."""
    source = load_tflite(files[name])
    plan = until_float(make_plan(source, TrainConfig(train="last"), load("host")))
    layer = integer_layers(plan.graph)[-1]
    scale, zero = (next(n for n in plan.graph.nodes if n.op == "dequantize").attrs[k] for k in ("scale", "zero"))
    truth, model = Tflm(files[name].read_bytes(), layer.origin.index), CModel(plan, tmp_path)
    seen = set()
    for fed, real in inputs(source, SAMPLES):
        want = truth(fed)
        seen.update(want.tolist())
        sample = as_it_travels(plan, real)
        np.testing.assert_array_equal(model.forward(sample), (want - np.float32(zero)) * np.float32(scale))
    assert len(seen) > 10


@pytest.mark.parametrize("name", ["keyword_spotting", "image_classification", "keyword_spotting_mobilenetv2"])
def test_every_layer_has_its_integers(name: str, files: dict[str, Path]) -> None:
    source = load_tflite(files[name])
    graph = lowered(source)
    reference, content = Reference(graph), files[name].read_bytes()
    pairs = inputs(source, 3)
    for layer in integer_layers(graph):
        truth = Tflm(content, layer.origin.index)
        for fed, real in pairs:
            reference.forward(real)
            np.testing.assert_array_equal(reference.values[layer.outputs[0]].reshape(-1), truth(fed), layer.name)
