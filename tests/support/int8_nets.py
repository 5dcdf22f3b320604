"""Small int8 TensorFlow Lite files with random weights and scales."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.support.tflite_files import RELU, RELU6, SAME, TfliteNet

Rng = np.random.Generator
Shape = tuple[int, ...]


class Net(TfliteNet):
    """A file of int8 operators with random scales."""

    def __init__(self, rng: Rng) -> None:
        super().__init__()
        self.rng = rng

    def quant(self, least: float = 0.01, most: float = 0.2) -> dict[str, Any]:
        zero = int(self.rng.choice([-128, 127, 0, int(self.rng.integers(-128, 128))]))
        return {"kind": "INT8", "scale": float(np.float32(self.rng.uniform(least, most))), "zero": zero}

    def source(self, shape: Shape, **quant: Any) -> int:
        return self.input(shape, **(quant or self.quant()))

    def scale(self, tensor: int) -> np.float32:
        return np.float32(self.tensors[tensor].scale[0])

    def weighted(
        self, op: str, x: int, shape: Shape, y: Shape, axis: int, channels: int, bias: bool = True, **options: Any
    ) -> int:
        """A layer with int8 weights; the output's scale is such that some values saturate."""
        weights = self.rng.integers(-127, 128, shape).astype(np.int8)
        scale = np.float32(self.rng.uniform(0.001, 0.01, channels if channels > 1 else 1))
        w = self.const(weights, scale=scale, axis=axis if len(scale) > 1 else 0)
        operands = [x, w]
        if bias:
            values = self.rng.integers(-4000, 4000, y[-1]).astype(np.int32)
            operands.append(self.const(values, scale=scale * self.scale(x), axis=0))
        terms = weights.size / y[-1]
        size = float(self.scale(x)) * 0.005 * 74 * 74 * np.sqrt(terms)
        out = self.quant(size / 200, size / 50)
        return self.op(op, operands, y, options, **out)

    def finish(self, x: int) -> bytes:
        """A dense layer at the end, which trains."""
        count = int(np.prod(self.tensors[x].shape))
        self.weighted("FULLY_CONNECTED", x, (3, count), (1, 3), 0, 1)
        return self.content()


def backbone(seed: int = 10, shape: Shape = (1, 9, 7, 3), classes: int = 4) -> bytes:
    """Convolutions, a residual sum, a mean and a dense layer, as MobileNets have them."""
    net = Net(np.random.default_rng(seed))
    x = net.source(shape, kind="INT8", scale=0.05, zero=3)
    options = {"Padding": SAME, "StrideH": 2, "StrideW": 2, "FusedActivationFunction": RELU6}
    first = net.weighted("CONV_2D", x, (8, 3, 3, 3), (1, 5, 4, 8), 0, 8, **options)
    options = {"Padding": SAME, "StrideH": 1, "StrideW": 1, "FusedActivationFunction": RELU, "DepthMultiplier": 1}
    deep = net.weighted("DEPTHWISE_CONV_2D", first, (1, 3, 3, 8), (1, 5, 4, 8), 3, 8, **options)
    options = {"Padding": SAME, "StrideH": 1, "StrideW": 1}
    flat = net.weighted("CONV_2D", deep, (8, 1, 1, 8), (1, 5, 4, 8), 0, 8, **options)
    size = float(net.scale(first) + net.scale(flat)) / 2
    total = net.op("ADD", [first, flat], (1, 5, 4, 8), {"FusedActivationFunction": RELU}, **net.quant(size, size))
    axes = net.const(np.array([1, 2], np.int32))
    mean = net.op("MEAN", [total, axes], (1, 8), {"KeepDims": False}, **net.quant(size / 4, size / 4))
    net.weighted("FULLY_CONNECTED", mean, (classes, 8), (1, classes), 0, 1)
    return net.content()
