"""Models of one or a few ONNX operators, with the ops that they become: odd sizes, and each spelling of an operator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx

from tests.unit.import_models import model, node, random

I64 = np.int64
Case = tuple[onnx.ModelProto, list[str]]
CASES: dict[str, Callable[[], Case]] = {}


def case(function: Callable[[], Case]) -> Callable[[], Case]:
    CASES[function.__name__] = function
    return function


def one(op: str, shape: tuple[int, ...], ops: list[str], *, opset: int = 17, **attrs: object) -> Callable[[], Case]:
    """A model of one node without weights."""
    return lambda: (model([node(op, ["x"], "y", **attrs)], shape, opset=opset), ops)


def conv(
    shape: tuple[int, ...],
    w: tuple[int, ...],
    *,
    op: str = "conv2d",
    bias: bool = True,
    opset: int = 17,
    **attrs: object,
) -> Callable[[], Case]:
    weights = {"w": random(*w)} | ({"b": random(w[0])} if bias else {})
    return lambda: (model([node("Conv", ["x", *weights], "y", **attrs)], shape, weights, opset=opset), [op])


CASES |= {
    "conv2d": conv((3, 7, 9), (5, 3, 3, 3), pads=[1, 1, 1, 1]),
    "conv2d_opset7": conv((3, 7, 9), (5, 3, 3, 2), opset=7, strides=[2, 3]),
    "conv2d_asymmetric": conv((2, 8, 5), (3, 2, 3, 3), pads=[0, 1, 2, 0], strides=[2, 1], bias=False),
    "conv2d_same_upper": conv((2, 8, 7), (3, 2, 3, 4), auto_pad="SAME_UPPER", strides=[2, 3]),
    "conv2d_same_lower": conv((2, 8, 7), (3, 2, 4, 3), auto_pad="SAME_LOWER", strides=[2, 2]),
    "conv2d_valid": conv((2, 8, 7), (3, 2, 3, 3), auto_pad="VALID", opset=21),
    "conv2d_groups": conv((6, 5, 5), (4, 3, 3, 3), group=2, kernel_shape=[3, 3]),
    "conv2d_depthwise": conv((5, 6, 7), (5, 1, 3, 3), op="depthwise_conv2d", group=5, pads=[1, 1, 1, 1]),
    "conv2d_multiplier": conv((3, 6, 7), (6, 1, 3, 2), op="depthwise_conv2d", group=3, strides=[2, 1]),
    "conv1d": conv((6, 17), (4, 6, 5), strides=[2], pads=[2, 2]),
    "conv1d_same": conv((3, 16), (4, 3, 5), strides=[3], auto_pad="SAME_UPPER", bias=False),
    "conv1d_depthwise": conv((4, 11), (8, 1, 3), op="depthwise_conv2d", group=4, dilations=[1]),
    "conv2d_one_pixel": conv((3, 1, 1), (2, 3, 1, 1)),
    "relu": one("Relu", (5, 3), ["relu"]),
    "relu_vector": one("Relu", (7,), ["relu"], opset=7),
    "relu_five_axes": one("Relu", (2, 3, 2, 5), ["relu"]),
    "leaky_relu": one("LeakyRelu", (5, 3, 2), ["relu"], alpha=0.125),
    "leaky_relu_opset7": one("LeakyRelu", (5, 3), ["relu"], opset=7),
    "sigmoid": one("Sigmoid", (3, 4, 5), ["sigmoid"]),
    "tanh": one("Tanh", (9,), ["tanh"]),
    "relu6_opset9": one("Clip", (9, 4), ["relu"], opset=9, min=0.0, max=6.0),
    "softmax": one("Softmax", (9,), ["softmax"]),
    "softmax_opset11": one("Softmax", (9,), ["softmax"], opset=11),
    "log_softmax": one("LogSoftmax", (5, 4), ["log_softmax"], axis=1),
    "softmax_last": one("Softmax", (4, 5), ["softmax"], axis=-1),
    "max_pool": one("MaxPool", (3, 7, 6), ["max_pool2d"], kernel_shape=[3, 2], strides=[2, 2]),
    "max_pool_opset7": one("MaxPool", (3, 7, 6), ["max_pool2d"], opset=7, kernel_shape=[2, 2]),
    "max_pool_pads": one("MaxPool", (3, 7, 6), ["max_pool2d"], kernel_shape=[3, 3], pads=[1, 0, 0, 1]),
    "max_pool_same": one("MaxPool", (3, 7, 6), ["max_pool2d"], kernel_shape=[3, 3], auto_pad="SAME_UPPER"),
    "max_pool_ceil": one("MaxPool", (3, 8, 7), ["max_pool2d"], kernel_shape=[3, 3], strides=[2, 3], ceil_mode=1),
    "max_pool_1d": one("MaxPool", (4, 13), ["max_pool2d"], kernel_shape=[3], strides=[3], opset=12),
    "avg_pool": one("AveragePool", (3, 7, 6), ["avg_pool2d"], kernel_shape=[3, 2], strides=[2, 2]),
    "avg_pool_opset7": one("AveragePool", (3, 7, 6), ["avg_pool2d"], opset=7, kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    "avg_pool_count": one(
        "AveragePool", (3, 7, 6), ["avg_pool2d"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1
    ),
    "avg_pool_ceil": one("AveragePool", (3, 8), ["avg_pool2d"], opset=19, kernel_shape=[3], strides=[2], ceil_mode=1),
    "avg_pool_1d": one("AveragePool", (4, 13), ["avg_pool2d"], kernel_shape=[4], strides=[2]),
    "global_average": one("GlobalAveragePool", (5, 4, 7), ["avg_pool2d"]),
    "global_average_1d": one("GlobalAveragePool", (5, 7), ["avg_pool2d"]),
    "global_max": one("GlobalMaxPool", (5, 4, 7), ["max_pool2d"]),
    "mean_space": one("ReduceMean", (5, 4, 7), ["avg_pool2d"], axes=[2, 3], keepdims=0),
    "mean_space_kept": one("ReduceMean", (5, 4, 7), ["avg_pool2d"], opset=11, axes=[-1, -2]),
    "mean_height": one("ReduceMean", (5, 4, 7), ["avg_pool2d"], axes=[2], keepdims=0),
    "mean_width": one("ReduceMean", (5, 4, 7), ["avg_pool2d"], axes=[3], keepdims=1),
    "mean_time": one("ReduceMean", (5, 7), ["avg_pool2d"], axes=[2], keepdims=0),
    "mean_time_last": one("ReduceMean", (7, 5), ["avg_pool2d"], axes=[1], keepdims=0),
    "mean_everything": one("ReduceMean", (7, 5), ["avg_pool2d"], axes=[1, 2], keepdims=0),
}  # fmt: skip


@case
def relu6_inputs() -> Case:
    bounds = {"low": np.float32(0), "high": np.float32(6)}
    return model([node("Clip", ["x", "low", "high"], "y")], (4, 3, 2), bounds), ["relu"]


@case
def clip_without_maximum() -> Case:
    return model([node("Clip", ["x", "low"], "y")], (4,), {"low": np.float32(0)}, opset=13), ["relu"]


@case
def mean_axes_input() -> Case:
    return model([node("ReduceMean", ["x", "a"], "y", keepdims=0)], (5, 4, 3), {"a": np.array([2, 3])}, opset=18), [
        "avg_pool2d"
    ]


def norm(shape: tuple[int, ...], opset: int) -> Case:
    c = shape[0]
    weights = {"s": random(c), "b": random(c, seed=2), "m": random(c, seed=3), "v": np.abs(random(c, seed=4)) + 0.1}
    return model([node("BatchNormalization", ["x", *weights], "y", epsilon=0.01)], shape, weights, opset=opset), [
        "batch_norm"
    ]


CASES |= {
    "norm_2d": lambda: norm((5, 3, 4), 17),
    "norm_1d": lambda: norm((5, 7), 9),
    "norm_vector": lambda: norm((6,), 14),
    "norm_opset7": lambda: norm((3, 2, 2), 7),
}


@case
def gemm() -> Case:
    weights = {"w": random(7, 5), "b": random(5)}
    return model([node("Gemm", ["x", "w", "b"], "y")], (7,), weights), ["dense"]


@case
def gemm_transposed_scaled() -> Case:
    weights = {"w": random(5, 7), "b": random(1, 5)}
    return model([node("Gemm", ["x", "w", "b"], "y", transB=1, alpha=0.5, beta=-2.0)], (7,), weights, opset=7), [
        "dense"
    ]


@case
def gemm_without_bias() -> Case:
    return model([node("Gemm", ["x", "w"], "y", transB=1)], (7,), {"w": random(5, 7)}, opset=11), ["dense"]


@case
def gemm_scalar_bias() -> Case:
    return model([node("Gemm", ["x", "w", "b"], "y")], (7,), {"w": random(7, 5), "b": np.float32(0.3)}), ["dense"]


@case
def matmul_add() -> Case:
    nodes = [node("MatMul", ["x", "w"], "h"), node("Add", ["b", "h"], "y")]
    return model(nodes, (7,), {"w": random(7, 5), "b": random(5)}), ["dense"]


@case
def matmul_along_map() -> Case:
    nodes = [node("MatMul", ["x", "w"], "h"), node("Add", ["h", "b"], "y")]
    return model(nodes, (9, 6), {"w": random(6, 5), "b": random(5)}), ["conv2d"]


@case
def matmul_along_image() -> Case:
    return model([node("MatMul", ["x", "w"], "y")], (3, 4, 6), {"w": random(6, 5)}), ["conv2d"]


@case
def matmul_one_row() -> Case:
    return model([node("MatMul", ["x", "w"], "y")], (1, 6), {"w": random(6, 5)}), ["dense"]


@case
def matmul_then_conv() -> Case:
    nodes = [
        node("MatMul", ["x", "w"], "h"),
        node("Transpose", ["h"], "t", perm=[0, 2, 1]),
        node("Conv", ["t", "k"], "y"),
    ]
    return model(nodes, (9, 6), {"w": random(6, 4), "k": random(3, 4, 3)}), ["conv2d", "conv2d"]


@case
def matmul_against_the_grain() -> Case:
    nodes = [node("MatMul", ["x", "w"], "h"), node("Conv", ["h", "k"], "y")]
    return model(nodes, (9, 6), {"w": random(6, 4), "k": random(3, 9, 3)}), ["conv2d", "transpose", "conv2d"]


@case
def conv_add_bias() -> Case:
    nodes = [node("Conv", ["x", "w"], "h"), node("Add", ["h", "b"], "y")]
    return model(nodes, (3, 5, 5), {"w": random(4, 3, 3, 3), "b": random(1, 4, 1, 1)}), ["conv2d"]


@case
def conv_add_map() -> Case:
    nodes = [node("Conv", ["x", "w"], "h"), node("Add", ["h", "b"], "y")]
    return model(nodes, (3, 5, 5), {"w": random(4, 3, 3, 3), "b": random(4, 3, 3)}), ["conv2d", "bias"]


@case
def add_scalar() -> Case:
    return model([node("Add", ["x", "c"], "y")], (3, 4), {"c": np.float32(1.5)}), ["bias"]


@case
def add_read_twice() -> Case:
    """A bias must not be folded into a layer whose bare output somebody else reads."""
    nodes = [
        node("Conv", ["x", "w"], "h"),
        node("Add", ["h", "b"], "i"),
        node("Relu", ["h"], "r"),
        node("Add", ["i", "r"], "y"),
    ]
    return model(nodes, (3, 5), {"w": random(4, 3, 3), "b": random(4, 1)}), ["conv2d", "bias", "relu", "add"]


@case
def residual() -> Case:
    nodes = [node("Conv", ["x", "w"], "h", pads=[1, 1, 1, 1]), node("Relu", ["h"], "r"), node("Sum", ["r", "x"], "y")]
    return model(nodes, (3, 5, 4), {"w": random(3, 3, 3, 3)}), ["conv2d", "relu", "add"]


@case
def residual_of_two_orders() -> Case:
    """A convolution and a matrix along the other axis: one of the two has to move."""
    nodes = [
        node("Conv", ["x", "w"], "h"),
        node("MatMul", ["x", "v"], "m"),
        node("Add", ["h", "m"], "y"),
    ]
    return model(nodes, (4, 6), {"w": random(4, 4, 1), "v": random(6, 6)}), [
        "conv2d", "transpose", "conv2d", "transpose", "add",
    ]  # fmt: skip


@case
def conv_flatten_gemm() -> Case:
    nodes = [
        node("Conv", ["x", "w"], "h"),
        node("Flatten", ["h"], "f"),
        node("Gemm", ["f", "v", "b"], "y", transB=1),
    ]
    return model(nodes, (3, 5, 6), {"w": random(4, 3, 3, 2), "v": random(7, 60), "b": random(7)}), ["conv2d", "dense"]


@case
def flatten_kept() -> Case:
    """The output is a flattened map: its order in memory is restored on the device."""
    nodes = [node("Conv", ["x", "w"], "h"), node("Flatten", ["h"], "y")]
    return model(nodes, (3, 5, 6), {"w": random(4, 3, 3, 2)}), ["conv2d", "transpose"]


@case
def reshape_like_pytorch() -> Case:
    """x.view(x.size(0), -1) as an older exporter writes it."""
    nodes = [
        node("Conv", ["x", "w"], "h"),
        node("Shape", ["h"], "s"),
        node("Constant", [], "zero", value=onnx.numpy_helper.from_array(np.array(0, I64))),
        node("Gather", ["s", "zero"], "n", axis=0),
        node("Constant", [], "where", value_ints=[0]),
        node("Unsqueeze", ["n", "where"], "u"),
        node("Constant", [], "minus", value_ints=[-1]),
        node("Concat", ["u", "minus"], "t", axis=0),
        node("Reshape", ["h", "t"], "f"),
        node("MatMul", ["f", "v"], "y"),
    ]
    return model(nodes, (3, 5, 6), {"w": random(4, 3, 3, 2), "v": random(60, 7)}), ["conv2d", "dense"]


@case
def reshape_input() -> Case:
    """A flat window that the network itself lays out as a signal of three axes."""
    nodes = [node("Reshape", ["x", "t"], "h"), node("Conv", ["h", "w"], "y")]
    return model(nodes, (24,), {"t": np.array([-1, 1, 24]), "w": random(4, 1, 5)}), ["conv2d"]


@case
def reshape_keeps_channels() -> Case:
    nodes = [
        node("Conv", ["x", "w"], "h"),
        node("Reshape", ["h", "t"], "r"),
        node("Transpose", ["r"], "p", perm=[0, 2, 1]),
        node("MatMul", ["p", "v"], "m"),
        node("ReduceMean", ["m"], "y", axes=[1], keepdims=0),
    ]
    weights = {"w": random(4, 3, 1, 3), "t": np.array([0, 4, -1]), "v": random(4, 5)}
    return model(nodes, (3, 1, 6), weights), ["conv2d", "conv2d", "avg_pool2d"]


@case
def channels_last_input() -> Case:
    """What a converter from TensorFlow writes: transposes around every convolution."""
    nodes = [
        node("Transpose", ["x"], "a", perm=[0, 3, 1, 2]),
        node("Conv", ["a", "w"], "b", auto_pad="SAME_UPPER", strides=[2, 2]),
        node("Transpose", ["b"], "c", perm=[0, 2, 3, 1]),
        node("Relu", ["c"], "d"),
        node("Transpose", ["d"], "e", perm=[0, 3, 1, 2]),
        node("GlobalAveragePool", ["e"], "f"),
        node("Squeeze", ["f", "axes"], "g"),
        node("Gemm", ["g", "v"], "y"),
    ]
    weights = {"w": random(4, 3, 3, 3), "axes": np.array([2, 3]), "v": random(4, 3)}
    return model(nodes, (8, 7, 3), weights), ["conv2d", "relu", "avg_pool2d", "dense"]


@case
def squeeze_unsqueeze() -> Case:
    nodes = [
        node("Unsqueeze", ["x"], "a", axes=[2]),
        node("Conv", ["a", "w"], "b"),
        node("Squeeze", ["b"], "c", axes=[2]),
        node("Conv", ["c", "v"], "y"),
    ]
    return model(nodes, (3, 9), {"w": random(4, 3, 1, 3), "v": random(2, 4, 3)}, opset=11), ["conv2d", "conv2d"]


@case
def pad_into_conv() -> Case:
    nodes = [node("Pad", ["x", "p"], "h"), node("Conv", ["h", "w"], "y", strides=[2, 2], pads=[0, 0, 1, 0])]
    weights = {"p": np.array([0, 0, 1, 2, 0, 0, 0, 1]), "w": random(4, 3, 3, 3)}
    return model(nodes, (3, 6, 5), weights), ["conv2d"]


@case
def pad_into_average() -> Case:
    nodes = [
        node("Pad", ["x"], "h", pads=[0, 0, 1, 0, 0, 1]),
        node("AveragePool", ["h"], "y", kernel_shape=[3], strides=[2]),
    ]
    return model(nodes, (3, 6), opset=10), ["avg_pool2d"]


@case
def pad_kept_before_max_pool() -> Case:
    nodes = [node("Pad", ["x", "p"], "h"), node("MaxPool", ["h"], "y", kernel_shape=[2, 2])]
    return model(nodes, (3, 4, 4), {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1])}), ["pad", "max_pool2d"]


@case
def pad_with_a_value() -> Case:
    nodes = [node("Pad", ["x", "p", "v", "a"], "h"), node("Relu", ["h"], "r"), node("Conv", ["r", "w"], "y")]
    weights = {"p": np.array([2, 1]), "v": np.float32(-0.5), "a": np.array([3]), "w": random(2, 3, 2, 2)}
    return model(nodes, (3, 4, 4), weights, opset=19), ["pad", "relu", "conv2d"]


@case
def pad_a_signal() -> Case:
    return model([node("Pad", ["x", "p"], "y")], (3, 7), {"p": np.array([0, 0, 2, 0, 0, 1])}, opset=13), ["pad"]


@case
def nothing_left_of_dropout() -> Case:
    nodes = [
        node("Dropout", ["x"], "a"),
        node("Identity", ["a"], "b"),
        node("Cast", ["b"], "c", to=1),
        node("Relu", ["c"], "y"),
    ]
    return model(nodes, (5,), opset=13), ["relu"]


@case
def weights_in_constants() -> Case:
    nodes = [
        node("Constant", [], "w", value=onnx.numpy_helper.from_array(random(5, 7))),
        node("Transpose", ["w"], "wt", perm=[1, 0]),
        node("MatMul", ["x", "wt"], "h"),
        node("Constant", [], "b", value_floats=[1.0, 2.0, 3.0, 4.0, 5.0]),
        node("Add", ["h", "b"], "y"),
    ]
    return model(nodes, (7,)), ["dense"]
