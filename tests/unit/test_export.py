"""Trained weights go back into the user's file: exactly, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgelearn.config import TrainConfig
from edgelearn.data import load_dataset
from edgelearn.errors import InputError
from edgelearn.export import export_onnx
from edgelearn.graph import Graph
from edgelearn.importers.onnx import load_onnx
from edgelearn.ops.optimizers import Optim
from edgelearn.passes.fold import unfold
from edgelearn.reference import Reference
from edgelearn.training import training_graph
from tests.unit.import_cases import CASES
from tests.unit.import_models import model, node, predict, random, run, samples, save

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "wearable" / "wearable.onnx"
# Cases with weights that can be trained; every way an initializer can be rearranged is among them.
HOLDERS = ("conv", "conv1d", "conv2d", "gemm", "matmul", "norm", "weights", "reshape", "channels")
TRAINED = [name for name in CASES if name.split("_")[0] in HOLDERS]


def values(graph: Graph) -> dict[str, np.ndarray]:
    """The exportable weights as imported."""
    return {name: np.asarray(graph.tensors[name].data) for name in graph.meta["export"]}


def trained(graph: Graph, seed: int = 5) -> tuple[Graph, dict[str, np.ndarray]]:
    """The graph with every exportable weight moved a little, and those weights."""
    rng = np.random.default_rng(seed)
    moved = {k: (v + rng.normal(size=v.shape) * 0.1).astype(np.float32) for k, v in values(graph).items()}
    return with_weights(graph, moved), moved


def with_weights(graph: Graph, weights: dict[str, np.ndarray]) -> Graph:
    tensors = {k: replace(t, data=weights[k]) if k in weights else t for k, t in graph.tensors.items()}
    return graph.replace(tensors=tensors)


def agree(path: Path, graph: Graph) -> None:
    """onnxruntime on the file computes what the graph computes."""
    x = samples(graph, 2, 3)
    expected, found = predict(path, x), run(graph, x)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * max(1.0, float(np.abs(expected).max())))


@pytest.mark.parametrize("name", TRAINED)
def test_unchanged_weights_change_nothing(name: str, tmp_path: Path) -> None:
    path = save(CASES[name]()[0], tmp_path)
    graph = load_onnx(path)
    export_onnx(path, graph, values(graph), tmp_path / "out.onnx")
    assert onnx.load(tmp_path / "out.onnx") == onnx.load(path)


@pytest.mark.parametrize("name", TRAINED)
def test_changed_weights_compute_the_same(name: str, tmp_path: Path) -> None:
    path = save(CASES[name]()[0], tmp_path)
    graph, moved = trained(load_onnx(path))
    export_onnx(path, graph, moved, tmp_path / "out.onnx")
    agree(tmp_path / "out.onnx", graph)
    again = load_onnx(tmp_path / "out.onnx")
    for weight, value in values(again).items():
        np.testing.assert_allclose(value, moved[weight], rtol=1e-6, atol=0)


def test_example_keeps_everything_but_the_weights(tmp_path: Path) -> None:
    graph, moved = trained(load_onnx(EXAMPLE))
    export_onnx(EXAMPLE, graph, moved, tmp_path / "out.onnx")
    before, after = onnx.load(EXAMPLE), onnx.load(tmp_path / "out.onnx")
    assert len(before.graph.initializer) == len(after.graph.initializer) == 8
    for tensor in (*before.graph.initializer, *after.graph.initializer):
        tensor.raw_data = b""
    assert before == after
    again = values(load_onnx(tmp_path / "out.onnx"))
    assert all(again[name].tobytes() == value.tobytes() for name, value in moved.items())
    agree(tmp_path / "out.onnx", graph)


def test_example_learns_its_wearer(tmp_path: Path) -> None:
    """The recipe of the example's README, in numpy: better than before, and so is the user's own file."""
    source = load_onnx(EXAMPLE)
    data = load_dataset(EXAMPLE.with_name("person9.npz"), source, "cross-entropy")
    graph = training_graph(source, TrainConfig(lr=0.005, batch=1, epochs=10))
    board = Reference(graph, settings=lambda step: Optim(lr=0.005))
    samples = source.meta["input"].to_device(data.x_train)
    order = np.random.default_rng(0)
    for _ in range(10):
        board.fit((samples[k], int(data.y_train[k])) for k in order.permutation(len(samples)))
    export_onnx(EXAMPLE, source, unfold(graph, board.weights()), tmp_path / "trained.onnx")
    before, after = (predict(path, data.x_test).argmax(1) for path in (EXAMPLE, tmp_path / "trained.onnx"))
    assert np.mean(before == data.y_test) < 0.89
    assert np.mean(after == data.y_test) > 0.95


def test_one_weight_alone(tmp_path: Path) -> None:
    graph = load_onnx(EXAMPLE)
    bias = values(graph)["classify_bias"] + 1
    export_onnx(EXAMPLE, graph, {"classify_bias": bias}, tmp_path / "out.onnx")
    old, new = ({t.name: t.raw_data for t in onnx.load(p).graph.initializer} for p in (EXAMPLE, tmp_path / "out.onnx"))
    assert {name for name in old if old[name] != new[name]} == {"classify.bias"}


def test_folded_factor_keeps_untouched_elements(tmp_path: Path) -> None:
    """alpha = 1/3 rounds on the way in; elements that were not trained must still come back bit for bit."""
    weights = {"w": random(7, 5), "b": random(5)}
    path = save(model([node("Gemm", ["x", *weights], "y", alpha=1 / 3, beta=0.7)], (7,), weights), tmp_path)
    graph = load_onnx(path)
    changed = values(graph)
    (name,) = (k for k in changed if k.endswith("weight"))
    changed[name] = changed[name].copy()
    changed[name][2, 3] += 1
    export_onnx(path, graph, changed, tmp_path / "out.onnx")
    stored = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(tmp_path / "out.onnx").graph.initializer}
    differs = stored["w"] != weights["w"]
    assert list(zip(*np.nonzero(differs), strict=True)) == [(3, 2)]
    assert stored["b"].tobytes() == weights["b"].tobytes()


def tied(folder: Path) -> Path:
    """One matrix used by two layers, the second time transposed."""
    nodes = [
        node("Gemm", ["x", "w"], "h", name="/encode/Gemm"),
        node("Relu", ["h"], "r"),
        node("Gemm", ["r", "w"], "y", name="/decode/Gemm", transB=1),
    ]
    return save(model(nodes, (6,), {"w": random(6, 4)}), folder)


def test_tied_weights_trained_apart(tmp_path: Path) -> None:
    path = tied(tmp_path)
    graph, moved = trained(load_onnx(path))
    assert set(moved) == {"encode_weight", "decode_weight"}
    export_onnx(path, graph, moved, tmp_path / "out.onnx")
    agree(tmp_path / "out.onnx", graph)
    names = sorted(t.name for t in onnx.load(tmp_path / "out.onnx").graph.initializer)
    assert names == ["w", "w_encode_weight"]


def test_tied_weights_of_which_one_is_trained(tmp_path: Path) -> None:
    path = tied(tmp_path)
    graph = load_onnx(path)
    only = {"decode_weight": values(graph)["decode_weight"] * 2}
    export_onnx(path, graph, only, tmp_path / "out.onnx")
    agree(tmp_path / "out.onnx", with_weights(graph, only))


def test_tied_weights_that_stayed_equal(tmp_path: Path) -> None:
    path = tied(tmp_path)
    graph = load_onnx(path)
    both = {name: value * 2 for name, value in values(graph).items()}
    export_onnx(path, graph, both, tmp_path / "out.onnx")
    agree(tmp_path / "out.onnx", with_weights(graph, both))
    assert len(onnx.load(tmp_path / "out.onnx").graph.initializer) == 1


def test_shared_weight_is_one_tensor(tmp_path: Path) -> None:
    nodes = [node("Conv", ["x", "w"], "h", pads=[1, 1]), node("Conv", ["h", "w"], "y", pads=[1, 1])]
    path = save(model(nodes, (3, 9), {"w": random(3, 3, 3)}), tmp_path)
    graph, moved = trained(load_onnx(path))
    assert len(moved) == 1
    export_onnx(path, graph, moved, tmp_path / "out.onnx")
    agree(tmp_path / "out.onnx", graph)


def test_shared_bias_is_one_tensor(tmp_path: Path) -> None:
    """Also where an Add of a constant becomes the bias of two layers."""
    nodes = [
        node("MatMul", ["x", "w"], "a"), node("Add", ["a", "b"], "c"),
        node("MatMul", ["c", "v"], "d"), node("Add", ["d", "b"], "y"),
    ]  # fmt: skip
    path = save(model(nodes, (4,), {"w": random(4, 4), "v": random(4, 4, seed=9), "b": random(4)}), tmp_path)
    graph, moved = trained(load_onnx(path))
    assert len(moved) == 3
    export_onnx(path, graph, moved, tmp_path / "out.onnx")
    agree(tmp_path / "out.onnx", graph)


def test_weights_of_an_old_file_that_lists_them_as_inputs(tmp_path: Path) -> None:
    nodes = [node("MatMul", ["x", "w"], "h"), node("Gemm", ["h", "w", "b"], "y", transB=1)]
    made = model(nodes, (3,), {"w": random(3, 5), "b": random(3)}, opset=7)
    made.ir_version = 3
    for name, shape in (("w", [3, 5]), ("b", [3])):
        made.graph.input.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
    path = save(made, tmp_path)
    graph, moved = trained(load_onnx(path))
    export_onnx(path, graph, moved, tmp_path / "out.onnx")
    agree(tmp_path / "out.onnx", graph)


def refused(path: Path, graph: Graph, weights: dict[str, np.ndarray], out: Path) -> str:
    with pytest.raises(InputError) as caught:
        export_onnx(path, graph, weights, out)
    return caught.value.render()


def test_errors(tmp_path: Path) -> None:
    graph, out = load_onnx(EXAMPLE), tmp_path / "out.onnx"
    bias = values(graph)["conv1_bias"]
    assert "'conv9' is no weight of this model" in refused(EXAMPLE, graph, {"conv9": bias}, out)
    assert "has shape (3,), expected (16,)" in refused(EXAMPLE, graph, {"conv1_bias": bias[:3]}, out)
    other = save(model([node("Relu", ["x"], "y")], (3,)), tmp_path)
    assert "has no tensor 'conv1.bias'" in refused(other, graph, {"conv1_bias": bias}, out)
    assert "can't write" in refused(EXAMPLE, graph, {"conv1_bias": bias + 1}, tmp_path / "no" / "out.onnx")
    assert "can't read" in refused(tmp_path / "gone.onnx", graph, {"conv1_bias": bias}, out)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.onnx"]


def test_computed_weights_are_refused(tmp_path: Path) -> None:
    path = save(CASES["norm_1d"]()[0], tmp_path)
    graph = load_onnx(path)
    (mean,) = (t for t in graph.tensors if t.endswith("_mean"))
    data = np.asarray(graph.tensors[mean].data)
    assert "is computed from other values" in refused(path, graph, {mean: data}, tmp_path / "out.onnx")
