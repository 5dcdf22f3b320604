"""Training methods on real MobileNets: TensorFlow Lite, int8 and BatchNorm folded away, and ONNX with all of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgelearn import methods
from edgelearn.boards import load as load_board
from edgelearn.config import TrainConfig
from edgelearn.export import export_model
from edgelearn.importers import load
from edgelearn.interpreter import Interpreter
from edgelearn.methods.blocks import find_blocks
from edgelearn.passes.split import home
from edgelearn.plan import make_plan
from tests.support.clib import CModel
from tests.support.compare import optim
from tests.support.tflite_files import samples
from tools.fetch_assets import fetch_all
from tools.keras_models import make

# Blocks, how many widen their input first, and how many add it to their result.
BLOCKS = {
    "visual_wake_words": (13, 0, 0),  # MobileNetV1
    "keyword_spotting": (4, 0, 0),  # DS-CNN
    "keyword_spotting_mobilenetv2": (17, 16, 12),
    "keyword_spotting_alexa": (12, 12, 9),
    "keyword_spotting_on_off_v3": (24, 24, 18),
    "image_classification": (0, 0, 0),  # a ResNet
}
SETTINGS = {
    "last": {"method": "last"},
    "bias": {"method": "bias", "blocks": 3},
    "sparse": {"method": "sparse", "blocks": 2},
    "mobiletl": {"method": "mobiletl", "blocks": 2},
}


@pytest.fixture(scope="module")
def files() -> dict[str, Path]:
    return fetch_all(list(BLOCKS))


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_are_recognised(name: str, files: dict[str, Path]) -> None:
    found = find_blocks(load(files[name]))
    sums = sum(any(n.op == "add" for n in block.nodes) for block in found)
    assert (len(found), sum(block.expand is not None for block in found), sums) == BLOCKS[name]


@pytest.mark.parametrize(
    ("name", "share"), [("visual_wake_words", 0.79), ("keyword_spotting", 0.76), ("keyword_spotting_mobilenetv2", 0.5)]
)
def test_norms_of_their_own_cost_mobiletl_little(name: str, share: float) -> None:
    """The same nets in ONNX: bytes kept for the last three blocks, of what training them in full keeps."""
    source = load(make(name))
    found = find_blocks(source)
    sums = sum(any(n.op == "add" for n in block.nodes) for block in found)
    assert (len(found), sum(block.expand is not None for block in found), sums) == BLOCKS[name]
    assert all(block.last_norm for block in found)
    plans = [make_plan(source, TrainConfig(method=m, blocks=3), load_board("host")) for m in ("full", "mobiletl")]
    full, mobile = (sum(t.nbytes for t in plan.kept()) for plan in plans)
    assert mobile <= share * full


@pytest.mark.parametrize("method", SETTINGS)
def test_a_mobilenet_learns_and_goes_home(method: str, files: dict[str, Path], tmp_path: Path) -> None:
    """Three updates of the generated C; what LiteRT makes of the written int8 file is close to the device's answer."""
    path, out = files["keyword_spotting_mobilenetv2"], tmp_path / "trained.tflite"
    source, config = load(path), TrainConfig(lr=0.02, **SETTINGS[method])
    plan = make_plan(source, config, load_board("host"))
    assert len(plan.graph.meta["int8"]) > 40  # what is frozen runs in int8
    model = CModel(plan, tmp_path)
    model.settings = lambda k: optim(config)
    x = samples(source, 12)
    device_x = source.meta["input"].to_device(x)
    if plan.samples == "s8":
        quant = plan.graph.tensors[plan.graph.inputs[0]].quant
        assert quant is not None
        device_x = np.clip(np.round(device_x / quant.scale[0]) + quant.zero_point[0], -128, 127).astype(np.int8)
    losses = [model.train(value, k % 8) for _ in range(3) for k, value in enumerate(device_x)]
    assert np.mean(losses[-12:]) < np.mean(losses[:12])
    weights = home(plan.graph, model.weights())
    assert set(weights) == methods.choose(source, config).trained
    export_model(path, source, weights, out, x)
    expected = np.stack([model.forward(value) for value in device_x])
    found = Interpreter(out).predict(x)
    off, moved = np.abs(found - expected).mean(), np.abs(found - Interpreter(path).predict(x)).mean()
    assert off <= 0.25 * moved
