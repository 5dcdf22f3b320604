"""GRU, LSTM and RNN of ONNX against onnxruntime: as exporters write them, trained and written back, or refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper

from edgelearn import methods
from edgelearn.errors import InputError
from edgelearn.export import export_onnx
from edgelearn.importers.onnx import load_onnx
from tests.unit.import_models import compare, model, node, predict, random, samples, save
from tests.unit.test_export import agree, trained, values

GATES = {"GRU": 3, "LSTM": 4, "RNN": 1}
STEPS, FEATURES, HIDDEN = 6, 5, 7


class Torch(torch.nn.Module):
    """A recurrent net that takes its last state in one of the ways of the trade."""

    def __init__(self, kind: str, batch_first: bool, layers: int, take: str, both: bool) -> None:
        super().__init__()
        recurrent = getattr(torch.nn, kind)
        self.layer = recurrent(FEATURES, HIDDEN, layers, batch_first=batch_first, bidirectional=both)
        self.head = torch.nn.Linear(2 * HIDDEN if both else HIDDEN, 3)
        self.batch_first, self.take = batch_first, take

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, last = self.layer(x)
        last = last[0] if isinstance(last, tuple) else last
        ways: dict[str, Callable[[], torch.Tensor]] = {
            "index": lambda: states[:, -1] if self.batch_first else states[-1],
            "slice": lambda: (states[:, -1:] if self.batch_first else states[-1:]).squeeze(self.batch_first + 0),
            "last": lambda: last[-1],
            "squeeze": lambda: last.squeeze(0),
            "all": lambda: torch.relu(states),
        }
        result: torch.Tensor = self.head(ways[self.take]())
        return result


def exported(folder: Path, kind: str, *, batch_first: bool = True, layers: int = 1, take: str = "index",
             both: bool = False, dynamic: bool = False, dynamo: bool = False, steps: int = STEPS) -> Path:  # fmt: skip
    torch.manual_seed(0)
    net = Torch(kind, batch_first, layers, take, both).eval()
    batch = 2 if dynamic and dynamo else 1
    x = torch.randn(batch, steps, FEATURES) if batch_first else torch.randn(steps, batch, FEATURES)
    axis, options = 0 if batch_first else 1, {}
    if dynamo:
        options = {"external_data": False, "verbose": False}
        options |= {"dynamic_shapes": ({axis: torch.export.Dim("n")},)} if dynamic else {}
    elif dynamic:
        options = {"input_names": ["x"], "dynamic_axes": {"x": {axis: "n"}}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, (x,), str(folder / "net.onnx"), dynamo=dynamo, **options)
    return folder / "net.onnx"


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("take", ["index", "slice", "last", "squeeze", "all"])
@pytest.mark.parametrize("kind", GATES)
def test_torch_exports(kind: str, take: str, batch_first: bool, dynamic: bool, tmp_path: Path) -> None:
    path = exported(tmp_path, kind, take=take, batch_first=batch_first, dynamic=dynamic)
    graph = compare(path, batch=2 if dynamic else 1)
    ops = ["conv2d", kind.lower(), *(["relu", "conv2d"] if take == "all" else ["slice", "dense"])]
    assert [n.op for n in graph.nodes] == ops
    assert methods.select(graph, "all") == set(graph.meta["export"])
    assert graph.meta["warnings"] == ()


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("kind", GATES)
def test_two_layers(kind: str, batch_first: bool, both: bool, tmp_path: Path) -> None:
    path = exported(tmp_path, kind, layers=2, take="index" if both else "last", batch_first=batch_first, both=both)
    graph = compare(path, batch=1)
    assert sum(n.op == kind.lower() for n in graph.nodes) == (4 if both else 2)
    assert not any(n.op == "transpose" for n in graph.nodes)


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
@pytest.mark.parametrize(("batch_first", "dynamic"), [(True, True), (False, False)])
def test_torch_dynamo_exports(kind: str, batch_first: bool, dynamic: bool, tmp_path: Path) -> None:
    path = exported(tmp_path, kind, batch_first=batch_first, dynamic=dynamic, dynamo=True, layers=2)
    compare(path, batch=2 if dynamic else 1)


def made(
    kind: str, outputs: tuple[str, ...] = ("y",), *, steps: int = STEPS, ends: tuple[onnx.NodeProto, ...] = (),
    b: bool = True, more: dict[str, np.ndarray] | None = None, shape: tuple[Any, ...] | None = None, **attrs: Any,
) -> onnx.ModelProto:  # fmt: skip
    """One layer with its operands as ONNX has them: (time, batch, features) unless `layout` is 1."""
    directions, rows = 2 if attrs.get("direction") == "bidirectional" else 1, GATES[kind] * HIDDEN
    weights = {"w": random(directions, rows, FEATURES), "r": random(directions, rows, HIDDEN)}
    weights |= {"b": random(directions, 2 * rows)} if b else {}
    operands = ["w", "r", "b" if b else ""]
    operands += [name if name in (more or {}) else "" for name in ("lengths", "h", "c", "p")]
    weights |= more or {}
    while not operands[-1]:
        operands.pop()
    first = attrs.get("layout") == 1
    layer = helper.make_node(kind, ["x", *operands], list(outputs), name="layer", hidden_size=HIDDEN, **attrs)
    found = model([layer, *ends], (steps, FEATURES), weights, opset=14)
    sizes = shape or (("n", steps, FEATURES) if first else (steps, "n", FEATURES))
    del found.graph.input[0].type.tensor_type.shape.dim[:]
    for size in sizes:
        dim = found.graph.input[0].type.tensor_type.shape.dim.add()
        setattr(dim, "dim_value" if isinstance(size, int) else "dim_param", size)
    known = onnx.shape_inference.infer_shapes(open_output(found)).graph.output[0].type.tensor_type
    found.graph.output[0].type.tensor_type.shape.CopyFrom(known.shape)
    return found


def open_output(made: onnx.ModelProto) -> onnx.ModelProto:
    made.graph.output[0].type.tensor_type.ClearField("shape")
    return made


START = {"h": np.repeat(random(1, 1, HIDDEN), 2, axis=1)}
TWO = (STEPS, 2, FEATURES)  # onnxruntime wants a first state for each sample
CASES: dict[str, Callable[[], onnx.ModelProto]] = {
    "gru_reset_first": lambda: made("GRU", linear_before_reset=0),
    "gru_reset_last": lambda: made("GRU", linear_before_reset=1),
    "gru_without_bias": lambda: made("GRU", b=False, linear_before_reset=1),
    "gru_reverse": lambda: made("GRU", direction="reverse"),
    "gru_reverse_last": lambda: made("GRU", ("", "y"), direction="reverse"),
    "gru_both": lambda: made("GRU", direction="bidirectional", linear_before_reset=1),
    "gru_both_last": lambda: made("GRU", ("", "y"), direction="bidirectional"),
    "gru_start": lambda: made("GRU", more=START, shape=TWO),
    "gru_one_step": lambda: made("GRU", steps=1, linear_before_reset=1),
    "gru_lengths": lambda: made("GRU", more={"lengths": np.full(2, STEPS, np.int32)}, shape=TWO),
    "lstm": lambda: made("LSTM"),
    "lstm_last": lambda: made("LSTM", ("", "y")),
    "lstm_both": lambda: made("LSTM", direction="bidirectional"),
    "lstm_start": lambda: made("LSTM", more={**START, "c": START["h"] * 2}, shape=TWO),
    "lstm_no_peepholes": lambda: made("LSTM", more={"p": np.zeros((1, 3 * HIDDEN), np.float32)}),
    "lstm_two_steps": lambda: made("LSTM", steps=2, direction="reverse"),
    "rnn": lambda: made("RNN"),
    "rnn_relu": lambda: made("RNN", activations=["Relu"], direction="reverse"),
    "rnn_both": lambda: made("RNN", activations=["Relu", "Tanh"], direction="bidirectional"),
    "both_outputs": lambda: made("GRU", ("s", "h"), ends=(
        node("Constant", [], "first", value_ints=[0]), node("Unsqueeze", ["h", "first"], "u"),
        node("Add", ["s", "u"], "y"))),
    "reshaped": lambda: made("LSTM", ("s",), ends=(
        node("Constant", [], "shape", value_ints=[0, -1, HIDDEN]), node("Reshape", ["s", "shape"], "y"))),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_layers(name: str, tmp_path: Path) -> None:
    compare(save(CASES[name](), tmp_path))


@pytest.mark.parametrize("name", CASES)
def test_trained_weights_come_home(name: str, tmp_path: Path) -> None:
    """Both halves of B, and both directions of W and R, are parts of one tensor of the file."""
    path = save(CASES[name](), tmp_path)
    source = load_onnx(path)
    export_onnx(path, source, values(source), tmp_path / "same.onnx")
    assert onnx.load(tmp_path / "same.onnx") == onnx.load(path)
    graph, moved = trained(source)
    export_onnx(path, graph, moved, tmp_path / "out.onnx")
    agree(tmp_path / "out.onnx", graph)
    for weight, value in values(load_onnx(tmp_path / "out.onnx")).items():
        assert np.array_equal(value, moved[weight]), weight
    assert len(onnx.load(tmp_path / "out.onnx").graph.initializer) == len(onnx.load(path).graph.initializer)


def test_one_half_of_the_biases_alone(tmp_path: Path) -> None:
    path = save(CASES["gru_reset_last"](), tmp_path)
    graph = load_onnx(path)
    name = next(name for name in graph.meta["export"] if name.endswith("recurrent_bias"))
    export_onnx(path, graph, {name: values(graph)[name] + 1}, tmp_path / "out.onnx")
    before, after = ({t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(p).graph.initializer}
                     for p in (path, tmp_path / "out.onnx"))  # fmt: skip
    assert np.array_equal(after["b"][0, : 3 * HIDDEN], before["b"][0, : 3 * HIDDEN])
    assert np.array_equal(after["b"][0, 3 * HIDDEN :], before["b"][0, 3 * HIDDEN :] + 1)
    assert np.array_equal(after["w"], before["w"])


def test_as_keras_exports_it(tmp_path: Path) -> None:
    """Batch first, a transpose to time first, and the last state squeezed into a dense layer."""
    nodes = [
        node("Transpose", ["x"], "t", perm=[1, 0, 2]),
        helper.make_node("GRU", ["t", "w", "r", "b"], ["", "s"], hidden_size=HIDDEN, linear_before_reset=1),
        node("Squeeze", ["s", "first"], "h"),
        node("MatMul", ["h", "k"], "m"),
        node("Add", ["m", "c"], "y"),
    ]
    rows = 3 * HIDDEN
    weights = {
        "w": random(1, rows, FEATURES), "r": random(1, rows, HIDDEN), "b": random(1, 2 * rows), "first": np.array([0]),
        "k": random(HIDDEN, 4), "c": random(4),
    }  # fmt: skip
    graph = compare(save(model(nodes, (STEPS, FEATURES), weights), tmp_path))
    assert [n.op for n in graph.nodes] == ["conv2d", "gru", "slice", "dense"]


def test_layout_one_is_the_same_layer(tmp_path: Path) -> None:
    """Which onnxruntime refuses: it is held against the same weights with time first."""
    (tmp_path / "a").mkdir()
    first = save(made("GRU", layout=1, linear_before_reset=1), tmp_path)
    then = save(made("GRU", linear_before_reset=1), tmp_path / "a")
    a, b = load_onnx(first), load_onnx(then)
    assert (a.meta["batch_axes"], b.meta["batch_axes"]) == ((0, 0), (1, 2))
    assert a.meta["input"].user_shape == b.meta["input"].user_shape == (STEPS, FEATURES)
    for name, value in values(a).items():
        assert np.array_equal(value, values(b)[name])
    from tests.unit.import_models import run

    x = samples(a, 2, 1)
    np.testing.assert_array_equal(run(a, x), np.moveaxis(run(b, np.moveaxis(x, 0, 1)), 2, 0))
    assert predict(then, np.moveaxis(x, 0, 1)).shape == (STEPS, 1, 2, HIDDEN)


def test_the_last_layer_is_both_of_its_parts(tmp_path: Path) -> None:
    graph = load_onnx(save(CASES["gru_reset_last"](), tmp_path))
    assert methods.select(graph, "last") == methods.select(graph, "layer") == set(graph.meta["export"])
    assert len(graph.meta["export"]) == 4


REFUSED: dict[str, tuple[Callable[[], onnx.ModelProto], str]] = {
    "functions": (lambda: made("GRU", activations=["HardSigmoid", "Tanh"]), "activations hardsigmoid, tanh are not"),
    "rnn functions": (lambda: made("RNN", activations=["Softsign"]), "activations softsign are not supported, only"),
    "number of functions": (lambda: made("LSTM", activations=["Sigmoid"]), "are not 3 for each of 1 directions"),
    "clip": (lambda: made("LSTM", clip=1.0), "clip is not supported"),
    "coupled": (lambda: made("LSTM", input_forget=1), "(input_forget) are not supported"),
    "peepholes": (lambda: made("LSTM", more={"p": random(1, 3 * HIDDEN)}), "peephole weights P are not supported"),
    "cell": (lambda: made("LSTM", ("", "", "y")), "its last cell Y_c is read"),
    "lengths": (
        lambda: made("GRU", more={"lengths": np.array([STEPS, 2], np.int32)}, shape=TWO),
        "sequence_lens cut the sequence of 6 steps",
    ),
    "starts": (
        lambda: made("GRU", more={"h": random(1, 2, HIDDEN)}, shape=TWO),
        "initial_h (2, 7) is not one state of 7 values for all samples",
    ),
    "open length": (lambda: made("GRU", shape=("t", 1, FEATURES)), "its input is (time, batch, features), here"),
    "size": (lambda: made("GRU", shape=(STEPS, "n", 3)), "W has shape (1, 21, 5), expected (1, 21, 3)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str, tmp_path: Path) -> None:
    make, why = REFUSED[name]
    with pytest.raises(InputError) as caught:
        load_onnx(save(make(), tmp_path))
    said = " ".join((caught.value.message, *caught.value.details))
    assert why in said
    assert len(caught.value.details) == 1
