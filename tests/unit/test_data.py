"""What the numbers of an archive mean to a model, and in which format they travel."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgelearn.boards import load
from edgelearn.config import TrainConfig
from edgelearn.data import beyond, load_dataset
from edgelearn.errors import InputError
from edgelearn.formats import F32, S8
from edgelearn.graph import Graph
from edgelearn.importers.tflite import load_tflite
from edgelearn.passes.samples import sample_quant
from edgelearn.plan import make_plan
from edgelearn.session import encode
from tests.support.int8_nets import Net, backbone
from tests.support.nets import NETS
from tests.support.tflite_files import NONE, TfliteNet

SCALE, ZERO = 0.05, 3  # of the backbone's input
BOARD = load("host")


def imported(content: bytes, folder: Path) -> Graph:
    path = folder / "net.tflite"
    path.write_bytes(content)
    return load_tflite(path)


@pytest.fixture
def int8(tmp_path: Path) -> Graph:
    """A model whose own input is int8."""
    return imported(backbone(), tmp_path)


def rounding(seed: int = 3, other: bool = False) -> bytes:
    """A float input behind which a QUANTIZE stands, and with `other` a float layer too."""
    net = Net(np.random.default_rng(seed))
    x = net.input((1, 10))
    q = net.op("QUANTIZE", [x], (1, 10), kind="INT8", scale=SCALE, zero=ZERO)
    y = net.weighted("FULLY_CONNECTED", q, (6, 10), (1, 6), 0, 1)
    if not other:
        return net.finish(y)
    back = net.op("DEQUANTIZE", [y], (1, 6))
    w = net.const(net.rng.normal(size=(6, 10)).astype(np.float32))
    float_layer = net.op("FULLY_CONNECTED", [x, w], (1, 6))
    net.op("ADD", [back, float_layer], (1, 6), {"FusedActivationFunction": NONE})
    return net.content()


def archive(folder: Path, x: np.ndarray, y: np.ndarray) -> Path:
    path = folder / "data.npz"
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y)
    return path


INTEGERS = np.random.default_rng(0).integers(-128, 128, (5, 9, 7, 3))
LABELS = np.arange(5) % 4


def test_int8_arrays_are_the_integers_of_an_int8_input(int8: Graph, tmp_path: Path) -> None:
    data = load_dataset(archive(tmp_path, INTEGERS.astype(np.int8), LABELS.astype(np.int8)), int8, "cross-entropy")
    np.testing.assert_allclose(data.x_train, SCALE * (INTEGERS - ZERO), rtol=1e-6)
    assert data.integers == ("x_train", "x_test")
    assert data.y_train.tolist() == LABELS.tolist()
    plan = make_plan(int8, TrainConfig(train="last"), BOARD)
    sent = encode(plan, data.x_train, data.y_train)
    np.testing.assert_array_equal(sent.x, INTEGERS)
    first, label = sent.wire[0]
    assert first == INTEGERS[0].astype(np.int8).tobytes() + bytes(-INTEGERS[0].size % 4)
    assert label == bytes(4)


@pytest.mark.parametrize("kind", [np.int16, np.int64, np.uint8, np.float64])
def test_every_other_type_holds_real_numbers(kind: type, int8: Graph, tmp_path: Path) -> None:
    numbers = np.abs(INTEGERS) if kind is np.uint8 else INTEGERS
    data = load_dataset(archive(tmp_path, numbers.astype(kind), LABELS), int8, "cross-entropy")
    np.testing.assert_array_equal(data.x_train, numbers.astype(np.float32))
    assert data.integers == ()
    found = beyond(data.x_train, int8)
    assert found is not None
    low, high = SCALE * (-128 - ZERO), SCALE * (127 - ZERO)
    assert found[0] == np.mean((numbers < low - SCALE / 2) | (numbers > high + SCALE / 2)) > 0.5
    assert found[1] == pytest.approx((low, high))


@pytest.mark.parametrize("other", [False, True])
def test_int8_arrays_are_real_numbers_to_a_float_input(other: bool, tmp_path: Path) -> None:
    graph = imported(rounding(other=other), tmp_path)
    numbers = INTEGERS[:, 0, 0, :1] % 7 + np.arange(10)
    data = load_dataset(archive(tmp_path, numbers.astype(np.int8), LABELS % 3), graph, "cross-entropy")
    np.testing.assert_array_equal(data.x_train, numbers.astype(np.float32))
    assert graph.tensors[graph.inputs[0]].format is F32
    assert beyond(data.x_train, graph) is None if other else beyond(data.x_train, graph) is not None


def test_targets_are_integers_where_the_output_is_int8(tmp_path: Path) -> None:
    net = Net(np.random.default_rng(5))
    x = net.source((1, 6), kind="INT8", scale=0.1, zero=-2)
    net.weighted("FULLY_CONNECTED", x, (6, 6), (1, 6), 0, 1)
    graph = imported(net.content(), tmp_path)
    quant = graph.tensors[graph.outputs[0]].quant
    assert quant is not None
    values = np.arange(-15, 15, dtype=np.int8).reshape(5, 6)
    data = load_dataset(archive(tmp_path, values, values), graph, "mse")
    np.testing.assert_allclose(data.x_test, 0.1 * (values.astype(float) + 2), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(data.y_test, quant.scale[0] * (values.astype(float) - quant.zero_point[0]), rtol=1e-6)
    np.savez(tmp_path / "data.npz", x_train=values, x_test=values)
    again = load_dataset(tmp_path / "data.npz", graph, "mse")
    np.testing.assert_array_equal(again.y_train, data.x_train)


def test_who_reads_a_sample_decides_its_format(int8: Graph, tmp_path: Path) -> None:
    quantize, mixed = imported(rounding(), tmp_path), imported(rounding(other=True), tmp_path)
    plain = NETS["residual_net"]()
    formats = {
        "frozen in int8": (int8, "last", "auto", "s8"),
        "asked for f32": (int8, "last", "f32", "f32"),
        "trained": (int8, "all", "auto", "f32"),
        "trained, asked for s8": (int8, "all", "s8", "s8"),
        "behind a QUANTIZE": (quantize, "last", "auto", "s8"),
        "a float layer reads it too": (mixed, "fully_connected", "auto", "f32"),
        "float model": (plain, "last", "auto", "f32"),
        "half": (plain, "last", "f16", "f16"),
    }
    for name, (graph, train, samples, found) in formats.items():
        layers = [n.name for n in graph.nodes if n.op == "dense"]
        config = TrainConfig(train=layers[-1] if graph is mixed else train).with_changes(samples=samples)
        plan = make_plan(graph, config, BOARD)
        source = plan.graph.tensors[plan.graph.inputs[0]]
        assert (name, plan.samples) == (name, found)
        assert (source.format is S8) == (found == "s8")
        assert source.format in (S8, F32)


@pytest.mark.parametrize("name", ["float", "mixed"])
def test_s8_needs_an_int8_input(name: str, tmp_path: Path) -> None:
    graph = NETS["residual_net"]() if name == "float" else imported(rounding(other=True), tmp_path)
    assert sample_quant(graph) is None
    with pytest.raises(InputError, match="the model's input is not int8"):
        make_plan(graph, TrainConfig(samples="s8"), BOARD)


def test_the_host_rounds_as_the_board_does(int8: Graph) -> None:
    """Ties go away from zero, and what lies outside saturates."""
    plan = make_plan(int8, TrainConfig(train="last"), BOARD)
    x = np.zeros((1, 9, 7, 3), np.float32)
    x[0, 0, 0] = (-1e30, 1e30, 0.0)
    x[0, 0, 1] = np.float32(SCALE) * np.array([0.5, -0.5, 1.5], np.float32)
    sent = encode(plan, x, np.zeros(1, np.int64)).x
    assert sent[0, 0, 0].tolist() == [-128, 127, 3]
    assert sent[0, 0, 1].tolist() == [4, 2, 5]


def test_a_file_of_float_layers_has_no_integers(tmp_path: Path) -> None:
    net = TfliteNet()
    x = net.input((1, 4))
    net.op("FULLY_CONNECTED", [x, net.const(np.ones((3, 4), np.float32))], (1, 3))
    assert sample_quant(imported(net.content(), tmp_path)) is None


def _archive(folder: Path, save: Callable[..., None] = np.savez, **changes: object) -> Path:
    path = folder / "samples.npz"
    x, y = np.zeros((40, 4), np.float32), np.zeros(40, np.int64)
    save(path, **{"x_train": x, "y_train": y, "x_test": x, "y_test": y, **changes})
    return path


def _end_cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:300])


def _middle_damaged(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[60:90] = b"\xff" * 30
    path.write_bytes(data)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(
    "spoil",
    [
        _end_cut,
        _middle_damaged,
        lambda path: path.write_text("import numpy as np\n"),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(pickle.dumps({"x_train": 1})),
    ],
    ids=["cut", "damaged", "text", "empty", "pickle"],
)
def test_a_file_that_is_no_archive(spoil: Callable[[Path], object], save: Callable[..., None], tmp_path: Path) -> None:
    path = _archive(tmp_path, save)
    spoil(path)
    with pytest.raises(InputError, match="the data file is not an npz archive, or one that is damaged") as caught:
        load_dataset(path, NETS["mlp"](), "cross-entropy")
    assert caught.value.where == str(path)
    assert str(caught.value.hint).startswith("numpy.savez('samples.npz', x_train=..., ")


def test_objects_are_no_numbers(tmp_path: Path) -> None:
    path = _archive(tmp_path, y_test=np.array([{}] * 40))
    with pytest.raises(InputError, match="the data file has Python objects in y_test, and no numbers"):
        load_dataset(path, NETS["mlp"](), "cross-entropy")
