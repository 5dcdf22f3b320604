"""TensorFlow Lite models for the import and export tests: each operator alone, and what comes before and behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.support.tflite_files import NONE, RELU, RELU6, RELU_N1_TO_1, SAME, VALID, TfliteNet

I8 = {"kind": "INT8", "scale": 0.05, "zero": -7}


def floats(*shape: int, seed: int = 1) -> np.ndarray:
    return (np.random.default_rng(seed + sum(shape)).normal(size=shape) * 0.5).astype(np.float32)


def bytes_(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed + sum(shape)).integers(-127, 128, shape).astype(np.int8)


def ints(*values: Any) -> np.ndarray:
    return np.array(values, np.int32)


def conv(x: tuple[int, ...], w: tuple[int, ...], y: tuple[int, ...], op: str = "CONV_2D", **options: Any) -> TfliteNet:
    """A float convolution."""
    net = TfliteNet()
    weight, bias = net.const(floats(*w), "m/first/Conv2D"), net.const(floats(y[-1]))
    net.op(op, [net.input(x), weight, bias], y, options)
    return net


def conv8(x: tuple[int, ...], w: tuple[int, ...], y: tuple[int, ...], op: str = "CONV_2D", **options: Any) -> TfliteNet:
    """An int8 convolution with one scale a channel."""
    net, axis, channels = TfliteNet(), 0 if op == "CONV_2D" else 3, y[-1]
    scale = np.linspace(0.002, 0.008, channels, dtype=np.float32)
    weight = net.const(bytes_(*w), scale=scale, axis=axis)
    bias = net.const((bytes_(channels).astype(np.int32) * 50), scale=scale * np.float32(0.05))
    net.op(op, [net.input(x, **I8), weight, bias], y, options, kind="INT8", scale=0.09, zero=-20)
    return net


def unary(op: str, shape: tuple[int, ...] = (1, 3, 5, 4), **options: Any) -> TfliteNet:
    net = TfliteNet()
    net.op(op, [net.input(shape)], shape, options)
    return net


def with_const(op: str, x: tuple[int, ...], c: np.ndarray, **options: Any) -> TfliteNet:
    net = TfliteNet()
    net.op(op, [net.input(x), net.const(c)], x, options)
    return net


def residual(op: str) -> TfliteNet:
    """x with the output of a convolution of x."""
    net = TfliteNet()
    x = net.input((1, 4, 5, 3))
    y = net.op("CONV_2D", [x, net.const(floats(3, 1, 1, 3)), net.const(floats(3))], (1, 4, 5, 3))
    net.op(op, [x, y], (1, 4, 5, 3), {"FusedActivationFunction": RELU})
    return net


def residual8() -> TfliteNet:
    net = TfliteNet()
    x = net.input((1, 4, 5, 3), **I8)
    y = net.op("RELU", [x], (1, 4, 5, 3), kind="INT8", scale=0.04, zero=-128)
    net.op("ADD", [x, y], (1, 4, 5, 3), {"FusedActivationFunction": RELU}, kind="INT8", scale=0.08, zero=-100)
    return net


def padded(op: str, *extra: float, then: str = "CONV_2D") -> TfliteNet:
    """A padding before a convolution (which can take it in if it is zero) or a pool (which can't)."""
    net = TfliteNet()
    sizes = net.const(ints([0, 0], [1, 2], [0, 1], [0, 0]))
    value = [net.const(np.array(v, np.float32)) for v in extra]
    p = net.op(op, [net.input((1, 5, 6, 2)), sizes, *value], (1, 8, 7, 2))
    if then == "CONV_2D":
        net.op(then, [p, net.const(floats(3, 3, 3, 2)), net.const(floats(3))], (1, 6, 5, 3), {"Padding": VALID})
    else:
        pool = {"Padding": VALID, "FilterWidth": 2, "FilterHeight": 2, "StrideW": 1, "StrideH": 1}
        net.op(then, [p], (1, 7, 6, 2), pool)
    return net


def pool(op: str, y: tuple[int, ...], padding: int, **quant: Any) -> TfliteNet:
    net = TfliteNet()
    options = {"Padding": padding, "FilterWidth": 3, "FilterHeight": 2, "StrideW": 2, "StrideH": 2}
    net.op(op, [net.input((1, 7, 6, 3), **quant)], y, options, **quant)
    return net


def mean(axes: list[int], y: tuple[int, ...], keep: bool, x: tuple[int, ...] = (1, 4, 5, 3)) -> TfliteNet:
    net = TfliteNet()
    net.op("MEAN", [net.input(x), net.const(ints(*axes))], y, {"KeepDims": keep})
    return net


def dense(x: tuple[int, ...], y: tuple[int, ...], keep: bool = False) -> TfliteNet:
    net = TfliteNet()
    count = x[-1] if keep else int(np.prod(x))
    weight, bias = net.const(floats(y[-1], count), "m/head/MatMul"), net.const(floats(y[-1]))
    net.op("FULLY_CONNECTED", [net.input(x), weight, bias], y, {"KeepNumDims": keep, "FusedActivationFunction": RELU})
    return net


def dense8(fused: int = NONE) -> TfliteNet:
    net = TfliteNet()
    weight, bias = net.const(bytes_(4, 6), scale=0.01), net.const(ints(100, -50, 3, 7), scale=0.01 * 0.05)
    options = {"FusedActivationFunction": fused}
    net.op("FULLY_CONNECTED", [net.input((1, 6), **I8), weight, bias], (1, 4), options, kind="INT8", scale=0.1, zero=5)
    return net


def float_edges() -> TfliteNet:
    """Float in and out around an int8 softmax."""
    net = TfliteNet()
    q = net.op("QUANTIZE", [net.input((1, 6))], (1, 6), **I8)
    s = net.op("SOFTMAX", [q], (1, 6), kind="INT8", scale=1 / 256, zero=-128)
    net.op("DEQUANTIZE", [s], (1, 6))
    return net


def reshaped(*shapes: tuple[int, ...], then: str = "RELU") -> TfliteNet:
    net = TfliteNet()
    last = net.input(shapes[0])
    for shape in shapes[1:]:
        last = net.op("RESHAPE", [last, net.const(ints(*shape))], shape)
    net.op(then, [last], shapes[-1])
    return net


def between_layers() -> TfliteNet:
    """A dense layer's vector becomes a map."""
    net = dense((1, 6), (1, 12))
    net.op("RESHAPE", [net.outputs[0], net.const(ints(1, 2, 3, 2))], (1, 2, 3, 2))
    net.op(
        "CONV_2D", [net.outputs[0], net.const(floats(3, 2, 2, 2)), net.const(floats(3))], (1, 1, 2, 3), {"Padding": 1}
    )
    return net


def renamed(op: str, x: tuple[int, ...], y: tuple[int, ...], *operands: np.ndarray, **options: Any) -> TfliteNet:
    net = TfliteNet()
    last = net.op(op, [net.input(x), *(net.const(a) for a in operands)], y, options)
    net.op("RELU", [last], y)
    return net


def shape_chain() -> TfliteNet:
    """The batch size, computed: SHAPE, STRIDED_SLICE, PACK, as Keras writes a Reshape."""
    net = dense((1, 4), (1, 6))
    y = net.outputs[0]
    shape = net.op("SHAPE", [y], (2,), {"OutType": 2}, kind="INT32")
    bounds = [net.const(ints(k)) for k in (0, 1, 1)]
    batch = net.op("STRIDED_SLICE", [shape, *bounds], (), {"ShrinkAxisMask": 1}, kind="INT32")
    sizes = [net.const(np.array(n, np.int32)) for n in (2, 3)]
    target = net.op("PACK", [batch, *sizes], (3,), {"ValuesCount": 3}, kind="INT32")
    net.op("RESHAPE", [y, target], (1, 2, 3))
    return net


def joined(axis: int, y: tuple[int, ...], parts: int = 2, x: tuple[int, ...] = (1, 3, 4, 5)) -> TfliteNet:
    """x beside what a ReLU makes of it, once or several times."""
    net = TfliteNet()
    first = net.input(x)
    second = net.op("RELU", [first], x)
    net.op("CONCATENATION", [first, second, first][:parts], y, {"Axis": axis})
    return net


def half_weights() -> TfliteNet:
    """Weights in fp16 that the file widens itself."""
    net = TfliteNet()
    x = net.input((1, 6))
    weight = net.op("DEQUANTIZE", [net.const(floats(4, 6).astype(np.float16))], (4, 6))
    bias = net.op("DEQUANTIZE", [net.const(floats(4).astype(np.float16))], (4,))
    net.op("FULLY_CONNECTED", [x, weight, bias], (1, 4))
    return net


def narrow_weights(widened: bool) -> TfliteNet:
    """Float activations and int8 weights, which the file widens itself or leaves to the runtime."""
    net = TfliteNet()
    x = net.input((1, 6))
    weight = net.const(bytes_(4, 6), "m/head/MatMul", scale=0.01)
    if widened:
        weight = net.op("DEQUANTIZE", [weight], (4, 6))
    net.op("FULLY_CONNECTED", [x, weight, net.const(floats(4))], (1, 4))
    return net


def without_bias(missing: bool) -> TfliteNet:
    net = TfliteNet()
    operands = [net.input((1, 6)), net.const(floats(4, 6)), *([-1] if missing else [])]
    net.op("FULLY_CONNECTED", operands, (1, 4))
    return net


MODELS: dict[str, Callable[[], TfliteNet]] = {
    "conv same stride 2 even": lambda: conv((1, 8, 8, 3), (4, 3, 3, 3), (1, 4, 4, 4), StrideW=2, StrideH=2),
    "conv same stride 2 odd": lambda: conv((1, 9, 7, 3), (4, 3, 3, 3), (1, 5, 4, 4), StrideW=2, StrideH=2),
    "conv valid": lambda: conv((1, 8, 7, 3), (5, 3, 2, 3), (1, 6, 6, 5), Padding=VALID, FusedActivationFunction=RELU),
    "conv even window": lambda: conv((1, 6, 6, 2), (3, 4, 2, 2), (1, 6, 6, 3), Padding=SAME),
    "conv tall and thin": lambda: conv((1, 12, 1, 4), (6, 5, 1, 4), (1, 4, 1, 6), Padding=SAME, StrideH=3, StrideW=3),
    "conv relu6": lambda: conv((1, 4, 4, 2), (2, 1, 1, 2), (1, 4, 4, 2), FusedActivationFunction=RELU6),
    "depthwise": lambda: conv((1, 6, 5, 3), (1, 3, 3, 3), (1, 6, 5, 3), "DEPTHWISE_CONV_2D", DepthMultiplier=1),
    "depthwise multiplier": lambda: conv(
        (1, 6, 5, 3), (1, 3, 3, 6), (1, 3, 3, 6), "DEPTHWISE_CONV_2D", DepthMultiplier=2, StrideW=2, StrideH=2
    ),
    "depthwise of one channel": lambda: conv(
        (1, 6, 5, 1), (1, 3, 3, 4), (1, 6, 5, 4), "DEPTHWISE_CONV_2D", DepthMultiplier=4
    ),
    "int8 conv": lambda: conv8((1, 8, 8, 3), (4, 3, 3, 3), (1, 4, 4, 4), StrideW=2, StrideH=2),
    "int8 conv relu": lambda: conv8((1, 5, 5, 3), (4, 3, 3, 3), (1, 5, 5, 4), FusedActivationFunction=RELU),
    "int8 conv relu6": lambda: conv8((1, 5, 5, 3), (4, 3, 3, 3), (1, 5, 5, 4), FusedActivationFunction=RELU6),
    "int8 depthwise": lambda: conv8(
        (1, 6, 5, 3), (1, 3, 3, 6), (1, 3, 3, 6), "DEPTHWISE_CONV_2D", DepthMultiplier=2, StrideW=2, StrideH=2
    ),
    "dense": lambda: dense((1, 7), (1, 4)),
    "dense of a map": lambda: dense((1, 2, 3, 4), (1, 5)),
    "dense along a signal": lambda: dense((1, 5, 4), (1, 5, 3), keep=True),
    "dense along a map": lambda: dense((1, 2, 5, 4), (1, 2, 5, 3), keep=True),
    "int8 dense": dense8,
    "int8 dense relu": lambda: dense8(RELU),
    "max pool": lambda: pool("MAX_POOL_2D", (1, 4, 3, 3), SAME),
    "avg pool same": lambda: pool("AVERAGE_POOL_2D", (1, 4, 3, 3), SAME),
    "avg pool valid": lambda: pool("AVERAGE_POOL_2D", (1, 3, 2, 3), VALID),
    "int8 max pool": lambda: pool("MAX_POOL_2D", (1, 4, 3, 3), SAME, **I8),
    "int8 avg pool": lambda: pool("AVERAGE_POOL_2D", (1, 4, 3, 3), SAME, **I8),
    "mean": lambda: mean([1, 2], (1, 3), False),
    "mean kept": lambda: mean([-2, 1], (1, 1, 1, 3), True),
    "mean of rows": lambda: mean([1], (1, 5, 3), False),
    "mean of a signal": lambda: mean([1], (1, 3), False, (1, 7, 3)),
    "add maps": lambda: residual("ADD"),
    "int8 add": residual8,
    "pad into conv": lambda: padded("PAD"),
    "padv2 of zero into conv": lambda: padded("PADV2", 0.0),
    "padv2 before conv": lambda: padded("PADV2", 1.5),
    "pad before pool": lambda: padded("PAD", then="AVERAGE_POOL_2D"),
    "relu": lambda: unary("RELU"),
    "relu6": lambda: unary("RELU6"),
    "relu up to 1": lambda: unary("RELU_0_TO_1"),
    "leaky relu": lambda: unary("LEAKY_RELU", Alpha=0.25),
    "prelu of one slope": lambda: with_const("PRELU", (1, 2, 3, 4), np.full((1, 1, 4), 0.3, np.float32)),
    "sigmoid": lambda: unary("LOGISTIC"),
    "tanh": lambda: unary("TANH", (1, 9)),
    "softmax": lambda: unary("SOFTMAX", (1, 9)),
    "softmax of a map": lambda: unary("SOFTMAX", (1, 2, 3, 4)),
    "float edges": float_edges,
    "input becomes a map": lambda: reshaped((1, 30), (1, 5, 3, 2)),
    "input becomes a vector": lambda: reshaped((1, 5, 3, 2), (1, 30)),
    "there and back": lambda: reshaped((1, 30), (1, 5, 3, 2), (1, 6, 5), (1, 30)),
    "softmax of a reshaped input": lambda: reshaped((1, 12), (1, 3, 4), then="SOFTMAX"),
    "expand": lambda: renamed("EXPAND_DIMS", (1, 5, 3), (1, 1, 5, 3), ints(1)),
    "expand behind": lambda: renamed("EXPAND_DIMS", (1, 5, 3), (1, 5, 3, 1), ints(-1)),
    "squeeze": lambda: renamed("SQUEEZE", (1, 1, 5, 3), (1, 5, 3), SqueezeDims=[1]),
    "transpose": lambda: renamed("TRANSPOSE", (1, 4, 5, 3), (1, 3, 4, 5), ints(0, 3, 1, 2)),
    "transpose a signal": lambda: renamed("TRANSPOSE", (1, 4, 5), (1, 5, 4), ints(0, 2, 1)),
    "transpose in name only": lambda: renamed("TRANSPOSE", (1, 4, 1, 3), (1, 1, 4, 3), ints(0, 2, 1, 3)),
    "shape chain": shape_chain,
    "half weights": half_weights,
    "int8 weights that the file widens": lambda: narrow_weights(True),
    "no bias": lambda: without_bias(False),
    "a bias left out": lambda: without_bias(True),
    "grouped conv": lambda: conv((1, 5, 5, 6), (4, 3, 3, 3), (1, 5, 5, 4)),
}  # fmt: skip

# What needs an op that the device may not have (yet): imported where it has it.
MORE: dict[str, tuple[str, Callable[[], TfliteNet]]] = {
    "mul maps": ("mul", lambda: residual("MUL")),
    "sub maps": ("sub", lambda: residual("SUB")),
    "mul by channel": ("mul", lambda: with_const("MUL", (1, 3, 4, 5), floats(5))),
    "mul by one": ("mul", lambda: with_const("MUL", (1, 3, 4, 5), np.array(0.7, np.float32))),
    "mul by row": ("mul", lambda: with_const("MUL", (1, 3, 4, 5), floats(1, 3, 1, 1))),
    "add by channel": ("add", lambda: with_const("ADD", (1, 3, 4, 5), floats(5))),
    "add by rest": ("add", lambda: with_const("ADD", (1, 3, 4, 5), floats(1, 1, 4, 5))),
    "sub by channel": ("add", lambda: with_const("SUB", (1, 3, 4, 5), floats(5))),
    "sub of a vector": ("add", lambda: with_const("SUB", (1, 6), floats(1, 6))),
    "concat channels": ("concat", lambda: joined(3, (1, 3, 4, 10))),
    "concat rows of three": ("concat", lambda: joined(1, (1, 9, 4, 5), 3)),
    "concat a signal": ("concat", lambda: joined(-2, (1, 8, 5), 2, (1, 4, 5))),
    "concat vectors": ("concat", lambda: joined(1, (1, 18), 3, (1, 6))),
    "clipped": ("clip", lambda: unary("RELU_N1_TO_1")),
    "conv clipped": (
        "bias",
        lambda: conv((1, 4, 4, 2), (2, 1, 1, 2), (1, 4, 4, 2), FusedActivationFunction=RELU_N1_TO_1),
    ),
    "reshape between layers": ("reshape", between_layers),
    "hard swish": ("hard_swish", lambda: unary("HARD_SWISH")),
    "gelu": ("gelu", lambda: unary("GELU")),
    "gelu with tanh": ("gelu_tanh", lambda: unary("GELU", Approximate=True)),
    "abs": ("relu", lambda: unary("ABS")),
    "prelu": ("prelu", lambda: with_const("PRELU", (1, 2, 3, 4), np.abs(floats(1, 1, 4)))),
}
