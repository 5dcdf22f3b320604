"""What an importer says about files that it can't import, and that it never says anything else."""

from __future__ import annotations

import contextlib
import random as stdlib_random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgelearn.errors import InputError
from edgelearn.importers import load
from edgelearn.importers.content import MOST_BYTES
from tests.unit.import_cases import CASES
from tests.unit.import_models import model, node, random, save


def refused(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        load(path)
    error = caught.value
    assert error.exit_code == 1
    assert error.message
    assert "\n" not in error.message
    assert not error.message.endswith(".")
    return error


def why(made: onnx.ModelProto, folder: Path) -> str:
    """The one problem of a model."""
    error = refused(save(made, folder))
    assert len(error.details) == 1
    return error.details[0]


def test_all_problems_at_once(tmp_path: Path) -> None:
    weights = {"w": random(4, 3, 3), "r": random(1, 8, 4), "k": random(4, 4, 3)}
    nodes = [
        node("Conv", ["x", "w"], "a", "/conv1/Conv", dilations=[2], strides=[2]),
        node("Relu", ["a"], "b", "/relu/Relu"),
        node("Shrink", ["b"], "c", "/act/Shrink"),
        node("Conv", ["c", "k"], "d", pads=[-1, 0]),
        node("HardMagic", ["d"], "e", "/magic"),
        node("Softmax", ["e"], "y", "/out/Softmax", axis=0),
    ]
    made = model(nodes, (3, 20), {k: v for k, v in weights.items() if k != "r"})
    error = refused(save(made, tmp_path))
    assert error.render().split("\n\nhint")[0] == (
        "error: 4 nodes are not supported\n"
        "  at net.onnx\n"
        "  node 0 '/conv1/Conv': Conv of (N, 3, 20), (4, 3, 3): dilation (1, 2) is not\n"
        "    supported here, only along one axis with a window of 1 across and stride 1\n"
        "  node 2 '/act/Shrink': Shrink of (N, 4, 8): this op is not supported\n"
        "  node 3 (no name): Conv of (N, 4, 8), (4, 4, 3): pads [-1, 0] crop the map\n"
        "  node 4 '/magic': HardMagic of (?): this op is not supported"
    )
    assert error.hint is not None
    assert error.hint.startswith("ops that can be imported: Abs, Add, AveragePool, BatchNormalization,")


REASONS = {
    "dilated": ([node("MaxPool", ["x"], "y", kernel_shape=[2], dilations=[2])], (3, 6), {}, "dilations [2] are not"),
    "conv_of_vector": ([node("Conv", ["x", "w"], "y")], (3, 2, 2, 2), {"w": random(1, 3, 1, 1, 1)}, "1-D or 2-D maps"),
    "trans_a": ([node("Gemm", ["x", "w"], "y", transA=1)], (3,), {"w": random(2, 3)}, "mix the samples"),
    "clip": ([node("Clip", ["x", "", "h"], "y")], (3,), {"h": np.float32(-1)}, "clips to [-inf, -1]"),
    "concat": ([node("Concat", ["x", "x"], "y", axis=0)], (3,), {}, "along the batch axis"),
    "prod": ([node("ReduceProd", ["x"], "y", axes=[1])], (3,), {}, "supported only on constants"),
    "batch_mean": ([node("ReduceMean", ["x"], "y", axes=[0])], (3, 4), {}, "along the batch axis"),
    "batch_behind": ([node("Transpose", ["x"], "h", perm=[1, 0, 2]), node("GlobalAveragePool", ["h"], "y")],
                     (3, 4), {}, "the batch axis is axis 1 of its input"),
    "softmax_axis": ([node("Softmax", ["x"], "y", axis=1)], (3, 4, 5, 2), {}, "not the class axis"),
    "flatten_batch": ([node("Flatten", ["x"], "y", axis=0)], (3, 4), {}, "mixes the batch axis"),
    "reshape_batch": ([node("Reshape", ["x", "s"], "y")], (3, 4), {"s": np.array([1, -1])}, "mixes the batch axis"),
    "reshape_zero": ([node("Reshape", ["x", "s"], "y")], (3, 4), {"s": np.array([-1, 5])}, "does not fit one sample"),
    "reflect": ([node("Pad", ["x", "p"], "y", mode="reflect")], (3, 4),
                {"p": np.array([0, 0, 1, 0, 0, 1])}, "mode reflect"),
    "broadcast": ([node("GlobalAveragePool", ["x"], "h"), node("Transpose", ["h"], "t", perm=[0, 2, 1]),
                   node("Add", ["t", "h"], "y")], (3, 4), {}, "only one of two may be broadcast"),
    "step": ([node("Slice", ["x", "s", "e", "a", "t"], "y")], (9,),
             {"s": np.array([0]), "e": np.array([9]), "a": np.array([1]), "t": np.array([-2])}, "only positive ones"),
    "elu": ([node("Elu", ["x"], "y", alpha=-1.0)], (3,), {}, "only positive"),
    "zero": ([node("Div", ["x", "z"], "y")], (3,), {"z": np.float32([1, 0, 1])}, "divides by zero"),
    "tiny": ([node("Div", ["x", "z"], "y")], (3,), {"z": np.float32(1e-45)}, "no inverse of"),
    "cube": ([node("Pow", ["x", "z"], "y")], (3,), {"z": np.float32(4)}, "exponents 1, 2 and 3"),
    "small_up": ([node("ConvTranspose", ["x", "w"], "y", output_padding=[2], strides=[2])], (3, 4),
                 {"w": random(3, 2, 3)}, "not smaller than the stride"),

    "double": ([node("Gemm", ["x", "w"], "y")], (3,), {"w": np.ones((3, 2))}, ""),
    "ceil_count": ([node("AveragePool", ["x"], "y", kernel_shape=[3], strides=[2], ceil_mode=1, count_include_pad=1)],
                   (3, 8), {}, "ceil_mode with count_include_pad"),
    "large_pool": ([node("GlobalMaxPool", ["x"], "y")], (2, 17, 17), {}, "more than 256 elements"),
    "window": ([node("Conv", ["x", "w"], "y")], (3, 4), {"w": random(2, 3, 5)}, ""),
    "computed_weight": ([node("Relu", ["x"], "w"), node("MatMul", ["x", "w"], "y")], (3, 3), {}, "must be a constant"),
    "huge_pad": ([node("Pad", ["x", "p"], "h"), node("Relu", ["h"], "y")], (3, 4),
                 {"p": np.array([0, 0, 10**9, 0, 0, 0])}, "larger than the limit"),
    "negative_variance": ([node("BatchNormalization", ["x", "a", "a", "a", "v"], "y")], (2,),
                          {"a": random(2), "v": np.array([1, -1], np.float32)}, "not positive everywhere"),
}  # fmt: skip


@pytest.mark.parametrize("name", REASONS)
def test_reason(name: str, tmp_path: Path) -> None:
    nodes, shape, weights, reason = REASONS[name]
    made = model(nodes, shape, weights, opset=17)
    error = refused(save(made, tmp_path))
    assert reason in (error.details or (error.message,))[0]


def test_indices_of_a_pool(tmp_path: Path) -> None:
    nodes = [helper.make_node("MaxPool", ["x"], ["h", "i"], kernel_shape=[2]), node("Cast", ["i"], "y", to=1)]
    assert "output 'i' is used" in why(model(nodes, (3, 4)), tmp_path)


def test_other_domains(tmp_path: Path) -> None:
    made = model([node("Relu", ["x"], "y")], (3, 4))
    made.graph.node[0].domain = "com.example"
    made.opset_import.append(helper.make_opsetid("com.example", 1))
    assert "domain com.example is not supported" in why(made, tmp_path)


def test_nodes_without_effect_are_left_alone(tmp_path: Path) -> None:
    made = model([node("Elu", ["x"], "unused"), node("Relu", ["x"], "y")], (3,))
    assert [n.op for n in load(save(made, tmp_path)).nodes] == ["relu"]


def test_nan_weights_are_told(tmp_path: Path) -> None:
    w = random(3, 2)
    w[1, 1] = np.nan
    graph = load(save(model([node("Gemm", ["x", "w"], "y", "/head/Gemm")], (3,), {"w": w}), tmp_path))
    assert graph.meta["warnings"] == (
        "head_weight holds NaN or infinite values (net.onnx: node 0 '/head/Gemm' (Gemm))",
    )


# Files


def test_files_that_are_no_models(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "gone.onnx").message
    assert "not a file" in refused(tmp_path).message
    for name, content, message in (
        ("empty.onnx", b"", "the file is empty"),
        ("text.onnx", b"hello, I am a network\n" * 20, "not an ONNX model"),
        ("zeros.onnx", bytes(1000), "not an ONNX model"),
        ("net.tflite", b"\x1c\0\0\0TFL3" + bytes(50), "schema version 0, supported is 3"),
        ("net.onnx", b"\x1c\0\0\0TFL3" + bytes(50), "schema version 0, supported is 3"),
        ("net.pt", b"PK\3\4", "a PyTorch checkpoint can't be imported"),
    ):
        (tmp_path / name).write_bytes(content)
        error = refused(tmp_path / name)
        assert message in error.message
        assert error.where == name


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    with (tmp_path / "big.onnx").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    assert f"the limit is {MOST_BYTES}" in refused(tmp_path / "big.onnx").message


def changed(tmp_path: Path, change: object) -> str:
    """What is said about a sound model after `change`."""
    made = model([node("Gemm", ["x", "w"], "h"), node("Relu", ["h"], "y")], (3,), {"w": random(3, 2)})
    change(made)  # type: ignore[operator]
    return refused(save(made, tmp_path)).render()


def test_damaged_models(tmp_path: Path) -> None:
    def cycle(m: onnx.ModelProto) -> None:
        m.graph.node[0].input[0] = "y"

    def twice(m: onnx.ModelProto) -> None:
        m.graph.node[1].output[0] = "h"

    def outside(m: onnx.ModelProto) -> None:
        m.graph.initializer[0].data_location = TensorProto.EXTERNAL
        m.graph.initializer[0].external_data.add(key="location", value="../../../etc/passwd")

    def absurd(m: onnx.ModelProto) -> None:
        m.graph.initializer[0].dims[0] = 1 << 60

    def negative(m: onnx.ModelProto) -> None:
        m.graph.initializer[0].dims[0] = -3

    def short(m: onnx.ModelProto) -> None:
        m.graph.initializer[0].raw_data = b"\0" * 7

    def future(m: onnx.ModelProto) -> None:
        m.opset_import[0].version = 99

    def ancient(m: onnx.ModelProto) -> None:
        m.opset_import[0].version = 6

    def dynamic(m: onnx.ModelProto) -> None:
        m.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "time"

    def integers(m: onnx.ModelProto) -> None:
        m.graph.input[0].type.tensor_type.elem_type = TensorProto.INT32

    def second_input(m: onnx.ModelProto) -> None:
        m.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 2]))

    def second_output(m: onnx.ModelProto) -> None:
        m.graph.output.append(helper.make_tensor_value_info("h", TensorProto.FLOAT, [None, 2]))

    def no_layers(m: onnx.ModelProto) -> None:
        m.graph.node[1].CopyFrom(node("Identity", ["x"], "y"))

    def control(m: onnx.ModelProto) -> None:
        m.graph.node[1].op_type = "Bad\x1b[31m\nOp"

    for change, message in (
        (cycle, "node 0 '' (Gemm) reads 'y', which nothing before it makes"),
        (twice, "makes 'h' a second time"),
        (outside, "weight 'w' is kept in '../../../etc/passwd', which is outside the model's"),
        (absurd, "weight 'w' has an absurd shape"),
        (negative, "weight 'w' has an absurd shape"),
        (short, "not a valid ONNX model"),
        (future, "opset 99, supported are 7 to 21"),
        (ancient, "opset 6, supported are 7 to 21"),
        (dynamic, "axis 1 of input 'x' has no fixed size ('time')"),
        (integers, "input 'x' is INT32, supported is FLOAT"),
        (second_input, "2 inputs, supported is one"),
        (second_output, "2 outputs, supported is one"),
        (no_layers, "does not depend on the input through any layer"),
        (control, "Bad?[31m?Op"),
    ):
        assert message in changed(tmp_path, change), change.__name__


def deep(levels: int) -> bytes:
    """A graph in a graph in a graph."""
    inner = helper.make_graph([node("Relu", ["x"], "y")], "g", [], [])
    for _ in range(levels):
        inner = helper.make_graph([node("Loop", ["x"], "y", body=inner)], "g", [], [])
    return inner.SerializeToString()


@pytest.mark.parametrize("levels", [5, 20])
def test_graphs_within_graphs(levels: int, tmp_path: Path) -> None:
    made = model([node("Relu", ["x"], "y")], (3,))
    body = onnx.GraphProto.FromString(deep(levels))
    made.graph.node[0].CopyFrom(node("Loop", ["x"], "y", body=body))
    refused(save(made, tmp_path))


def test_nesting_without_end(tmp_path: Path) -> None:
    """Length-delimited fields that nest deeper than any parser follows: graph, node, attribute, graph, ..."""
    content = b""
    for field in (0x0A, 0x2A, 0x32) * 4000:
        if len(content) > 100_000:
            break
        size, length = len(content), b""
        while size >= 128:
            length += bytes([size & 127 | 128])
            size >>= 7
        content = bytes([field]) + length + bytes([size]) + content
    (tmp_path / "deep.onnx").write_bytes(b"\x3a\x03\x0a\x01x" + content)
    refused(tmp_path / "deep.onnx")


# Mutation

SEEDS = ("conv2d", "norm_1d", "reshape_like_pytorch", "pad_into_conv", "channels_last_input", "weights_in_constants")


def survives(path: Path) -> None:
    """A model comes out, or one InputError."""
    with contextlib.suppress(InputError):
        load(path)


@pytest.mark.parametrize("name", SEEDS)
def test_mutated_bytes(name: str, tmp_path: Path) -> None:
    content = CASES[name]()[0].SerializeToString()
    rng = stdlib_random.Random(name)
    path = tmp_path / "mutated.onnx"
    for _ in range(60):
        data = bytearray(content)
        for _ in range(rng.choice((1, 1, 2, 5, 20))):
            data[rng.randrange(len(data))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
        if rng.random() < 0.2:
            del data[rng.randrange(len(data)) :]
        path.write_bytes(data)
        survives(path)


def scramble(made: onnx.ModelProto, rng: stdlib_random.Random) -> None:
    """One change that keeps the file readable but not the network sensible."""
    n = rng.choice(made.graph.node)
    numbers: Sequence[int] = (-(2**63), -7, -1, 0, 1, 2, 3, 1000, 2**31, 2**62)
    kind = rng.randrange(7)
    if kind == 0 and n.attribute:
        a = rng.choice(n.attribute)
        a.i = rng.choice(numbers)
        if a.ints:
            a.ints[rng.randrange(len(a.ints))] = rng.choice(numbers)
    elif kind == 1 and n.attribute:
        del n.attribute[rng.randrange(len(n.attribute))]
    elif kind == 2:
        n.op_type = rng.choice(["Conv", "Gemm", "MatMul", "Add", "Reshape", "Pad", "Softmax", "Squeeze", "ReduceMean",
                                "BatchNormalization", "Transpose", "Gather", "Slice", "MaxPool", "Clip"])  # fmt: skip
    elif kind == 3 and n.input:
        names = [t.name for t in made.graph.initializer] + ["x", ""]
        n.input[rng.randrange(len(n.input))] = rng.choice(names)
    elif kind == 4 and made.graph.initializer:
        t = rng.choice(made.graph.initializer)
        shape = [rng.choice((0, 1, 2, 3, 5)) for _ in range(rng.randrange(5))]
        dtype = rng.choice((np.float32, np.float32, np.int64, np.float64, np.bool_))
        t.CopyFrom(numpy_helper.from_array(np.full(shape, rng.choice((0, 1, -1, 9)), dtype), t.name))
    elif kind == 5:
        made.opset_import[0].version = rng.randrange(5, 24)
    else:
        dim = rng.choice(made.graph.input[0].type.tensor_type.shape.dim)
        dim.dim_value = rng.choice((0, 1, 2, 7, 2**20, 2**40))


@pytest.mark.parametrize("name", sorted(CASES))
def test_scrambled_models(name: str, tmp_path: Path) -> None:
    rng = stdlib_random.Random(f"scramble {name}")
    for _ in range(6):
        made = CASES[name]()[0]
        for _ in range(rng.choice((1, 1, 2, 3))):
            scramble(made, rng)
        survives(save(made, tmp_path))
