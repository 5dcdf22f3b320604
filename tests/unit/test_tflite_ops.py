"""Every TensorFlow Lite operator that is imported, against the runtime; every refusal says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgelearn.boards import load as load_board
from edgelearn.config import TrainConfig
from edgelearn.errors import InputError
from edgelearn.formats import F32, S8, S32
from edgelearn.graph import Role
from edgelearn.importers import load
from edgelearn.interpreter import Interpreter
from edgelearn.ops import OPS
from edgelearn.passes.lower import lower
from edgelearn.passes.partition import partition
from edgelearn.plan import make_plan
from edgelearn.reference import Reference
from tests.support.tflite_files import (
    NONE,
    RELU,
    RELU6,
    RELU_N1_TO_1,
    SAME,
    TANH,
    VALID,
    TfliteNet,
    compare,
    run,
    samples,
)

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


@pytest.mark.parametrize("name", MODELS)
def test_import_agrees_with_the_runtime(name: str, tmp_path: Path) -> None:
    """Float to 1e-5 of the largest value; int8, every result rounded to its integers, to one step."""
    compare(MODELS[name]().save(tmp_path))


@pytest.mark.parametrize("name", MORE)
def test_ops_that_came_later(name: str, tmp_path: Path) -> None:
    op, make = MORE[name]
    path = make().save(tmp_path)
    if op in OPS:
        compare(path)
    else:
        with pytest.raises(InputError, match="not supported"):
            load(path)


def test_int8_weights_in_a_float_layer(tmp_path: Path) -> None:
    """The runtime rounds such a layer's inputs to 8 bits on the way, the device does not."""
    path = narrow_weights(False).save(tmp_path)
    graph = load(path)
    assert graph.tensors[graph.inputs[0]].format is F32
    assert graph.tensors["head_weight"].format is S8
    x = samples(graph, 4)
    step = np.abs(x).max() / 127 * 6 * 1.27
    np.testing.assert_allclose(run(graph, x), Interpreter(path).predict(x), rtol=0, atol=step)
    assert make_plan(graph, TrainConfig(), load_board("host")).training_macs == 48


def test_an_int8_graph_keeps_its_integers(tmp_path: Path) -> None:
    graph = load(MODELS["int8 depthwise"]().save(tmp_path))
    weight, bias = (graph.tensors[name] for name in graph.nodes[0].inputs[1:])
    x, y = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    assert (x.role, x.format, x.quant.scale, x.quant.zero_point) == (Role.INPUT, S8, (pytest.approx(0.05),), (-7,))
    assert (weight.shape, weight.format, weight.data.dtype) == ((3, 3, 6), S8, np.int8)
    assert (weight.quant.axis, len(weight.quant.scale)) == (2, 6)
    assert (bias.format, bias.data.dtype) == (S32, np.int32)
    assert np.allclose(bias.quant.scale, x.quant.scale[0] * np.array(weight.quant.scale), rtol=1e-12)
    assert (y.format, y.quant.zero_point) == (S8, (-20,))


def test_a_float_input_stays_one(tmp_path: Path) -> None:
    graph = load(float_edges().save(tmp_path))
    assert [n.op for n in graph.nodes] == ["quantize", "softmax", "dequantize"]
    assert graph.tensors[graph.inputs[0]].format is F32
    assert graph.tensors[graph.outputs[0]].format is F32


def test_paddings_vanish_into_convolutions(tmp_path: Path) -> None:
    graph = load(padded("PAD").save(tmp_path))
    assert [(n.op, n.attrs["pads"]) for n in graph.nodes] == [("conv2d", (1, 0, 2, 1))]


def test_layouts(tmp_path: Path) -> None:
    graph = load(reshaped((1, 490), (1, 49, 10, 1)).save(tmp_path))
    layout = graph.meta["input"]
    assert (layout.user_shape, layout.perm, layout.device_shape) == ((490,), (0,), (49, 10, 1))
    x = np.arange(980.0).reshape(2, 490)
    assert np.array_equal(layout.to_user(layout.to_device(x)), x)


def test_a_fused_tanh_is_left_out_as_by_the_runtime(tmp_path: Path) -> None:
    """What the runtimes compute is what the file is; a word says so."""
    net = conv((1, 4, 4, 2), (2, 1, 1, 2), (1, 4, 4, 2), FusedActivationFunction=TANH)
    graph = compare(net.save(tmp_path))
    assert [n.op for n in graph.nodes] == ["conv2d"]
    (said,) = graph.meta["warnings"]
    assert said.startswith("the fused TANH is left out, as by the file's runtimes (net.tflite: node 0 ")


def dilated(op: str, length: int, step: int, window: int, mode: int, down: bool, int8: bool) -> TfliteNet:
    """A convolution or a depthwise one along one axis, behind a layer of the same size."""
    net, wide = TfliteNet(), 5 if down else 1
    shape = (1, length, wide, 4) if down else (1, 1, length, 4)
    kernel = (window, 1) if down else (1, window)
    quant = {"kind": "INT8", "scale": 0.05, "zero": -7} if int8 else {}
    out = length - (window - 1) * step * (mode == VALID)
    y = (1, out, wide, 4) if down else (1, 1, out, 4)
    w = (1, *kernel, 4) if op == "DEPTHWISE_CONV_2D" else (4, *kernel, 4)
    weight = net.const(bytes_(*w), scale=0.01) if int8 else net.const(floats(*w))
    bias = net.const(ints(9, -5, 3, 70), scale=0.01 * 0.05) if int8 else net.const(floats(4))
    options = {"Padding": mode, "FusedActivationFunction": RELU}
    options |= {"DilationHFactor" if down else "DilationWFactor": step, "StrideH": 1, "StrideW": 1}
    made = {"kind": "INT8", "scale": 0.07, "zero": -20} if int8 else {}
    net.op(op, [net.input(shape, **quant), weight, bias], y, options, **made)
    return net


# Length, step, window, padding: whole rows and not, what is cut off and what is not.
DILATED = ((16, 2, 3, SAME), (17, 2, 3, SAME), (15, 4, 3, VALID), (20, 3, 2, SAME), (13, 5, 2, VALID), (12, 4, 2, SAME))


@pytest.mark.parametrize("case", DILATED)
@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("op", ["CONV_2D", "DEPTHWISE_CONV_2D"])
def test_dilation_along_one_axis(op: str, down: bool, case: tuple[int, int, int, int], tmp_path: Path) -> None:
    """Float as the runtime computes it, int8 as its plain kernels do, bit by bit; weights go back as any other's."""
    compare(dilated(op, *case, down, int8=False).save(tmp_path, "f.tflite"))
    path = dilated(op, *case, down, int8=True).save(tmp_path)
    graph = compare(path)
    assert len(graph.meta["export"]) == 2
    low = Reference(lower(partition(graph, {"nothing"})))
    assert {n.op for n in low.graph.nodes} <= {
        "quantize", "pad_s8", "reshape_s8", "slice_s8", "conv2d_s8", "depthwise_conv2d_s8", "table_s8", "dequantize"
    }  # fmt: skip
    x = samples(graph, 3)
    found = np.stack([low.forward(s) for s in graph.meta["input"].to_device(x)])
    np.testing.assert_array_equal(graph.meta["output"].to_user(found), Interpreter(path, reference=True).predict(x))


@pytest.mark.parametrize("scale", [0.05, 0.011])
def test_an_int8_clip_is_the_runtimes(scale: float, tmp_path: Path) -> None:
    """On its own, to the same scale; fused ones are held against TensorFlow Lite for Microcontrollers."""
    net = TfliteNet()
    quant = {"kind": "INT8", "scale": scale, "zero": -7}
    net.op("RELU_N1_TO_1", [net.input((1, 3, 5, 4), **quant)], (1, 3, 5, 4), **quant)
    path = net.save(tmp_path)
    graph = compare(path)
    low = Reference(lower(partition(graph, {"nothing"})))
    assert [n.op for n in low.graph.nodes] == ["quantize", "table_s8", "dequantize"]
    x = samples(graph, 4)
    expected = Interpreter(path, reference=True).predict(x)
    found = np.stack([low.forward(s) for s in graph.meta["input"].to_device(x)])
    np.testing.assert_array_equal(graph.meta["output"].to_user(found), expected)


def refused(net: TfliteNet, folder: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        load(net.save(folder))
    return caught.value


REFUSED: dict[str, tuple[Callable[[], TfliteNet], str]] = {
    "dilation": (
        lambda: conv((1, 8, 8, 3), (4, 3, 3, 3), (1, 4, 4, 4), DilationWFactor=2, DilationHFactor=2, Padding=VALID),
        "dilation (2, 2) is not supported here, only along one axis with a window of 1 across and stride 1",
    ),
    "dilation with a stride": (
        lambda: conv((1, 1, 9, 3), (4, 1, 3, 3), (1, 1, 5, 4), DilationWFactor=2, StrideW=2),
        "dilation (1, 2) is not supported here",
    ),
    "dilated window larger than the map": (
        lambda: conv((1, 1, 4, 3), (4, 1, 3, 3), (1, 1, 1, 4), DilationWFactor=2, Padding=VALID),
        "a window of 3 every 2 is larger than the padded 4",
    ),
    "fused tanh in int8": (lambda: dense8(TANH), "a fused TANH in int8 is not supported, not by the file's runtimes"),
    "beta": (lambda: unary("SOFTMAX", (1, 9), Beta=2.0), "beta 2 is not supported, only 1"),
    "mean of channels": (lambda: mean([3], (1, 4, 5), False), "over axes [3] is not supported"),
    "mean of the batch": (lambda: mean([0], (4, 5, 3), False), "it works along the batch axis"),
    "batch reshaped": (lambda: reshaped((1, 30), (2, 15)), "(2, 15) has no batch axis of 1 in front"),
    "wrong shape": (lambda: conv((1, 8, 8, 3), (4, 3, 3, 3), (1, 9, 9, 4)), "the file says (1, 9, 9, 4)"),
    "stride 0": (lambda: conv((1, 8, 8, 3), (4, 3, 3, 3), (1, 8, 8, 4), StrideW=0), "is not positive"),
    "big window": (lambda: conv((1, 2, 2, 3), (4, 3, 3, 3), (1, 1, 1, 4), Padding=VALID), "larger than the padded"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_say_why(name: str, tmp_path: Path) -> None:
    make, why = REFUSED[name]
    error = refused(make(), tmp_path)
    assert error.message == "1 node is not supported"
    assert why in error.details[0]
    assert "CONV_2D" in str(error.hint)


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    net = TfliteNet()
    x = net.input((1, 4, 4, 2))
    a = net.op("ATAN2", [x, x], (1, 4, 4, 2), name="first")
    b = net.op("MyOwnOp", [a], (1, 4, 4, 2), name="second")
    c = net.op("RELU", [b], (1, 4, 4, 2))
    net.op("SIN", [c], (1, 4, 4, 2), name="third")
    error = refused(net, tmp_path)
    assert error.message == "3 nodes are not supported"
    assert error.details == (
        "node 0 'first': ATAN2 of (1, 4, 4, 2), (1, 4, 4, 2): this op is not supported",
        "node 1 'second': CUSTOM MyOwnOp of (1, 4, 4, 2): this op is not supported",
        "node 3 'third': SIN of (1, 4, 4, 2): this op is not supported",
    )


def test_inputs_and_outputs(tmp_path: Path) -> None:
    net = unary("RELU")
    net.outputs *= 2
    assert refused(net, tmp_path).message == "the model has 2 outputs, supported is one"
    net = unary("RELU", (4, 3))
    assert refused(net, tmp_path).message == "input 'x' has a batch of 4, supported is 1"
    net = TfliteNet()
    net.op("RELU", [net.input((1, 3), "UINT8", scale=0.1)], (1, 3))
    assert "activations of UINT8 are not supported" in refused(net, tmp_path).message
    net = TfliteNet()
    net.op("RELU", [net.input((1, 3), "INT8")], (1, 3))
    assert "exactly one scale" in refused(net, tmp_path).message


def test_names_come_from_layers(tmp_path: Path) -> None:
    graph = load(conv((1, 8, 8, 3), (4, 3, 3, 3), (1, 8, 8, 4), FusedActivationFunction=RELU).save(tmp_path))
    assert [n.name for n in graph.nodes] == ["first", "first_relu"]
    assert list(graph.meta["export"]) == ["first_weight", "first_bias"]
    assert graph.nodes[0].origin.op == "CONV_2D"


def test_weights_that_share_bytes_are_left_alone(tmp_path: Path) -> None:
    """One buffer read as the bias of two layers in int8 stands for two sets of numbers: neither can be trained."""
    net = TfliteNet()
    x = net.input((1, 4), **I8)
    bias = net.const(ints(1, 2, 3, 4), scale=0.05 * 0.01)
    h = net.op("FULLY_CONNECTED", [x, net.const(bytes_(4, 4), scale=0.01), bias], (1, 4), kind="INT8", scale=0.2)
    net.op("FULLY_CONNECTED", [h, net.const(bytes_(4, 4, seed=9), scale=0.01), bias], (1, 4), kind="INT8", scale=0.2)
    graph = load(net.save(tmp_path))
    assert sorted(graph.meta["export"]) == ["dense_2_weight", "dense_weight"]
    assert "can't be trained" in graph.meta["warnings"][0]
