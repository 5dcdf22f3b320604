"""All sixteen models of one pinned package, int8 and float: what TinyML really has, downloaded once into the cache."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgelearn.boards import load as load_board
from edgelearn.config import TrainConfig
from edgelearn.export import export_model
from edgelearn.graph import Graph, Phase, Role
from edgelearn.importers import load
from edgelearn.importers.tflite.parse import read_file
from edgelearn.interpreter import Interpreter
from edgelearn.passes.dequantize import dequantize
from edgelearn.plan import make_plan
from edgelearn.reference import Reference
from tests.host.test_training import run_three
from tests.support.tflite_files import check, run, samples, step
from tools.fetch_assets import MLTK, fetch_all

NAMES = sorted(name for found in MLTK.values() for name in found)
FLOAT = [name for name in NAMES if name.endswith(".float32")]
INT8 = [name for name in NAMES if name not in FLOAT]

# Parameters (BatchNorm is folded in these files) and multiply-accumulates forward and of one training sample. The
# four of MLPerf Tiny are published figures; the others were counted here and are held to that.
FIGURES = {
    "anomaly_detection": (265_864, 264_192, 710_656),
    "image_classification": (77_706, 12_501_632, 37_062_528),
    "keyword_spotting": (22_604, 2_656_768, 7_650_304),
    "visual_wake_words": (210_850, 7_489_664, 21_971_328),
    "audio_example1": (6_978, 671_184, 1_719_552),
    "autoencoder_example": (10_484, 10_240, 26_240),
    "fingerprint_signature_generator": (1_648, 3_581_184, 9_194_752),
    "image_example1": (8_347, 1_196_928, 3_093_120),
    "keyword_spotting_alexa": (100_418, 4_561_728, 12_461_760),
    "keyword_spotting_mobilenetv2": (89_168, 1_737_024, 5_157_072),
    "keyword_spotting_on_off_v3": (285_523, 6_115_960, 17_124_840),
    "keyword_spotting_pacman_v3": (240_207, 6_017_880, 16_830_600),
    "keyword_spotting_with_transfer_learning": (90_323, 1_738_176, 5_160_528),
    "rock_paper_scissors": (72_820, 5_870_016, 16_641_792),
    "tflite_micro_magic_wand": (4_300, 62_016, 149_184),
    "tflite_micro_speech": (16_652, 336_000, 688_000),
}
# Quantisation steps of the last layer's result between the dequantised model and the int8 one, mean and largest, on
# smooth samples: int8 rounds after every layer and saturates where a sample leaves the range it was calibrated for.
STEPS = (4.0, 16.0)

Models = Callable[[str], Path]


@pytest.fixture(scope="session")
def models() -> Models:
    """The path of a model by name."""
    paths = fetch_all(NAMES)
    return lambda name: paths[name]


def smooth(graph: Graph, count: int) -> np.ndarray:
    """Samples without sharp edges that keep to half of the input's range, as what a sensor sees does."""
    rng = np.random.default_rng(2)
    shape = graph.meta["input"].user_shape
    grid = np.indices(shape).astype(np.float64)
    waves = [
        np.sin(np.tensordot(rng.uniform(-0.3, 0.3, len(shape)), grid, 1) + rng.uniform(0, 6)) for _ in range(3 * count)
    ]
    first = next(t.quant for t in graph.tensors.values() if t.quant and t.data is None)
    integers = np.round(64 / 3 * np.array(waves).reshape(count, 3, *shape).sum(axis=1))
    return np.asarray(first.scale[0] * (integers - first.zero_point[0]), np.float32)


@pytest.mark.parametrize("name", INT8)
def test_import_and_plan(name: str, models: Models) -> None:
    """Every model imports, can be planned with all weights trained, and has as many of them as it should."""
    graph = load(models(name))
    check(graph)
    assert graph.meta["warnings"] == ()
    assert len(graph.meta["export"]) == sum(t.data is not None for t in graph.tensors.values())
    plan = make_plan(dequantize(graph), TrainConfig(), load_board("host"))
    parameters = sum(t.count for t in plan.graph.of_role(Role.PARAM))
    assert (parameters, plan.macs(Phase.FORWARD), plan.training_macs) == FIGURES[name]


@pytest.mark.parametrize("name", FLOAT)
def test_both_variants_are_one_network(name: str, models: Models) -> None:
    """The float file gives the graph that the int8 file gives once it is dequantised."""
    one, other = load(models(name)), dequantize(load(models(name.removesuffix(".float32"))))
    assert [(n.op, dict(n.attrs)) for n in one.nodes] == [(n.op, dict(n.attrs)) for n in other.nodes]
    shapes = [[t.shape for t in g.tensors.values() if t.data is not None] for g in (one, other)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("name", FLOAT)
def test_float_predictions(name: str, models: Models) -> None:
    """1e-5 of the largest value."""
    graph = load(models(name))
    x = samples(graph, 4)
    expected = Interpreter(models(name)).predict(x)
    np.testing.assert_allclose(run(graph, x), expected, rtol=0, atol=1e-5 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("name", INT8)
def test_every_int8_layer(name: str, models: Models) -> None:
    """Each layer on the runtime's own input: within one quantisation step of what the runtime gives."""
    graph, file = load(models(name)), read_file(models(name))
    runtime = Interpreter(models(name), reference=True, keep=True)
    runtime.predict(samples(graph, 1))
    values = {t.name: dequantize(graph).tensors[t.name].data for t in graph.tensors.values() if t.data is not None}
    values[graph.inputs[0]] = runtime.value(file.inputs[0]).reshape(graph.tensors[graph.inputs[0]].shape)
    held = 0
    for k, node in enumerate(graph.nodes):
        out = graph.tensors[node.outputs[0]]
        found = step(graph, node, [np.asarray(values[i], np.float64) if i else None for i in node.inputs])
        values[out.name] = found
        last_of_it = k + 1 == len(graph.nodes) or graph.nodes[k + 1].origin.index != node.origin.index
        if last_of_it and out.quant is not None:
            index = file.operators[node.origin.index].outputs[0]
            expected = runtime.value(index).reshape(out.shape)
            assert np.abs(found - expected).max() <= 1.01 * out.quant.scale[0], node.name
            values[out.name] = expected
            held += 1
    assert held >= sum(n.op in ("conv2d", "depthwise_conv2d", "dense", "add") for n in graph.nodes)


@pytest.mark.parametrize("name", INT8)
def test_dequantised_predictions(name: str, models: Models) -> None:
    """The float model that an int8 one stands for: the last layer's result within STEPS of the int8 model's."""
    graph, file = load(models(name)), read_file(models(name))
    runtime = Interpreter(models(name), reference=True, keep=True)
    oracle = Reference(dequantize(graph))
    last = [n for n in oracle.graph.nodes if n.op not in ("softmax", "sigmoid")][-1]
    stored = file.tensors[file.operators[last.origin.index].outputs[0]]
    low, high = (stored.scale[0] * (edge - stored.zero_point[0]) for edge in (-128, 127))
    errors = []
    for x in smooth(graph, 4):
        oracle.forward(graph.meta["input"].to_device(x[None])[0])
        runtime.predict(x[None])
        found = np.clip(oracle.values[last.outputs[0]].ravel(), low, high)
        errors.append(np.abs(found - runtime.value(stored.index).ravel()) / stored.scale[0])
    assert np.mean(errors) <= STEPS[0]
    assert np.max(errors) <= STEPS[1]


@pytest.mark.parametrize("name", ["keyword_spotting", "tflite_micro_magic_wand"])
def test_three_steps_in_c_are_those_of_torch(name: str, models: Models, tmp_path: Path) -> None:
    run_three(_with_x(dequantize(load(models(name)))), TrainConfig(lr=0.001), tmp_path)


def _with_x(graph: Graph) -> Graph:
    """The graph with the input's name that hand-made nets have."""
    (old,) = graph.inputs
    tensors = {("x" if n == old else n): (replace(t, name="x") if n == old else t) for n, t in graph.tensors.items()}
    nodes = [replace(n, inputs=tuple("x" if i == old else i for i in n.inputs)) for n in graph.nodes]
    return graph.replace(tensors=tensors, nodes=nodes, inputs=("x",))


@pytest.mark.parametrize("name", FLOAT)
def test_a_float_file_comes_home(name: str, models: Models, tmp_path: Path) -> None:
    """Weights that moved, written into the file: it predicts what the device does, to 1e-5."""
    graph = load(models(name))
    oracle = Reference(graph, np.float32)
    rng = np.random.default_rng(1)
    weights = {n: _moved(np.asarray(graph.tensors[n].data), rng) for n in graph.meta["export"]}
    oracle.load(weights)
    export_model(models(name), graph, weights, tmp_path / "out.tflite")
    x = samples(graph, 2)
    device = [oracle.forward(s) for s in graph.meta["input"].to_device(x)]
    found = Interpreter(tmp_path / "out.tflite").predict(x)
    np.testing.assert_allclose(found, graph.meta["output"].to_user(np.stack(device)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["keyword_spotting", "image_classification"])
def test_an_int8_file_comes_home(name: str, models: Models, tmp_path: Path) -> None:
    """As exact as before the weights moved: the last layer's mean error stays within what it was, and a step."""
    graph = load(models(name))
    float_graph = dequantize(graph)
    rng = np.random.default_rng(1)
    weights = {n: _moved(np.asarray(float_graph.tensors[n].data), rng, 0.002) for n in graph.meta["export"]}
    export_model(models(name), graph, weights, tmp_path / "out.tflite")
    x = smooth(graph, 8)
    oracle = Reference(float_graph, np.float32)
    errors = []
    for path, values in ((models(name), {}), (tmp_path / "out.tflite", weights)):
        oracle.load(values)
        runtime = Interpreter(path, reference=True)
        device = np.stack([oracle.forward(s) for s in graph.meta["input"].to_device(x)])
        errors.append(np.abs(runtime.predict(x) - graph.meta["output"].to_user(device)).mean() / runtime_step(path))
    assert errors[1] <= errors[0] + 1


def runtime_step(path: Path) -> float:
    """One step of the model's last int8 result."""
    return next(t.quant.scale[0] for t in reversed(list(load(path).tensors.values())) if t.quant and t.data is None)


def _moved(value: np.ndarray, rng: np.random.Generator, amount: float = 0.01) -> np.ndarray:
    return (value + amount * np.abs(value).max() * rng.normal(size=value.shape)).astype(np.float32)
