"""What each method learned goes back into the user's file: two MobileNets with BatchNorm of their own, in ONNX."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from edgelearn import methods
from edgelearn.config import TrainConfig
from edgelearn.export import export_model
from edgelearn.importers import load
from edgelearn.interpreter import OnnxInterpreter
from edgelearn.methods.base import channel_view
from edgelearn.methods.blocks import find_blocks
from edgelearn.ops.optimizers import Optim
from edgelearn.passes.split import home
from edgelearn.reference import Reference
from edgelearn.training import training_graph
from tests.unit.import_models import samples

ASSETS = Path(__file__).resolve().parents[1] / "assets"
FILES = {"watch_v3": (3, 3), "digits_v2": (4, 3)}  # blocks, and how many of them widen their input
SETTINGS = {
    "last": {"method": "last"},
    "bias": {"method": "bias"},
    "sparse": {"method": "sparse", "blocks": 2},
    "mobiletl": {"method": "mobiletl", "blocks": 2},
    "full": {"method": "full", "blocks": 1},
}


@pytest.mark.parametrize("name", FILES)
def test_the_blocks_of_a_file(name: str) -> None:
    graph = load(ASSETS / f"{name}.onnx")
    found = find_blocks(graph)
    assert (len(found), sum(block.expand is not None for block in found)) == FILES[name]
    assert all(block.last_norm is not None for block in found)
    nodes = [n for block in found for n in block.nodes]
    assert nodes == list(graph.nodes[3 : 3 + len(nodes)])  # behind the stem there is nothing else


@pytest.mark.parametrize("method", SETTINGS)
@pytest.mark.parametrize("name", FILES)
def test_a_file_learns_what_the_device_learned(name: str, method: str, tmp_path: Path) -> None:
    """onnxruntime predicts with the written file what the trained graph predicts; what is frozen keeps its bits."""
    path, out = ASSETS / f"{name}.onnx", tmp_path / "trained.onnx"
    source, config = load(path), TrainConfig(**SETTINGS[method])
    choice, graph = methods.choose(source, config), training_graph(source, config)
    device = Reference(graph, np.float32, lambda step: Optim(lr=0.01))
    x = samples(source, 4, 3)
    device.fit((value, k) for k, value in enumerate(source.meta["input"].to_device(x)))
    weights = home(graph, device.weights())
    assert set(weights) == choice.trained
    export_model(path, source, weights, out)

    expected = [device.forward(value) for value in source.meta["input"].to_device(x)]
    found = OnnxInterpreter(out).predict(x)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    assert np.abs(found - OnnxInterpreter(path).predict(x)).max() > 1e-3
    again = load(out)
    readers = {n.inputs[1]: n for n in source.nodes if len(n.inputs) > 1}
    for weight in source.meta["export"]:
        before, after = (np.asarray(g.tensors[weight].data) for g in (source, again))
        if weight not in choice.trained:
            assert before.tobytes() == after.tobytes(), weight
        elif weight in choice.channels:
            view, axis = channel_view(source, readers[weight]) or ((), 0)
            frozen = np.setdiff1d(np.arange(view[axis]), choice.channels[weight])
            kept = (np.take(value.reshape(view), frozen, axis).tobytes() for value in (before, after))
            assert len(set(kept)) == 1, weight
    assert len(onnx.load(out).graph.node) == len(onnx.load(path).graph.node)
