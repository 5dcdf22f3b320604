"""Every int8 op against TensorFlow Lite for Microcontrollers: small random files, all their integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgelearn.importers.tflite import load_tflite
from edgelearn.reference import Reference
from tests.support.int8_nets import Net, Rng, Shape
from tests.support.tflite_files import NONE, RELU, RELU6, RELU_N1_TO_1, SAME, VALID
from tests.support.tflm import Tflm, inputs, integer_layers, lowered

SEEDS = range(8)


def _map(rng: Rng) -> Shape:
    return (1, int(rng.integers(3, 8)), int(rng.integers(3, 9)), int(rng.integers(1, 9)))


def _window(rng: Rng, shape: Shape) -> tuple[tuple[int, int], dict[str, Any], tuple[int, int]]:
    """Kernel, options and the output's height and width."""
    kernel = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    stride, same = (int(rng.integers(1, 3)), int(rng.integers(1, 3))), bool(rng.integers(2))
    size = tuple(-(-n // s) if same else (n - k) // s + 1 for n, k, s in zip(shape[1:3], kernel, stride, strict=True))
    options = {"Padding": SAME if same else VALID, "StrideH": stride[0], "StrideW": stride[1]}
    return (
        kernel,
        {**options, "FusedActivationFunction": int(rng.choice([NONE, RELU, RELU6, RELU_N1_TO_1]))},
        (size[0], size[1]),
    )


def conv(net: Net) -> int:
    shape = _map(net.rng)
    kernel, options, size = _window(net.rng, shape)
    co = int(net.rng.integers(1, 7))
    channels = co if net.rng.integers(3) else 1
    bias = bool(net.rng.integers(3))
    x = net.source(shape)
    return net.weighted("CONV_2D", x, (co, *kernel, shape[3]), (1, *size, co), 0, channels, bias, **options)


def grouped(net: Net) -> int:
    x = net.source((1, 5, 4, 6))
    options = {"Padding": SAME, "StrideH": 1, "StrideW": 1}
    return net.weighted("CONV_2D", x, (4, 3, 3, 3), (1, 5, 4, 4), 0, 4, **options)


def depthwise(net: Net) -> int:
    shape = _map(net.rng)
    kernel, options, size = _window(net.rng, shape)
    copies = int(net.rng.integers(1, 3))
    co = shape[3] * copies
    options["DepthMultiplier"] = copies
    x = net.source(shape)
    return net.weighted(
        "DEPTHWISE_CONV_2D", x, (1, *kernel, co), (1, *size, co), 3, co, bool(net.rng.integers(3)), **options
    )


def dilated(net: Net) -> int:
    """Along one axis, with rows that the length fills or does not, and a layer in front."""
    length, step = int(net.rng.integers(9, 20)), int(net.rng.integers(2, 5))
    options = {"Padding": SAME, "StrideH": 1, "StrideW": 1}
    x = net.weighted("CONV_2D", net.source((1, 1, length, 3)), (4, 1, 1, 3), (1, 1, length, 4), 0, 4, **options)
    options |= {"DilationWFactor": step, "FusedActivationFunction": int(net.rng.choice([NONE, RELU, RELU6]))}
    return net.weighted("CONV_2D", x, (5, 1, 3, 4), (1, 1, length, 5), 0, 5, **options)


def dense(net: Net) -> int:
    n, m = int(net.rng.integers(1, 70)), int(net.rng.integers(2, 20))
    channels = m if net.rng.integers(2) else 1
    fused = int(net.rng.choice([NONE, RELU, RELU6, RELU_N1_TO_1]))
    x = net.source((1, n))
    return net.weighted("FULLY_CONNECTED", x, (m, n), (1, m), 0, channels, FusedActivationFunction=fused)


def dense_on_maps(net: Net) -> int:
    x = net.source((1, 3, 4, 5))
    return net.weighted("FULLY_CONNECTED", x, (6, 5), (1, 3, 4, 6), 0, 1, KeepNumDims=True)


def _pool(op: str) -> Callable[[Net], int]:
    def build(net: Net) -> int:
        shape, quant = _map(net.rng), net.quant()
        kernel, options, size = _window(net.rng, shape)
        options |= {"FilterHeight": kernel[0], "FilterWidth": kernel[1]}
        return net.op(op, [net.source(shape, **quant)], (1, *size, shape[3]), options, **quant)

    return build


def mean(net: Net) -> int:
    shape, keep = _map(net.rng), bool(net.rng.integers(2))
    x = net.source(shape)
    out = net.tensors[x].scale[0], net.tensors[x].zero[0]
    quant = net.quant(0.005, 0.1) if net.rng.integers(3) else {"kind": "INT8", "scale": out[0], "zero": out[1]}
    axes = net.const(np.array([1, 2], np.int32))
    y = (1, 1, 1, shape[3]) if keep else (1, shape[3])
    return net.op("MEAN", [x, axes], y, {"KeepDims": keep}, **quant)


def _two(op: str) -> Callable[[Net], int]:
    def build(net: Net) -> int:
        shape = _map(net.rng)
        x = net.source(shape)
        options = {"Padding": SAME, "StrideH": 1, "StrideW": 1}
        a = net.weighted("CONV_2D", x, (5, 1, 1, shape[3]), (*shape[:3], 5), 0, 5, **options)
        b = net.weighted("CONV_2D", x, (5, 1, 1, shape[3]), (*shape[:3], 5), 0, 5, **options)
        size = float(net.scale(a) + net.scale(b)) if op != "MUL" else 60 * float(net.scale(a) * net.scale(b))
        fused = int(net.rng.choice([NONE, RELU, RELU6, RELU_N1_TO_1]))
        return net.op(op, [a, b], (*shape[:3], 5), {"FusedActivationFunction": fused}, **net.quant(size / 2, size))

    return build


def _constant(op: str) -> Callable[[Net], int]:
    def build(net: Net) -> int:
        shape = _map(net.rng)
        x = net.source(shape)
        own = (shape[3],) if net.rng.integers(2) else (1,)
        quant = {k: v for k, v in net.quant().items() if k != "kind"}
        c = net.const(net.rng.integers(-128, 128, own).astype(np.int8), **quant)
        size = float(net.scale(x) + net.scale(c)) if op != "MUL" else 60 * float(net.scale(x) * net.scale(c))
        return net.op(op, [x, c], shape, {"FusedActivationFunction": NONE}, **net.quant(size / 2, size))

    return build


def gate(net: Net) -> int:
    """A map times one value a channel that the network computes: squeeze-and-excite."""
    shape = (1, 4, 5, 6)
    x = net.source(shape)
    squeezed = net.op(
        "MEAN", [x, net.const(np.array([1, 2], np.int32))], (1, 1, 1, 6), {"KeepDims": True}, **net.quant()
    )
    options = {"Padding": SAME, "StrideH": 1, "StrideW": 1}
    g = net.weighted("CONV_2D", squeezed, (6, 1, 1, 6), (1, 1, 1, 6), 0, 6, **options)
    s = net.op("LOGISTIC", [g], (1, 1, 1, 6), kind="INT8", scale=1 / 256, zero=-128)
    return net.op("MUL", [x, s], shape, {"FusedActivationFunction": NONE}, **net.quant(0.01, 0.1))


def _unary(op: str, least: float = 0.01, most: float = 0.2, same: bool = False, **options: Any) -> Callable[[Net], int]:
    def build(net: Net) -> int:
        quant = net.quant(least, most)
        out = quant if same else net.quant(least / 2, most)
        if op in ("LOGISTIC", "TANH"):
            out = {
                "kind": "INT8",
                "scale": 1 / 256 if op == "LOGISTIC" else 1 / 128,
                "zero": -128 if op == "LOGISTIC" else 0,
            }
        return net.op(op, [net.source((1, 16, 16, 2), **quant)], (1, 16, 16, 2), options, **out)

    return build


def pad(net: Net) -> int:
    shape, quant = _map(net.rng), net.quant()
    sides = net.rng.integers(0, 3, 4)
    sizes = np.array([[0, 0], sides[:2], sides[2:], [0, 0]], np.int32)
    y = (1, shape[1] + int(sides[:2].sum()), shape[2] + int(sides[2:].sum()), shape[3])
    x = net.op("PAD", [net.source(shape, **quant), net.const(sizes)], y, **quant)
    options = {"Padding": VALID, "StrideH": 1, "StrideW": 1, "FilterHeight": 2, "FilterWidth": 2}
    return net.op("AVERAGE_POOL_2D", [x], (1, y[1] - 1, y[2] - 1, y[3]), options, **quant)


def concatenation(net: Net) -> int:
    quant = net.quant()
    x = net.source((1, 5, 4, 3), **quant)
    options = {"Padding": SAME, "StrideH": 1, "StrideW": 1, "FilterHeight": 3, "FilterWidth": 3}
    other = net.op("MAX_POOL_2D", [x], (1, 5, 4, 3), options, **quant)
    return net.op("CONCATENATION", [x, other], (1, 5, 4, 6), {"Axis": 3}, **quant)


def transpose(net: Net) -> int:
    quant = net.quant()
    perm = net.const(np.array([0, 2, 1, 3], np.int32))
    return net.op("TRANSPOSE", [net.source((1, 5, 4, 3), **quant), perm], (1, 4, 5, 3), **quant)


def softmax(net: Net) -> int:
    shape = (1, 5, 4, int(net.rng.integers(2, 30)))
    quant = net.quant(*((0.001, 0.01) if net.rng.integers(2) else (0.05, 1.0)))
    return net.op("SOFTMAX", [net.source(shape, **quant)], shape, kind="INT8", scale=1 / 256, zero=-128)


def quantize(net: Net) -> int:
    quant = net.quant()
    x = net.op("QUANTIZE", [net.input((1, 5, 4, 3))], (1, 5, 4, 3), **quant)
    options = {"Padding": SAME, "StrideH": 1, "StrideW": 1, "FilterHeight": 1, "FilterWidth": 1}
    return net.op("MAX_POOL_2D", [x], (1, 5, 4, 3), options, **quant)


BUILDERS: dict[str, Callable[[Net], int]] = {
    "conv2d": conv, "dilated": dilated, "grouped": grouped, "depthwise": depthwise, "dense": dense,
    "dense_on_maps": dense_on_maps,
    "average": _pool("AVERAGE_POOL_2D"), "maximum": _pool("MAX_POOL_2D"), "mean": mean, "add": _two("ADD"),
    "sub": _two("SUB"), "mul": _two("MUL"), "add_constant": _constant("ADD"), "sub_constant": _constant("SUB"),
    "mul_constant": _constant("MUL"), "gate": gate, "pad": pad,
    "relu": _unary("RELU"), "relu_same": _unary("RELU", same=True), "relu6": _unary("RELU6", same=True),
    "leaky": _unary("LEAKY_RELU", Alpha=0.1), "requantize": _unary("QUANTIZE"), "quantize": quantize,
    "hard_swish": _unary("HARD_SWISH"), "hard_swish_wide": _unary("HARD_SWISH", 0.2, 2.0),
    "sigmoid": _unary("LOGISTIC"), "sigmoid_fine": _unary("LOGISTIC", 1e-4, 1e-3), "tanh": _unary("TANH"),
    "softmax": softmax, "concatenation": concatenation, "transpose": transpose,
}  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", BUILDERS)
def test_integers_are_those_of_tflm(name: str, seed: int, tmp_path: Any) -> None:
    net = Net(np.random.default_rng(seed))
    content = net.finish(BUILDERS[name](net))
    path = tmp_path / "net.tflite"
    path.write_bytes(content)
    source = load_tflite(path)
    graph = lowered(source)
    rest = [n.op for n in graph.nodes if n.name not in graph.meta["int8"] and n.op != "quantize"]
    assert rest == ["dequantize", "dense"]
    reference, pairs = Reference(graph), inputs(source, 6, seed)
    for layer in integer_layers(graph):
        truth = Tflm(content, layer.origin.index)
        for fed, real in pairs:
            reference.forward(real)
            np.testing.assert_array_equal(reference.values[layer.outputs[0]].reshape(-1), truth(fed), layer.name)
