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
from edgelearn.shift import files, latents, norms
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


def shared_statistics(path: Path) -> list[tuple[onnx.NodeProto, onnx.NodeProto]]:
    """The model with the statistics of its norms equal in pairs, one constant and one copy of another; those pairs."""
    model = onnx.load(MODEL)
    held = {tensor.name: tensor for tensor in model.graph.initializer}
    by_size: dict[int, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        if node.op_type == "BatchNormalization":
            by_size.setdefault(held[node.input[3]].dims[0], []).append(node)
    pairs = [(same[0], same[1]) for same in by_size.values() if len(same) > 1]
    for k, (one, other) in enumerate(pairs):
        other.input[3] = one.input[3]
        other.input[4] = f"copy{k}"
        model.graph.node.insert(0, onnx.helper.make_node("Identity", [one.input[4]], [f"copy{k}"]))
    onnx.save(model, path)
    return pairs


def test_norms_with_statistics_in_common_get_their_own(tmp_path: Path) -> None:
    """Exporters keep what is equal once, and all statistics are in a network that was never trained."""
    source, out = tmp_path / "shared.onnx", tmp_path / "shift.onnx"
    assert shared_statistics(source)
    graph = load(source)
    live = files.epsilons(source, graph)
    made = start(graph, pick(graph, ()), 3, np.random.default_rng(0), fresh=False)
    tuning = Tuning(Network(made.graph, live), made.shifted, made.values, SETTINGS)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(16, *graph.meta["input"].user_shape)).astype(np.float32)
    device = graph.meta["input"].to_device(x)
    tuning.run(device, rng.integers(0, graph.tensors[graph.outputs[0]].count, 16))
    files.write(source, graph, tuning.values, made.shifted, live, out)
    expected = tuning.net.forward(device).reshape(len(x), -1)
    np.testing.assert_allclose(OnnxInterpreter(out).predict(x).reshape(len(x), -1), expected, rtol=1e-3, atol=1e-4)


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


def unfused_model(path: Path) -> None:
    """Conv, a norm as exporters take it apart, ReLU, Conv, another, a mean, Gemm."""
    rng = np.random.default_rng(3)
    make, nodes, weights = onnx.helper.make_node, [], {}
    last, size = "x", 3
    for k, size in enumerate((6, 8)):
        before = 3 if k == 0 else 6
        shapes = {"w": (size, before, 3), "m": (1, size, 1), "g": (1, size, 1), "b": (1, size, 1)}
        weights |= {f"{n}{k}": rng.normal(0.5, 0.5, shape).astype(np.float32) for n, shape in shapes.items()}
        nodes += [
            make("Conv", [last, f"w{k}"], [f"conv{k}"], f"conv{k}", pads=[1, 1]),
            make("Sub", [f"conv{k}", f"m{k}"], [f"sub{k}"]),
            make("Mul", [f"sub{k}", f"g{k}"], [f"mul{k}"]),
            make("Add", [f"mul{k}", f"b{k}"], [f"add{k}"]),
            make("Relu", [f"add{k}"], [f"relu{k}"]),
        ]
        last = f"relu{k}"
    weights |= {"w": rng.normal(size=(size, 4)).astype(np.float32), "b": np.zeros(4, np.float32)}
    nodes += [make("GlobalAveragePool", [last], ["mean"]), make("Flatten", ["mean"], ["flat"])]
    nodes += [make("Gemm", ["flat", "w", "b"], ["y"])]
    ends = [
        onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, s)
        for n, s in (("x", ["n", 3, 20]), ("y", ["n", 4]))
    ]
    held = [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = onnx.helper.make_graph(nodes, "unfused", ends[:1], ends[1:], held)
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), path)


def test_norms_that_were_taken_apart_follow_the_weights(tmp_path: Path) -> None:
    source, out = tmp_path / "unfused.onnx", tmp_path / "shift.onnx"
    unfused_model(source)
    graph = load(source)
    assert files.epsilons(source, graph) == {}
    found = norms.unfused(graph, {})
    assert len(found) == 2
    rng = np.random.default_rng(1)
    x = rng.normal(2, 5, size=(24, 3, 20)).astype(np.float32)
    device = graph.meta["input"].to_device(x)
    begun = start(graph, pick(graph, ()), 3, rng, fresh=False)
    revived = norms.revive(begun, found, device)
    live = {node.inputs[3]: norms.EPSILON for node in found}
    net = Network(revived.graph, live)
    expected = OnnxInterpreter(source).predict(x)
    np.testing.assert_allclose(net.forward(device).reshape(len(x), -1), expected, rtol=1e-4, atol=1e-4)

    tuning = Tuning(net, revived.shifted, revived.values, SETTINGS)
    assert np.isfinite(tuning.run(device, rng.integers(0, 4, len(x))).loss)
    for node in found:  # they follow the batches
        assert not np.allclose(net.values[node.inputs[3]], revived.graph.tensors[node.inputs[3]].data)
    files.write(source, graph, tuning.values, revived.shifted, live, out)
    predicted = OnnxInterpreter(out).predict(x)
    np.testing.assert_allclose(predicted, net.forward(device).reshape(len(x), -1), rtol=1e-3, atol=1e-4)
    assert set(marks(onnx.load(out))) == {"w1"}
