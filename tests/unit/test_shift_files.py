"""Tuned files: what onnxruntime makes of them, what the note says, and going on after a stop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from edgelearn.errors import InputError
from edgelearn.importers import load
from edgelearn.importers.onnx.marks import KEY, marks
from edgelearn.interpreter import OnnxInterpreter
from edgelearn.shift import files, latents
from edgelearn.shift.choose import Start, can_shift, pick, start
from edgelearn.shift.network import Network
from edgelearn.shift.resume import held, restore
from edgelearn.shift.tuning import Settings, Tuning

ASSETS = Path(__file__).resolve().parents[1] / "assets"
MODEL = ASSETS / "watch_v3.onnx"  # with BatchNormalization of its own
SETTINGS = Settings(epochs=2, batch=8, lr=0.01)


def begin(bits: int = 3) -> tuple[Start, Tuning, np.ndarray, np.ndarray]:
    graph = load(MODEL)
    made = start(graph, pick(graph, ()), bits, np.random.default_rng(0), fresh=False)
    tuning = Tuning(Network(made.graph, files.epsilons(MODEL, graph)), made.shifted, made.values, SETTINGS)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(16, *graph.meta["input"].user_shape)).astype(np.float32)
    return made, tuning, x, rng.integers(0, graph.tensors[graph.outputs[0]].count, 16)


def test_a_tuned_file_predicts_what_the_network_does_and_notes_its_shifts(tmp_path: Path) -> None:
    graph, out = load(MODEL), tmp_path / "shift.onnx"
    made, tuning, x, y = begin()
    device = graph.meta["input"].to_device(x)
    before = {name: value.copy() for name, value in tuning.values.items()}
    epoch = tuning.run(device, y)
    assert epoch.changed > 0
    live = files.epsilons(MODEL, graph)
    assert len(live) == sum(node.op == "batch_norm" for node in graph.nodes) > 3
    files.write(MODEL, graph, tuning.values, made.shifted, live, out)
    assert not np.array_equal(tuning.values[next(iter(live))], before[next(iter(live))])

    expected = tuning.net.forward(device).reshape(len(x), -1)
    np.testing.assert_allclose(OnnxInterpreter(out).predict(x).reshape(len(x), -1), expected, rtol=1e-3, atol=1e-4)
    model = onnx.load(out)
    found = marks(model)
    assert found
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert len(found) == len(made.shifted)
    for name, (bits, k) in found.items():
        powers = np.ldexp(np.float32(1), np.arange(latents.largest(bits) + 1) - k)
        assert np.isin(np.abs(tensors[name]), powers).all()
    assert list(tmp_path.iterdir()) == [out]


def test_the_first_convolution_and_the_last_dense_layer_stay() -> None:
    graph = load(MODEL)
    able, picked = can_shift(graph), pick(graph, ())
    assert [n.name for n in able[1:-1]] == [n.name for n in picked]
    assert (able[0].op, able[-1].op) == ("conv2d", "dense")
    assert [n.name for n in pick(graph, [able[0].name])] == [able[0].name]
    with pytest.raises(InputError, match="no layer that can be shifted is called nonsense"):
        pick(graph, ["nonsense"])


def test_a_stopped_tuning_goes_on_bit_by_bit(tmp_path: Path) -> None:
    made, whole, x, y = begin()
    device = load(MODEL).meta["input"].to_device(x)
    first = whole.run(device, y)
    statistics = [name for n in made.graph.nodes if n.op == "batch_norm" for name in n.inputs[3:]]
    path = tmp_path / "unfinished.npz"
    np.savez(path, **held(whole, statistics, [first], "key"))
    second = whole.run(device, y)

    _, later, _, _ = begin()
    assert restore(path, later, "another key") is None
    assert restore(path, later, "key") == [first]
    assert later.run(device, y) == second
    for name, value in whole.values.items():
        np.testing.assert_array_equal(later.values[name], value, err_msg=name)
    path.write_bytes(path.read_bytes()[:1000])
    assert restore(path, later, "key") is None


@pytest.mark.parametrize("text", ['{"w": {"bits": 9, "k": 1}}', "nonsense", "[1]", '{"w": {"bits": 3, "k": 999}}'])
def test_a_note_of_somebody_else_is_left_alone(text: str, tmp_path: Path) -> None:
    model = onnx.load(MODEL)
    model.metadata_props.add(key=KEY, value=text)
    onnx.save(model, tmp_path / "noted.onnx")
    graph = load(tmp_path / "noted.onnx")
    assert "shift" not in graph.meta
    assert "'edgelearn.shift' is not what edgelearn shift writes" in graph.meta["warnings"][-1]
