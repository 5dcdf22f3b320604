"""Quantised ONNX models: every layer against onnxruntime's integers, whole nets, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnxruntime.quantization import QuantFormat, QuantType

from edgelearn.errors import InputError
from edgelearn.graph import Quant
from edgelearn.importers.onnx import load_onnx
from edgelearn.passes.dequantize import dequantize
from edgelearn.passes.fold import fold_norms
from edgelearn.passes.lower import lower
from edgelearn.reference import Reference
from tests.support.cli import DATA, MODEL
from tests.support.qdq_files import QdqNet, predict, quantised
from tests.support.tflm import lowered
from tests.unit.import_models import run, save

Case = tuple[str, float, tuple[int, ...]]  # the result, its scale, and the sample's shape
SAMPLES = 24


def conv(net: QdqNet) -> Case:
    w = net.weight((5, 3, 3, 3), 0)
    y = net.node("Conv", [net.source(), w, net.bias(0.05, w, 5)], pads=[1, 1, 1, 1], strides=[2, 1])
    return net.rounded(y, 0.04, net.zero()), 0.04, (3, 7, 6)


def conv_one_scale(net: QdqNet) -> Case:
    w = net.weight((4, 3, 1, 3), None)
    y = net.node("Conv", [net.source(), w, net.bias(0.05, w, 4)])
    return net.rounded(net.node("Relu", [y]), 0.04, net.zero()), 0.04, (3, 6, 6)


def dilated(net: QdqNet) -> Case:
    """Behind the layer its rows are cut and shaped: integers there too."""
    w = net.weight((5, 3, 3), 0)
    y = net.node("Conv", [net.source(), w, net.bias(0.05, w, 5)], pads=[4, 0], dilations=[2])
    return net.rounded(net.node("Relu", [y]), 0.04, net.zero()), 0.04, (3, 17)


def conv_float_bias(net: QdqNet) -> Case:
    bias = net.const(net.rng.normal(size=4).astype(np.float32))
    y = net.node("Conv", [net.source(), net.weight((4, 2, 5), 0), bias], pads=[2, 2])
    return net.rounded(y, 0.03, net.zero()), 0.03, (2, 11)


def depthwise(net: QdqNet) -> Case:
    w = net.weight((8, 1, 3, 3), 0)
    y = net.node("Conv", [net.source(), w, net.bias(0.05, w, 8)], group=4)
    return (
        net.rounded(net.node("Clip", [y, net.const(np.float32(0)), net.const(np.float32(6))]), 0.02, net.zero()),
        0.02,
        (4, 6, 5),
    )


def gemm(net: QdqNet) -> Case:
    w = net.weight((7, 12), 0)
    y = net.node("Gemm", [net.source(), w, net.bias(0.05, w, 7)], transB=1)
    return net.rounded(y, 0.05, net.zero()), 0.05, (12,)


def matmul(net: QdqNet) -> Case:
    y = net.node("MatMul", [net.source(), net.weight((6, 5), 1)])
    return net.rounded(y, 0.03, net.zero()), 0.03, (4, 6)


def add(net: QdqNet) -> Case:
    x = net.source()
    other = net.rounded(net.node("LeakyRelu", [x], alpha=0.3), 0.0213, net.zero())
    return net.rounded(net.node("Add", [x, other]), 0.0611, net.zero()), 0.0611, (3, 5, 4)


def mul(net: QdqNet) -> Case:
    x = net.source()
    gate = net.rounded(net.node("Sigmoid", [x]), 1 / 255, 0 if net.kind.kind == "u" else -128)
    return net.rounded(net.node("Mul", [x, gate]), 0.04, net.zero()), 0.04, (3, 5, 4)


def add_constant(net: QdqNet) -> Case:
    c = net.node(
        "DequantizeLinear", [net.const(net.rng.integers(-128, 128, (3, 1, 1)).astype(np.int8)), *net.scale(0.02)]
    )
    return net.rounded(net.node("Add", [net.source(), c]), 0.07, net.zero()), 0.07, (3, 5, 4)


def average(net: QdqNet) -> Case:
    return net.rounded(net.node("AveragePool", [net.source()], kernel_shape=[2, 3]), 0.04, net.zero()), 0.04, (3, 6, 5)


def global_average(net: QdqNet) -> Case:
    y = net.rounded(net.node("GlobalAveragePool", [net.source()]), 0.02, net.zero())
    return net.node("Flatten", [y]), 0.02, (3, 6, 5)


def maximum(net: QdqNet) -> Case:
    x = net.source()
    pair = list(net.nodes[-1].input[1:])
    y = net.node("QuantizeLinear", [net.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2]), *pair])
    return net.node("DequantizeLinear", [y, *pair]), 0.05, (3, 6, 4)


def padded(net: QdqNet) -> Case:
    """A frame of zeros between two pairs of one scale: part of the convolution behind it."""
    x = net.source()
    pair = list(net.nodes[-1].input[1:])
    frame = net.const(np.array([0, 0, 1, 2, 0, 0, 0, 1], np.int64))
    y = net.node("QuantizeLinear", [net.node("Pad", [x, frame]), *pair])
    w = net.weight((4, 3, 3, 3), 0)
    y = net.node("Conv", [net.node("DequantizeLinear", [y, *pair]), w, net.bias(0.05, w, 4)])
    return net.rounded(y, 0.04, net.zero()), 0.04, (3, 5, 4)


def norm(net: QdqNet) -> Case:
    """A BatchNorm behind int8 weights stays where it is: folded in, they would be others."""
    w = net.weight((4, 3, 3, 3), 0)
    four = [net.const(net.rng.uniform(0.5, 2, 4).astype(np.float32)) for _ in range(4)]
    y = net.node("BatchNormalization", [net.node("Conv", [net.source(), w, net.bias(0.05, w, 4)]), *four])
    return net.rounded(y, 0.0371, net.zero()), 0.0371, (3, 5, 4)


def requantised(net: QdqNet) -> Case:
    return net.rounded(net.node("Transpose", [net.source()], perm=[0, 2, 3, 1]), 0.03, net.zero()), 0.03, (3, 4, 5)


def unary(op: str, scale: float, **attrs: float | str) -> Callable[[QdqNet], Case]:
    def build(net: QdqNet) -> Case:
        return net.rounded(net.node(op, [net.source()], **attrs), scale, net.zero()), scale, (3, 5, 6)

    return build


# A table holds the function's own values: the very same integers. What is rescaled in fixed point may differ by one.
EXACT: dict[str, Callable[[QdqNet], Case]] = {
    "maximum": maximum, "sigmoid": unary("Sigmoid", 1 / 200), "tanh": unary("Tanh", 1 / 100),
    "leaky": unary("LeakyRelu", 0.04, alpha=0.2), "hard_swish": unary("HardSwish", 0.04),
    "hard_sigmoid": unary("HardSigmoid", 1 / 200), "elu": unary("Elu", 0.03),
    "softplus": unary("Softplus", 0.03), "gelu": unary("Gelu", 0.03),
    "gelu_tanh": unary("Gelu", 0.03, approximate="tanh"),
    "softmax": unary("Softmax", 1 / 255, axis=1),
}  # fmt: skip
CLOSE: dict[str, Callable[[QdqNet], Case]] = {
    "conv": conv, "conv_one_scale": conv_one_scale, "conv_float_bias": conv_float_bias, "depthwise": depthwise,
    "dilated": dilated, "gemm": gemm, "matmul": matmul, "add": add, "mul": mul, "add_constant": add_constant,
    "average": average, "global_average": global_average, "norm": norm, "padded": padded, "requantised": requantised,
    "relu": unary("Relu", 0.03),
}  # fmt: skip
# Of a mean of n values fixed point keeps few bits behind the point, and rounds twice.
SHARE = {"average": 0.25, "global_average": 0.25}
OPSETS = {"hard_swish": 17, "gelu": 20, "gelu_tanh": 20}
# No int8 kernel for these: float32 between two casts.
FLOAT = {"softmax": {"softmax"}, "norm": {"conv2d", "batch_norm", "relu"}}


@pytest.mark.parametrize("kind", ["uint8", "int8"])
@pytest.mark.parametrize("name", [*EXACT, *CLOSE])
def test_layer_has_onnxruntimes_integers(name: str, kind: str, tmp_path: Path) -> None:
    differing = total = 0
    for seed in range(4):
        net = QdqNet(seed, kind, "uint8" if (seed == 3 and kind == "uint8") else "int8")
        y, scale, shape = (EXACT | CLOSE)[name](net)
        made = net.content(y, shape, opset=OPSETS.get(name, 14))
        graph = load_onnx(save(made, tmp_path))
        low = lower(fold_norms(graph, set())[0])
        assert {n.op for n in low.nodes if not n.op.endswith("_s8")} <= {"quantize", "dequantize", *FLOAT.get(name, ())}
        x = net.rng.normal(size=(SAMPLES, *shape)).astype(np.float32) * np.float32(2.5)
        reference = Reference(low)
        found = np.stack([reference.forward(sample).copy() for sample in graph.meta["input"].to_device(x)])
        steps = (graph.meta["output"].to_user(found) - predict(made, x)) / np.float32(scale)
        off = np.abs(np.rint(steps))
        assert np.abs(steps - np.rint(steps)).max() < 1e-3
        differing, total = differing + int(np.count_nonzero(off)), total + off.size
        assert off.max() <= (0 if name in EXACT else 1)
    assert differing <= SHARE.get(name, 0.01) * total


UINT8 = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QUInt8}
FORMATS: dict[str, dict[str, Any]] = {
    "pairs": {"quant_format": QuantFormat.QDQ, "per_channel": True},
    "pairs of int8": {"quant_format": QuantFormat.QDQ, "activation_type": QuantType.QInt8},
    "pairs, uint8 weights": {"quant_format": QuantFormat.QDQ, **UINT8},
    "operators": {"quant_format": QuantFormat.QOperator, "per_channel": True},
    "operators, uint8 weights": {"quant_format": QuantFormat.QOperator, **UINT8},
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_quantised_network_classifies_as_onnxruntime(name: str, tmp_path: Path) -> None:
    """The wearer's network: frozen it is within one step of the output; a head that trains does not round."""
    with np.load(DATA) as data:
        samples, x = (data[key].astype(np.float32) for key in ("x_train", "x_test"))
    path = quantised(tmp_path, onnx.load(MODEL), samples, **FORMATS[name])
    graph = load_onnx(path)
    quant = graph.tensors[graph.outputs[0]].quant
    assert quant is not None
    frozen, trained = Reference(lower(graph)), Reference(lowered(graph))
    want, fed = predict(onnx.load(path), x), graph.meta["input"].to_device(x)
    found = np.stack([frozen.forward(sample).copy() for sample in fed])
    assert np.abs(found - want).max() <= 1.01 * quant.scale[0]
    for reference, share in ((frozen, 0.99), (trained, 0.97)):
        classes = np.array([reference.forward(sample).argmax() for sample in fed])
        assert np.mean(classes == want.argmax(axis=1)) >= share
    said = [w for w in graph.meta["warnings"] if "has a zero point that is not its middle" in w]
    assert bool(said) == ("uint8" in name)
    assert len(trained.graph.meta["int8"]) >= (2 if "uint8" in name else 4)


def test_a_zero_point_at_the_end_is_the_relu_that_was_taken_out(tmp_path: Path) -> None:
    """Trained in float the network still has its ReLU6, which the quantising tool has left to the integers' range."""
    net = QdqNet(1)
    y = net.node("Gemm", [net.source(), net.weight((7, 12), 0)], transB=1)
    net.zero = lambda: 0  # type: ignore[method-assign]
    graph = load_onnx(save(net.content(net.rounded(y, 6 / 255, 0), (12,)), tmp_path))
    relu = graph.nodes[-1]
    assert [n.op for n in graph.nodes] == ["quantize", "dense", "relu"]
    assert relu.attrs["max"] == pytest.approx(6.0, rel=1e-6)
    assert graph.tensors[relu.outputs[0]].quant == graph.tensors[relu.inputs[0]].quant
    assert [n.op for n in dequantize(graph).nodes] == ["dense", "relu"]
    assert [n.op for n in lower(graph).nodes] == ["quantize", "dense_s8", "dequantize"]


def test_a_residual_is_rounded_once(tmp_path: Path) -> None:
    """One layer that two pairs read: both are the same integers."""
    net = QdqNet(2)
    x, w = net.source(), net.weight((3, 3, 1, 1), 0)
    y = net.node("Conv", [x, w])
    a, b = net.rounded(y, 0.04, 90), net.rounded(y, 0.04, 90)
    total = net.rounded(net.node("Add", [net.node("LeakyRelu", [a], alpha=0.1), b]), 0.07, 77)
    graph = load_onnx(save(net.content(total, (3, 4, 5)), tmp_path))
    assert sum(n.op == "quantize" for n in graph.nodes) == 1


def test_integers_go_in_and_out(tmp_path: Path) -> None:
    """A model of uint8 samples and predictions: on the device both are real numbers."""
    net = QdqNet(3)
    pair, out = net.scale(0.02, 131), net.scale(0.05, 100)
    x = net.node("DequantizeLinear", ["x", *pair])
    y = net.node("QuantizeLinear", [net.node("Gemm", [x, net.weight((4, 6), 0)], transB=1), *out])
    made = net.content(y, (6,))
    for value in (made.graph.input[0], made.graph.output[0]):
        value.type.tensor_type.elem_type = TensorProto.UINT8
    graph = load_onnx(save(made, tmp_path))
    assert graph.tensors[graph.inputs[0]].quant == Quant((float(np.float32(0.02)),), (3,), even=True)
    integers = net.rng.integers(0, 256, (SAMPLES, 6)).astype(np.uint8)
    reference = Reference(lower(graph))
    reals = (integers.astype(np.float32) - 131) * np.float32(0.02)
    found = np.stack([reference.forward(sample).copy() for sample in reals])
    assert np.abs(np.rint(found / np.float32(0.05)) + 100 - predict(made, integers)).max() <= 1


def test_weights_alone_are_quantised(tmp_path: Path) -> None:
    """Float activations: a float layer with int8 weights that can be written back. 16-bit weights stay frozen."""
    net = QdqNet(4)
    wide = [net.const(net.rng.integers(-9999, 9999, (6, 6)).astype(np.int16)), *net.scale(1e-4, 5, np.dtype(np.int16))]
    y = net.node("Gemm", ["x", net.node("DequantizeLinear", wide)], transB=1)
    w = net.weight((4, 6), 0, "head.weight")
    made = net.content(net.node("Gemm", [y, w, net.bias(0.02, w, 4, "head.bias")], transB=1), (6,), opset=21)
    graph = load_onnx(save(made, tmp_path))
    assert list(graph.meta["export"]) == ["head_weight", "head_bias"]
    x = net.rng.normal(size=(SAMPLES, 6)).astype(np.float32)
    found, want = run(dequantize(graph), x), predict(made, x)
    np.testing.assert_allclose(found, want, rtol=0, atol=1e-5 * np.abs(want).max())


OWN: dict[str, dict[str, Any]] = {
    "QLinearAdd": {}, "QLinearMul": {}, "QLinearSigmoid": {}, "QLinearLeakyRelu": {"alpha": 0.25},
    "QLinearConcat": {"axis": 1}, "QLinearGlobalAveragePool": {"channels_last": 0},
}  # fmt: skip


@pytest.mark.parametrize("op", OWN)
def test_onnxruntimes_own_operators(op: str, tmp_path: Path) -> None:
    net = QdqNet(5)
    x, y, shape = net.scale(0.04, 120), net.scale(1 / 40, 0 if op == "QLinearSigmoid" else 117), (3, 4, 4)
    operands = [net.node("QuantizeLinear", ["x", *x]), *x]
    operands = operands * (2 if op in ("QLinearAdd", "QLinearMul", "QLinearConcat") else 1)
    inputs = [*y, *operands] if op == "QLinearConcat" else [*operands, *y]
    result = net.node(op, inputs, domain="com.microsoft", **OWN[op])
    made = net.content(net.node("DequantizeLinear", [result, *y]), shape)
    graph = load_onnx(save(made, tmp_path))
    data = net.rng.normal(size=(4, *shape)).astype(np.float32) * 2
    found, want = run(lower(graph), data), predict(made, data)
    assert np.abs(found - want.reshape(found.shape)).max() <= 1.01 / 40


def _refused(nodes: Callable[[QdqNet], str], shape: tuple[int, ...], folder: Path) -> InputError:
    net = QdqNet(6)
    path = save(net.content(nodes(net), shape, opset=21), folder)
    with pytest.raises(InputError) as caught:
        load_onnx(path)
    return caught.value


def _pair(net: QdqNet, scale: object, zero: object, kind: str, **attrs: int) -> str:
    pair = net.scale(scale, zero, helper.tensor_dtype_to_np_dtype(TensorProto.DataType.Value(kind.upper())))
    return net.node("DequantizeLinear", [net.node("QuantizeLinear", ["x", *pair], **attrs), *pair], **attrs)


REFUSED: dict[str, tuple[Callable[[QdqNet], str], str]] = {
    "uint16": (lambda n: _pair(n, 0.1, 5, "uint16"), "activations of uint16 are not supported, only int8 and uint8"),
    "int4": (lambda n: _pair(n, 0.1, 5, "int4"), "integers of int4 are not supported, only int8 and uint8"),
    "blocked": (
        lambda n: _pair(n, np.full((1, 2), 0.1), np.full((1, 2), 3), "uint8", axis=1, block_size=3),
        "blocked quantisation (block_size 3) is not supported",
    ),
    "a scale a channel": (
        lambda n: _pair(n, np.full(6, 0.1), np.full(6, 3), "uint8", axis=1),
        "an activation has 6 scales, one a channel; supported is one",
    ),
    "dynamic": (
        lambda n: n.node("Relu", [n.node("DynamicQuantizeLinear", ["x"], more=("scale", "zero"))]),
        "its scale changes with every sample; quantise the model with fixed scales",
    ),
    "two scales": (
        lambda n: n.node("DequantizeLinear", [n.node("QuantizeLinear", ["x", *n.scale(0.1, 5)]), *n.scale(0.2, 5)]),
        "it reads integers with another scale or zero point than they were made with",
    ),
    "a scale beyond float32": (
        lambda n: n.node("Add", ["x", n.node("DequantizeLinear", [n.const(np.full(6, 99, np.int8)), *n.scale(3e38)])]),
        "its scale makes values that float32 can't hold",
    ),
    "no scale": (lambda n: _pair(n, 0.0, 5, "uint8"), "scales must be positive numbers"),
    "integers that compute": (
        lambda n: n.node("Add", [q := n.node("QuantizeLinear", ["x", *n.scale(0.1, 5)]), q]),
        "computes on integers; a DequantizeLinear must stand in front of it",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case: str, tmp_path: Path) -> None:
    build, reason = REFUSED[case]
    error = _refused(build, (6,), tmp_path)
    assert reason in "".join(error.details)


def test_all_refusals_are_listed_at_once(tmp_path: Path) -> None:
    def build(net: QdqNet) -> str:
        wide = _pair(net, 0.1, 5, "uint16")
        many = net.node("QuantizeLinear", [wide, *net.scale(np.full(6, 0.1), np.full(6, 3))], axis=1)
        return net.node("QAttention", [many], domain="com.microsoft")

    error = _refused(build, (6,), tmp_path)
    words = ("activations of uint16", "an activation has 6 scales", "write the model with QuantFormat.QDQ")
    assert len(error.details) == 3
    assert all(word in line for word, line in zip(words, error.details, strict=True))
