"""Arithmetic, piecewise activations, joins, parts, normalisations and transposed convolutions of ONNX: against
onnxruntime as imported, and again after their weights were trained and written back.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from edgelearn.export import export_onnx
from edgelearn.importers.onnx import load_onnx
from tests.unit.import_models import compare, model, node, predict, random, save
from tests.unit.test_export import agree, trained, values

# The model, its device ops, and the ends of the names of the weights that can be trained.
Case = tuple[onnx.ModelProto, list[str], list[str]]
CASES: dict[str, Callable[[], Case]] = {}


def one(
    op: str, shape: tuple[int, ...], ops: str, weights: dict[str, np.ndarray] | None = None, held: str = "",
    opset: int = 17, first: bool = False, **attrs: object,
) -> Callable[[], Case]:  # fmt: skip
    """A Tanh and a node behind it with constants after (or, with `first`, before) the activation."""

    def make() -> Case:
        names = list(weights or {})
        inputs = [*names, "h"] if first else ["h", *names]
        nodes = [node("Tanh", ["x"], "h"), node(op, inputs, "y", **attrs)]
        return model(nodes, shape, weights, opset=opset), ["tanh", *ops.split()], held.split()

    return make


def pair(op: str, ops: str, other: str = "GlobalAveragePool", opset: int = 17) -> Callable[[], Case]:
    """x and something made of x, in both orders of the operands by turns."""
    nodes = [node(other, ["x"], "h"), node("Sigmoid", ["h"], "s"), node(op, ["x", "s"], "y")]
    return lambda: (model(nodes, (3, 5, 4), opset=opset), ops.split(), [])


C31 = {"c": random(3, 1, 1)}
FULL = {"c": random(3, 5, 4)}
TEN = {"c": np.float32(10)}
FLAT = (node("Conv", ["x", "w"], "h"), node("Flatten", ["h"], "f"))
FLAT_WEIGHTS = {"w": random(4, 3, 2, 2), "g": random(48), "b": random(48), "d": random(48, 3)}

CASES |= {
    "mul_channels": one("Mul", (3, 5, 4), "mul", C31, "scale"),
    "mul_map": one("Mul", (3, 5, 4), "mul", FULL, "scale"),
    "mul_last_axis": one("Mul", (3, 5, 4), "mul", {"c": random(4)}),
    "mul_middle_axis": one("Mul", (3, 5, 4), "mul", {"c": random(5, 1)}, ""),
    "mul_number": one("Mul", (3, 5, 4), "mul", TEN),
    "mul_number_first": one("Mul", (3, 5), "mul", {"c": random(1, 1)}, first=True),
    "mul_vector": one("Mul", (7,), "mul", {"c": random(7)}, "scale", opset=7),
    "add_channels": one("Add", (3, 5), "bias", {"c": random(1, 3, 1)}, "bias"),
    "sub_number": one("Sub", (3, 5, 4), "bias", TEN),
    "sub_channels": one("Sub", (3, 5), "bias", {"c": random(3, 1)}, "bias"),
    "sub_from": one("Sub", (3, 5), "mul bias", {"c": random(3, 1)}, "bias", first=True),
    "div_number": one("Div", (3, 5, 4), "mul", TEN),
    "div_channels": one("Div", (3, 5), "mul", {"c": random(5) + 2}),
    "div_into": lambda: (
        model([node("Sigmoid", ["x"], "h"), node("Div", ["c", "h"], "y")], (3, 5), {"c": random(3, 1)}),
        ["sigmoid", "reciprocal", "mul"], ["scale"],
    ),
    "negated": one("Neg", (3, 5), "mul", opset=13),
    "square": one("Pow", (3, 5), "mul", {"c": np.float32(2)}),
    "inverse": lambda: (model([node("Sigmoid", ["x"], "h"), node("Reciprocal", ["h"], "y")], (3, 5)),
                        ["sigmoid", "reciprocal"], []),
    "excite": pair("Mul", "avg_pool2d sigmoid mul"),
    "add_pooled": pair("Add", "avg_pool2d sigmoid bias"),
    "sub_pooled": pair("Sub", "avg_pool2d sigmoid mul bias"),
    "div_pooled": pair("Div", "avg_pool2d sigmoid reciprocal mul"),
    "mul_maps": pair("Mul", "relu sigmoid mul", "Relu"),
    "sub_maps": pair("Sub", "relu sigmoid mul add", "Relu"),
    "div_maps": pair("Div", "relu sigmoid reciprocal mul", "Relu", 7),
    "hard_sigmoid": one("HardSigmoid", (3, 5, 4), "hard_sigmoid", alpha=0.3, beta=0.4),
    "hard_sigmoid_default": one("HardSigmoid", (7,), "hard_sigmoid", opset=7),
    "hard_swish": one("HardSwish", (3, 5, 4), "hard_swish", opset=14),
    "elu": one("Elu", (3, 5), "elu", alpha=0.5),
    "selu": one("Selu", (3, 5), "elu mul", opset=7),
    "selu_numbers": one("Selu", (3, 5), "elu mul", alpha=1.25, gamma=0.5),
    "celu": one("Celu", (3, 5), "elu", opset=12),
    "celu_alpha": one("Celu", (3, 5), "mul elu mul", alpha=0.5),
    "gelu": one("Gelu", (3, 5, 4), "gelu", opset=20),
    "gelu_tanh": one("Gelu", (7,), "gelu_tanh", opset=20, approximate="tanh"),
    "softplus": one("Softplus", (3, 5), "softplus", opset=7),
    "mish": one("Mish", (3, 5, 4), "softplus tanh mul", opset=18),
    "abs": one("Abs", (3, 5, 4), "relu", opset=7),
    "cube": one("Pow", (3, 5), "mul mul", {"c": np.float32(3)}),
    "reduce_max": one("ReduceMax", (3, 5, 4), "max_pool2d", axes=[2, 3]),
    "reduce_max_axis": one("ReduceMax", (3, 5), "max_pool2d", {"a": np.array([-1])}, opset=18, keepdims=0),
    "flat_norm": lambda: (
        model([*FLAT, node("BatchNormalization", ["f", "g", "b", "m", "v"], "n"), node("Gemm", ["n", "d"], "y")],
              (3, 5, 4), {**FLAT_WEIGHTS, "m": random(48), "v": 1 + random(48) ** 2}),
        ["conv2d", "reshape", "batch_norm", "dense"], ["weight", "gamma", "beta", "weight"],
    ),
    "flat_scale": lambda: (
        model([*FLAT, node("Mul", ["f", "g"], "s"), node("Add", ["s", "b"], "n"), node("Gemm", ["n", "d"], "y")],
              (3, 5, 4), FLAT_WEIGHTS),
        ["conv2d", "mul", "bias", "dense"], ["weight", "scale", "bias", "weight"],
    ),
    "slice_step": one("Slice", (3, 7, 4), "avg_pool2d",
                      {"s": np.array([0]), "e": np.array([7]), "a": np.array([2]), "t": np.array([2])}),
    "slice_step_signal": one("Slice", (3, 8), "slice avg_pool2d",
                             {"s": np.array([1]), "e": np.array([8]), "a": np.array([2]), "t": np.array([3])}),
    "slice_step_channels": one("Slice", (5, 3, 4), "avg_pool2d",
                               {"s": np.array([0]), "e": np.array([5]), "a": np.array([1]), "t": np.array([2])}),
    "slice_step_vector": one("Slice", (9,), "reshape avg_pool2d",
                             {"s": np.array([0]), "e": np.array([9]), "a": np.array([1]), "t": np.array([4])}),
    "prelu_channels": lambda: (
        model([node("Conv", ["x", "w"], "h"), node("PRelu", ["h", "s"], "y")], (3, 5, 4),
              {"w": random(4, 3, 2, 2), "s": random(4, 1, 1)}),
        ["conv2d", "prelu"], ["weight", "slope"],
    ),
    "prelu_one": one("PRelu", (3, 5), "prelu", {"s": random(1)}, "slope", opset=9),
    "slice": one("Slice", (3, 6, 4), "slice",
                 {"s": np.array([1]), "e": np.array([-1]), "a": np.array([2])}),
    "slice_attributes": one("Slice", (5, 6), "slice", opset=9, starts=[1], ends=[2**31 - 1], axes=[1]),
    "slice_two_axes": one("Slice", (5, 6, 4), "slice slice",
                          {"s": np.array([1, 0]), "e": np.array([4, 2]), "a": np.array([1, -1])}),
    "gather_one": one("Gather", (5, 6), "slice", {"i": np.array(-1)}, axis=2),
    "clip_both_sides": one("Clip", (3, 5), "bias relu bias", {"low": np.float32(-0.25), "high": np.float32(0.5)}),
    "layer_norm": one("LayerNormalization", (5, 8), "layer_norm", {"g": random(8), "b": random(8)}, "gamma beta"),
    "layer_norm_no_bias": one("LayerNormalization", (3, 4, 6), "layer_norm", {"g": random(6)}, "gamma", epsilon=0.01),
    "layer_norm_map": lambda: (
        model([node("Conv", ["x", "w"], "h"), node("LayerNormalization", ["h", "g", "b"], "y", axis=1)], (3, 5, 4),
              {"w": random(4, 3, 2, 2), "g": random(4, 4, 3), "b": random(4, 4, 3)}),
        ["conv2d", "layer_norm"], ["weight", "gamma", "beta"],
    ),
    "instance_norm": lambda: (
        model([node("Conv", ["x", "w"], "h"), node("InstanceNormalization", ["h", "g", "b"], "y", epsilon=0.01)],
              (3, 5, 4), {"w": random(4, 3, 2, 2), "g": random(4), "b": random(4)}),
        ["conv2d", "instance_norm"], ["weight", "gamma", "beta"],
    ),
    "instance_norm_signal": one("InstanceNormalization", (3, 9), "instance_norm",
                                {"g": random(3), "b": random(3)}, "gamma beta", opset=7),
}  # fmt: skip


def up(shape: tuple[int, ...], w: tuple[int, ...], ops: str, bias: int = 0, **attrs: object) -> Callable[[], Case]:
    weights = {"w": random(*w)} | ({"b": random(bias)} if bias else {})
    held = ["weight", *(["bias"] if bias else [])]
    return lambda: (model([node("ConvTranspose", ["x", *weights], "y", **attrs)], shape, weights), ops.split(), held)


CASES |= {
    "up": up((3, 5, 4), (3, 2, 3, 3), "conv_transpose2d bias", 2, strides=[2, 2], pads=[1, 1, 1, 1],
             output_padding=[1, 1]),
    "up_plain": up((3, 5, 4), (3, 5, 2, 3), "conv_transpose2d"),
    "up_gaps": up((3, 5, 4), (3, 5, 1, 2), "conv_transpose2d", strides=[3, 3], output_padding=[0, 1]),
    "up_signal": up((3, 7), (3, 4, 5), "conv_transpose2d bias", 4, strides=[3], pads=[2, 1]),
    "up_groups": up((4, 5, 4), (4, 3, 3, 3), "conv_transpose2d bias", 6, group=2, strides=[1, 2]),
    "up_depthwise": up((4, 5, 4), (4, 1, 3, 3), "depthwise_conv_transpose2d bias", 4, group=4, strides=[2, 2]),
    "up_same_upper": up((3, 5, 4), (3, 2, 3, 3), "conv_transpose2d", auto_pad="SAME_UPPER", strides=[2, 2]),
    "up_same_lower": up((3, 5, 4), (3, 2, 3, 4), "conv_transpose2d", auto_pad="SAME_LOWER", strides=[2, 2]),
    "up_output_shape": up((3, 5, 4), (3, 2, 3, 3), "conv_transpose2d", output_shape=[10, 8], strides=[2, 2]),
}  # fmt: skip


def case(function: Callable[[], Case]) -> Callable[[], Case]:
    CASES[function.__name__] = function
    return function


@case
def squeeze_and_excite_block() -> Case:
    """With linear layers, as most PyTorch code writes it: the scores come back as a (C, 1, 1) map."""
    nodes = [
        node("Conv", ["x", "w"], "h"), node("GlobalAveragePool", ["h"], "p"), node("Flatten", ["p"], "f"),
        node("Gemm", ["f", "u", "a"], "g", transB=1), node("Relu", ["g"], "r"),
        node("Gemm", ["r", "v", "b"], "q", transB=1), node("HardSigmoid", ["q"], "s"),
        node("Reshape", ["s", "t"], "m"), node("Mul", ["m", "h"], "y"),
    ]  # fmt: skip
    weights = {"w": random(4, 3, 2, 2), "u": random(2, 4), "a": random(2), "v": random(4, 2), "b": random(4),
               "t": np.array([-1, 4, 1, 1])}  # fmt: skip
    ops = ["conv2d", "avg_pool2d", "dense", "relu", "dense", "hard_sigmoid", "mul"]
    return model(nodes, (3, 5, 4), weights), ops, ["weight", "weight", "bias", "weight", "bias"]


@case
def join_channels() -> Case:
    nodes = [node("Conv", ["x", "w"], "a"), node("Conv", ["x", "v"], "b"), node("Relu", ["a"], "c"),
             node("Concat", ["a", "b", "c"], "y", axis=1)]  # fmt: skip
    return model(nodes, (3, 5, 4), {"w": random(4, 3, 1, 1), "v": random(2, 3, 1, 1)}), [
        "conv2d", "conv2d", "relu", "concat", "concat",
    ], ["weight", "weight"]  # fmt: skip


@case
def sum_of_three() -> Case:
    nodes = [node("Relu", ["x"], "a"), node("Tanh", ["x"], "b"), node("Sum", ["a", "b", "x"], "y")]
    return model(nodes, (3, 5, 4)), ["relu", "tanh", "add", "add"], []


@case
def join_rows() -> Case:
    nodes = [node("Relu", ["x"], "a"), node("MaxPool", ["x"], "b", kernel_shape=[2, 1]),
             node("Concat", ["a", "b"], "y", axis=-2)]  # fmt: skip
    return model(nodes, (3, 5, 4)), ["relu", "max_pool2d", "concat"], []


@case
def join_vectors() -> Case:
    nodes = [node("Gemm", ["x", "w"], "a"), node("Tanh", ["x"], "b"), node("Concat", ["a", "b"], "y", axis=1)]
    return model(nodes, (5,), {"w": random(5, 3)}), ["dense", "tanh", "concat"], ["weight"]


@case
def split_and_join() -> Case:
    """The shuffle of two halves."""
    split = helper.make_node("Split", ["h", "n"], ["a", "b", "c"], axis=1)
    nodes = [node("Conv", ["x", "w"], "h"), split, node("Relu", ["a"], "r"), node("Concat", ["c", "r"], "y", axis=1)]
    weights = {"w": random(6, 3, 1, 1), "n": np.array([2, 1, 3])}
    return model(nodes, (3, 5, 4), weights), ["conv2d", "slice", "slice", "relu", "concat"], ["weight"]


@case
def split_evenly() -> Case:
    split = helper.make_node("Split", ["x"], ["a", "b"], axis=1, num_outputs=2)
    return model([split, node("Relu", ["b"], "y")], (5, 4), opset=18), ["slice", "relu"], []


@case
def decoder() -> Case:
    """A vector that becomes a map."""
    nodes = [node("Gemm", ["x", "v"], "h"), node("Reshape", ["h", "t"], "m"),
             node("ConvTranspose", ["m", "w"], "y", strides=[2, 2])]  # fmt: skip
    weights = {"v": random(5, 24), "t": np.array([-1, 4, 3, 2]), "w": random(4, 2, 2, 2)}
    ops = ["dense", "reshape", "transpose", "reshape", "conv_transpose2d"]
    return model(nodes, (5,), weights), ops, ["weight", "weight"]


@case
def group_norm() -> Case:
    """As torch writes it: an instance norm over groups of channels, then a scale and a shift a channel."""
    nodes = [
        node("Conv", ["x", "w"], "h"), node("Reshape", ["h", "t"], "r"),
        node("InstanceNormalization", ["r", "one", "zero"], "n"), node("Reshape", ["n", "u"], "m"),
        node("Mul", ["m", "g"], "s"), node("Add", ["s", "b"], "y"),
    ]  # fmt: skip
    weights = {"w": random(6, 3, 1, 1), "t": np.array([0, 2, -1]), "one": np.ones(2, np.float32),
               "zero": np.zeros(2, np.float32), "u": np.array([-1, 6, 5, 4]), "g": random(6, 1, 1),
               "b": random(6, 1, 1, seed=5)}  # fmt: skip
    ops = "conv2d reshape transpose reshape instance_norm reshape transpose reshape mul bias"
    return model(nodes, (3, 5, 4), weights), ops.split(), ["weight", "gamma", "beta", "scale", "bias"]


@pytest.mark.parametrize("name", CASES)
def test_against_onnxruntime(name: str, tmp_path: Path) -> None:
    made, ops, held = CASES[name]()
    graph = compare(save(made, tmp_path))
    assert [n.op for n in graph.nodes] == ops
    if held:
        assert [weight.rsplit("_", 1)[1] for weight in graph.meta["export"]] == held


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name]()[2]])
def test_weights_go_home(name: str, tmp_path: Path) -> None:
    path = save(CASES[name]()[0], tmp_path)
    graph, moved = trained(load_onnx(path))
    export_onnx(path, graph, moved, tmp_path / "out.onnx")
    agree(tmp_path / "out.onnx", graph)
    for weight, value in values(load_onnx(tmp_path / "out.onnx")).items():
        np.testing.assert_allclose(value, moved[weight], rtol=1e-6, atol=0)
    assert predict(path, np.zeros((1, *graph.meta["input"].user_shape), np.float32)).size
