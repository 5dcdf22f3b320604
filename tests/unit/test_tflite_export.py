"""Trained weights go back into a TensorFlow Lite file: float as they are, int8 quantised anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgelearn.errors import InputError
from edgelearn.export import export_model, export_tflite
from edgelearn.graph import Graph
from edgelearn.importers import load
from edgelearn.interpreter import Interpreter
from edgelearn.passes.dequantize import dequantize
from tests.support.tflite_files import RELU, TfliteNet, run, samples, simulate
from tests.unit.tflite_models import MODELS, conv8, dense8, floats, half_weights, with_const

FLOAT = ("conv relu6", "depthwise multiplier", "dense of a map", "dense along a map")
MIXED = "int8 weights that the file widens"
INT8 = ("int8 conv", "int8 conv relu", "int8 depthwise", "int8 dense")


def values(graph: Graph) -> dict[str, np.ndarray]:
    """The weights as the device has them before training."""
    return {name: np.asarray(dequantize(graph).tensors[name].data) for name in graph.meta["export"]}


def moved(weights: dict[str, np.ndarray], amount: float = 0.3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {
        name: (value + amount * np.abs(value).max() * rng.normal(size=value.shape)).astype(np.float32)
        for name, value in weights.items()
    }


def with_weights(graph: Graph, weights: dict[str, np.ndarray]) -> Graph:
    """The dequantised graph as it is on the device after training."""
    from dataclasses import replace

    floats_ = dequantize(graph)
    return floats_.replace(
        tensors={n: replace(t, data=weights[n]) if n in weights else t for n, t in floats_.tensors.items()}
    )


@pytest.mark.parametrize("name", [*FLOAT, *INT8, "half weights", MIXED])
def test_unchanged_weights_change_nothing(name: str, tmp_path: Path) -> None:
    path = MODELS[name]().save(tmp_path)
    graph = load(path)
    export_model(path, graph, values(graph), tmp_path / "out.tflite")
    assert (tmp_path / "out.tflite").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", FLOAT)
def test_a_float_file_predicts_as_the_device(name: str, tmp_path: Path) -> None:
    path, out = MODELS[name]().save(tmp_path), tmp_path / "out.tflite"
    graph = load(path)
    weights = moved(values(graph))
    export_model(path, graph, weights, out)
    x = samples(graph, 4)
    device = run(with_weights(graph, weights), x)
    np.testing.assert_allclose(Interpreter(out).predict(x), device, rtol=0, atol=1e-5 * np.abs(device).max())
    again = load(out)
    assert all(np.array_equal(again.tensors[n].data, weights[n]) for n in weights)
    assert len(out.read_bytes()) == len(path.read_bytes())


@pytest.mark.parametrize("name", INT8)
def test_an_int8_file_is_close_to_the_device(name: str, tmp_path: Path) -> None:
    """Weights to half a step of their channel; predictions as exact as int8 allows."""
    path, out = MODELS[name]().save(tmp_path), tmp_path / "out.tflite"
    graph = load(path)
    before = values(graph)
    weights = moved(before)
    export_model(path, graph, weights, out)
    again = load(out)
    for key, value in values(again).items():
        quant = again.tensors[key].quant
        shape = [-1 if k == quant.axis else 1 for k in range(value.ndim)]
        assert (np.abs(value - weights[key]) <= 0.501 * np.reshape(quant.scale, shape)).all(), key
    weight = next(t for t in again.tensors.values() if t.name.endswith("_weight"))
    assert np.abs(weight.data).max() == 127
    x = samples(graph, 4)
    runtime = Interpreter(out, reference=True)
    assert np.abs(runtime.predict(x) - simulate(again, x)).max() <= 1.01 * runtime.step


def test_an_unchanged_channel_keeps_its_bits(tmp_path: Path) -> None:
    path, out = MODELS["int8 conv"]().save(tmp_path), tmp_path / "out.tflite"
    graph = load(path)
    weights = values(graph)
    weights["conv_weight"][2] *= 3
    export_model(path, graph, weights, out)
    old, new = (g.tensors["conv_weight"] for g in (graph, load(out)))
    others = [0, 1, 3]
    assert np.array_equal(new.data[others], old.data[others])
    assert [new.quant.scale[k] for k in others] == [old.quant.scale[k] for k in others]
    assert new.quant.scale[2] == pytest.approx(3 * old.quant.scale[2] * np.abs(old.data[2]).max() / 127)


def test_biases_follow_their_weights(tmp_path: Path) -> None:
    """Only the weight was trained: its scale changes, and with it the integers of a bias that kept its value."""
    path, out = dense8().save(tmp_path), tmp_path / "out.tflite"
    graph = load(path)
    export_model(path, graph, {"dense_weight": 4 * values(graph)["dense_weight"]}, out)
    before, after = values(graph), values(load(out))
    assert np.abs(after["dense_bias"] - before["dense_bias"]).max() <= 4 * 0.01 * 0.05
    assert np.allclose(after["dense_weight"], 4 * before["dense_weight"], atol=0.03)


def test_a_large_bias_widens_the_scale(tmp_path: Path) -> None:
    """A bias that 32 bits can't hold with the weight's best scale gets a larger one."""
    path, out = dense8().save(tmp_path), tmp_path / "out.tflite"
    graph = load(path)
    weights = {"dense_weight": np.full((4, 6), 1e-6, np.float32), "dense_bias": np.full(4, 3e3, np.float32)}
    export_model(path, graph, weights, out)
    assert values(load(out))["dense_bias"] == pytest.approx(3e3, rel=1e-6)


def test_half_precision_files(tmp_path: Path) -> None:
    path, out = half_weights().save(tmp_path), tmp_path / "out.tflite"
    graph = load(path)
    weights = moved(values(graph))
    export_model(path, graph, weights, out)
    found = values(load(out))
    assert all(np.array_equal(found[n], weights[n].astype(np.float16)) for n in weights)
    with pytest.raises(InputError, match="too large for float16"):
        export_model(path, graph, {"dense_bias": np.full(4, 1e6, np.float32)}, out)


def test_int8_weights_of_a_float_layer(tmp_path: Path) -> None:
    path, out = MODELS[MIXED]().save(tmp_path), tmp_path / "out.tflite"
    graph = load(path)
    weights = moved(values(graph))
    export_model(path, graph, weights, out)
    again = load(out)
    (scale,) = again.tensors["head_weight"].quant.scale
    assert np.abs(values(again)["head_weight"] - weights["head_weight"]).max() <= 0.501 * scale
    assert np.array_equal(values(again)["head_bias"], weights["head_bias"])


def test_a_dequantised_graph_serves_as_well(tmp_path: Path) -> None:
    path, out = dense8(RELU).save(tmp_path), tmp_path / "out.tflite"
    graph = load(path)
    export_tflite(path, dequantize(graph), moved(values(graph)), out)
    assert out.read_bytes() != path.read_bytes()


def test_shared_weights_train_as_one(tmp_path: Path) -> None:
    """One float matrix in two layers is one tensor on the device, and stays one in the file."""
    net = TfliteNet()
    x, weight = net.input((1, 4)), net.const(floats(4, 4), "m/twin/MatMul")
    h = net.op("FULLY_CONNECTED", [x, weight], (1, 4))
    net.op("FULLY_CONNECTED", [h, weight], (1, 4))
    path, out = net.save(tmp_path), tmp_path / "out.tflite"
    graph = load(path)
    assert list(graph.meta["export"]) == ["twin_weight"]
    weights = moved(values(graph))
    export_model(path, graph, weights, out)
    x_ = samples(graph, 2)
    np.testing.assert_allclose(Interpreter(out).predict(x_), run(with_weights(graph, weights), x_), atol=1e-5)


WRONG: dict[str, tuple[Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]], str]] = {
    "name": (lambda w: {"nothing": np.zeros(3)}, "'nothing' is no weight of this model"),
    "shape": (lambda w: {"dense_bias": np.zeros(3)}, "weight 'dense_bias' has shape (3,), expected (4,)"),
    "nan": (lambda w: {"dense_bias": np.full(4, np.nan)}, "weight 'dense_bias' holds NaN or infinity"),
}


@pytest.mark.parametrize("case", WRONG)
def test_refusals(case: str, tmp_path: Path) -> None:
    make, message = WRONG[case]
    path = dense8().save(tmp_path)
    graph = load(path)
    with pytest.raises(InputError) as caught:
        export_model(path, graph, make(values(graph)), tmp_path / "out.tflite")
    assert message in caught.value.message
    assert not (tmp_path / "out.tflite").exists()


def test_another_file_is_refused(tmp_path: Path) -> None:
    path, other = dense8().save(tmp_path), conv8((1, 5, 5, 3), (4, 3, 3, 3), (1, 5, 5, 4)).save(tmp_path, "b.tflite")
    graph = load(path)
    with pytest.raises(InputError, match="has no tensor"):
        export_model(other, graph, values(graph), tmp_path / "out.tflite")
    with pytest.raises(InputError, match="no such file"):
        export_tflite(tmp_path / "none.tflite", graph, values(graph), tmp_path / "out.tflite")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    path = dense8().save(tmp_path)
    graph = load(path)
    with pytest.raises(InputError, match="can't write the model"):
        export_model(path, graph, moved(values(graph)), tmp_path / "no" / "out.tflite")


def test_constants_are_no_weights(tmp_path: Path) -> None:
    graph = load(with_const("ADD", (1, 3, 4, 5), floats(5)).save(tmp_path))
    assert dict(graph.meta["export"]) == {}
