"""QuantizeLinear and DequantizeLinear, and ops that have both inside them.

A pair behind a layer becomes a mark on that layer's result: int8, with this scale and zero point. uint8 is int8 moved
by 128. What computes between two pairs keeps its float name; `passes/lower.py` decides what runs in int8.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx

from edgelearn.formats import F32
from edgelearn.graph import Quant
from edgelearn.importers.onnx.builder import MOVES, Builder
from edgelearn.importers.onnx.call import HANDLERS, Call, Result, Unsupported, handles
from edgelearn.importers.onnx.constant import Coded, Const, Scales, Uses, joined
from edgelearn.importers.onnx.view import View
from edgelearn.ops.fixed_point import HIGHEST, LOWEST

MICROSOFT = "com.microsoft"
SHIFTS = {"int8": 0, "uint8": 128}
_WIDE = ("int16", "uint16", "int32")
# What reads integers in a file without a word on their scale, and gives some of them.
RAW = ("Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Identity", "MaxPool", "Concat", "Slice", "Split")
# Device ops whose result is never below zero.
_POSITIVE = ("sigmoid", "softmax", "hard_sigmoid")
# Ops behind which rounding is as good as before them.
_ALONG = ("reshape", "slice", "transpose")
# Device ops whose result is not below zero where no operand is.
_PASSING = (*MOVES, "avg_pool2d", "pad")
_ONE_BY_ONE = "quantise the model with fixed scales, as onnxruntime's quantize_static does"
REASONS = {
    "DynamicQuantizeLinear": f"its scale changes with every sample; {_ONE_BY_ONE}",
    "ConvInteger": f"its scale changes with every sample; {_ONE_BY_ONE}",
    "MatMulInteger": f"its scale changes with every sample; {_ONE_BY_ONE}",
}


@dataclass(frozen=True)
class Form:
    """An op that dequantises its operands, computes `op` and quantises the result.

    `operands` are the positions of operands that have a scale and a zero point behind them (none: all behind the
    result's), `result` that of the result's scale, `bias` that of an int32 bias whose scale is the product of the
    others.
    """

    op: str
    operands: Sequence[int]
    result: int
    bias: int = -1


FORMS = {
    "QLinearConv": Form("Conv", (0, 3), 6, 8),
    "QLinearMatMul": Form("MatMul", (0, 3), 6),
    "QGemm": Form("Gemm", (0, 3), 7, 6),
    "QLinearAdd": Form("Add", (0, 3), 6),
    "QLinearMul": Form("Mul", (0, 3), 6),
    "QLinearAveragePool": Form("AveragePool", (0,), 3),
    "QLinearGlobalAveragePool": Form("GlobalAveragePool", (0,), 3),
    "QLinearSigmoid": Form("Sigmoid", (0,), 3),
    "QLinearLeakyRelu": Form("LeakyRelu", (0,), 3),
    "QLinearSoftmax": Form("Softmax", (0,), 3),
    "QLinearConcat": Form("Concat", (), 0),
}
# The ops of onnxruntime's own domain that are imported; the two casts are ONNX's own.
CONTRIBUTED = {*FORMS, "QuantizeLinear", "DequantizeLinear"} - {"QLinearConv", "QLinearMatMul"}


@dataclass(frozen=True)
class _Scale:
    """A scale and zero point as a node states them; `kind` is the file's integer type."""

    scale: np.ndarray
    zero: np.ndarray
    kind: str
    scales: Uses
    zeros: Uses

    @property
    def shift(self) -> int:
        return SHIFTS.get(self.kind, 0)

    @property
    def quant(self) -> Quant:
        """With the zero points of int8."""
        zero = self.zero.astype(np.int64) - self.shift
        scales = tuple(float(s) for s in self.scale.ravel())
        return Quant(scales, tuple(int(z) for z in zero.ravel()), even=True)

    def one(self) -> Quant:
        """The quantisation of an activation; Unsupported where it can't be one."""
        if self.kind not in SHIFTS:
            raise Unsupported(f"activations of {self.kind} are not supported, only int8 and uint8")
        if self.scale.size != 1:
            raise Unsupported(f"an activation has {self.scale.size} scales, one a channel; supported is one")
        return self.quant


def _uses(const: Const) -> Uses:
    return {const.source: (const.use,)} if const.source else {}


def _scale(call: Call, position: int, kind: str) -> _Scale:
    """The scale at `position` and the zero point behind it; `kind` is the type where there is none."""
    if call.integer("block_size", 0):
        raise Unsupported(f"blocked quantisation (block_size {call.integer('block_size', 0)}) is not supported")
    scale = call.weight(position, "the scale")
    if not (np.isfinite(scale.array).all() and (scale.array > 0).all()) or scale.array.size == 0:
        raise Unsupported("scales must be positive numbers")
    if scale.array.ndim > 1:
        raise Unsupported(f"scales {scale.array.shape} are not supported, only one, or one a channel")
    zero = call.const(position + 1, "the zero point") if call.has(position + 1) else None
    if zero is None:
        return _Scale(scale.array, np.zeros(scale.array.shape, np.int64), kind, _uses(scale), {})
    if zero.array.shape != scale.array.shape and not zero.array.size == scale.array.size == 1:
        raise Unsupported(f"{zero.array.size} zero points do not fit {scale.array.size} scales")
    name = zero.array.dtype.name
    if name not in (*SHIFTS, *_WIDE):
        raise Unsupported(f"integers of {name} are not supported, only int8 and uint8")
    return _Scale(scale.array, zero.array, name, _uses(scale), _uses(zero))


def _coded(const: Const, integers: np.ndarray, stated: _Scale, axis: int) -> Const:
    """A constant with its real values, which the file has as `integers` of its own type."""
    quant, ndim = stated.quant, integers.ndim
    data = integers.astype(np.int64) - stated.shift
    channel = np.zeros(integers.shape, np.int64)
    if len(quant.scale) > 1:
        if not -ndim <= axis < ndim or integers.shape[axis] != len(quant.scale):
            raise Unsupported(f"{len(quant.scale)} scales do not fit axis {axis} of {integers.shape}")
        channel = channel + np.arange(len(quant.scale)).reshape([-1 if k == axis % ndim else 1 for k in range(ndim)])
    scale, zero = np.asarray(quant.scale), np.asarray(quant.zero_point)
    with np.errstate(over="ignore"):
        values = ((data - zero[channel]) * scale[channel]).astype(np.float32)
    if not np.isfinite(values).all():
        raise Unsupported("its scale makes values that float32 can't hold")
    index = np.arange(data.size).reshape(data.shape) if const.index is None else const.index
    flat, places = np.empty(data.size, np.int64), np.empty(data.size, np.int64)
    flat[index.ravel()], places[index.ravel()] = data.ravel(), channel.ravel()
    own = flat.astype(np.int8 if stated.kind in SHIFTS else stated.kind)
    coded = Coded(own, places, quant, stated.shift, stated.scales, stated.zeros)
    return replace(const, array=values, index=index, coded=coded)


def _dequantized(call: Call, position: int, at: int, axis: int) -> Result:
    """The operand at `position` as real numbers, its scale at `at`."""
    value = call.raw(position)
    name = call.proto.input[position]
    if isinstance(value, Const):
        kind = value.array.dtype.name
        if value.coded is None and kind not in (*SHIFTS, *_WIDE):
            raise Unsupported(f"integers of {kind} are not supported, only int8, uint8, int16, uint16 and int32")
        stated = _scale(call, at, kind)
        if value.coded is None:
            if stated.kind != kind:
                raise Unsupported(f"the zero point is {stated.kind}, the integers are {kind}")
            return _coded(value, value.array, stated, axis)
        return _requantized(value, stated, axis)
    if name in call.builder.broken:
        return value  # a stand-in: what is wrong with it has been said
    if name not in call.builder.integers:
        raise Unsupported("its input is not quantised")
    shift = call.builder.integers[name]
    stated = _scale(call, at, next(kind for kind, moved in SHIFTS.items() if moved == shift))
    quant, known = stated.one(), call.builder.tensors[value.tensor]
    if value.tensor == call.builder.input and known.format is F32:
        call.builder.quantized(value.tensor, quant)
    elif known.quant != quant or stated.shift != shift:
        raise Unsupported("it reads integers with another scale or zero point than they were made with")
    _noted(call.builder, value.tensor, stated)
    return value


def _noted(builder: Builder, tensor: str, stated: _Scale) -> None:
    """Remember who reads the scale of an activation."""
    scales = Scales(stated.scales, stated.zeros, np.zeros(1, np.int64), stated.shift)
    builder.ranges[tensor] = scales.also(builder.ranges.get(tensor))


def keep_range(builder: Builder, tensor: str) -> None:
    """Integers that leave the model: whoever reads them knows the scale that they have."""
    builder.ranges[tensor] = Scales({}, {}, np.zeros(1, np.int64), 0)


def _requantized(value: Const, stated: _Scale, axis: int) -> Const:
    """A float constant that the file itself quantises, and dequantises here."""
    assert value.coded is not None
    again = _coded(value, value.array, stated, axis).coded
    assert again is not None
    if again.quant != value.coded.quant or not np.array_equal(again.channel, value.coded.channel):
        raise Unsupported("it reads integers with another scale or zero point than they were made with")
    before = value.coded
    scales, zeros = joined(before.scales, again.scales), joined(before.zeros, again.zeros)
    return _coded(value, value.array, replace(stated, scales=scales, zeros=zeros), axis)


def _rounded(value: Const, stated: _Scale, axis: int) -> Const:
    """The integers of a float constant, in the file's own type."""
    if stated.kind not in SHIFTS:
        raise Unsupported(f"quantises to {stated.kind}, supported are int8 and uint8")
    shape = [-1 if k == axis % max(value.array.ndim, 1) else 1 for k in range(value.array.ndim)]
    scale, zero = (a.reshape(shape) if a.size > 1 else a.ravel()[:1] for a in (stated.scale, stated.zero))
    with np.errstate(over="ignore", invalid="ignore"):
        near = np.rint(np.clip(np.nan_to_num(value.array / scale, nan=0.0), -512, 512)) + zero
    integers = np.clip(near - stated.shift, LOWEST, HIGHEST) + stated.shift
    return replace(_coded(value, integers, stated, axis), array=integers.astype(stated.kind))


def _quantized(call: Call, value: View, at: int, kind: str) -> View:
    """A view of integers with the scale at `at`: the same memory if it has them already."""
    builder, stated = call.builder, _scale(call, at, kind)
    quant = stated.one()
    builder.integers[call.proto.output[0]] = stated.shift
    if builder.tensors[value.tensor].quant == quant and value.value == 0.0:
        _noted(builder, value.tensor, stated)
        return value
    view = builder.settle(value, call)
    if quant.zero_point[0] == LOWEST and not _positive(builder, view.tensor):
        # Integers from zero on are a ReLU that whoever quantised the model left out.
        maker = builder.producer(view.tensor)
        attrs = {"slope": 0.0, "max": float(np.float32(quant.scale[0] * (HIGHEST - LOWEST)))}
        owner = "" if maker is None else maker.name
        view = view.placed(builder.emit(call, "relu", (view.tensor,), attrs, "relu", owner).name)
    if (view.tensor, quant) not in builder.casts:
        out = builder.emit(call, "quantize", (view.tensor,), suffix="quantize", owner=view.tensor).name
        builder.quantized(out, quant)
        builder.casts[view.tensor, quant] = out
    _noted(builder, builder.casts[view.tensor, quant], stated)
    return view.placed(builder.casts[view.tensor, quant])


def _positive(builder: Builder, tensor: str) -> bool:
    """Whether no element of a tensor is below zero, as far as its makers tell; the model's input is taken as it is."""
    seen, left = {tensor}, [tensor]
    while left:
        name = left.pop()
        maker, quant = builder.producer(name), builder.tensors[name].quant
        if maker is None or maker.op in _POSITIVE or (quant is not None and quant.zero_point[0] == LOWEST):
            continue
        cuts = maker.op == "relu" and not maker.attrs["slope"]
        if (maker.op not in _PASSING and not cuts) or (maker.op == "pad" and maker.attrs["value"] < 0):
            return False
        if not cuts:
            left += [source for source in maker.inputs if source not in seen]
            seen.update(maker.inputs)
    return True


@handles("QuantizeLinear")
def quantize(call: Call) -> Result:
    """Real numbers to int8 or uint8 with one scale; of constants also one a channel."""
    value = call.raw()
    kind = onnx.helper.tensor_dtype_to_np_dtype(call.integer("output_dtype", 0) or onnx.TensorProto.UINT8).name
    if isinstance(value, Const):
        return _rounded(call.weight(0, "the constant"), _scale(call, 1, kind), call.integer("axis", 1))
    return _quantized(call, value, 1, kind)


@handles("DequantizeLinear")
def dequantize(call: Call) -> Result:
    """Integers to the real numbers that they stand for."""
    return _dequantized(call, 0, 1, call.integer("axis", 1))


def composed(call: Call) -> Result:
    """An op on integers as the float op between casts that it is."""
    form = FORMS[call.proto.op_type]
    if call.integer("channels_last", 0):
        raise Unsupported("channels_last is not supported")
    columns = form.op == "MatMul" or (form.op == "Gemm" and not call.flag("transB", False))
    operands = form.operands or range(2, len(call.inputs), 3)
    inputs: list[Result | None] = [_dequantized(call, k, k + 1, -1 if columns else 0) for k in operands]
    if form.bias >= 0 and call.has(form.bias):
        inputs.append(_bias(call, form))
    proto = onnx.NodeProto()
    proto.CopyFrom(call.proto)
    proto.op_type = form.op
    value = HANDLERS[form.op](Call(proto, call.index, call.opset, inputs, call.builder))
    if not isinstance(value, View):
        raise Unsupported("it computes a constant")
    if not call.has(form.result):
        return value
    shift = call.builder.integers.get(call.proto.input[operands[0]], 0)
    return _quantized(call, value, form.result, "uint8" if shift else "int8")


def _bias(call: Call, form: Form) -> Const:
    bias = call.const(form.bias, "the bias")
    if bias.array.dtype != np.int32 or bias.array.ndim != 1:
        raise Unsupported(f"the bias is {bias.array.dtype} {bias.array.shape}, expected a list of int32")
    x, w = (call.weight(k + 1, "the scale").array.astype(np.float64) for k in form.operands[:2])
    scale = np.ravel(x.ravel()[:1] * w)
    return _coded(bias, bias.array, _Scale(scale, np.zeros(scale.shape, np.int64), "int32", {}, {}), 0)


HANDLERS.update(dict.fromkeys(("QLinearConv", "QLinearMatMul"), composed))
CONTRIB_HANDLERS = {op: composed if op in FORMS else HANDLERS[op] for op in sorted(CONTRIBUTED)}


def why_not(op: str, otherwise: str) -> str:
    """Why an op without an importer is not supported."""
    integer = op.startswith(("Q", "Dynamic")) or op.endswith("Integer")
    return REASONS.get(op) or (f"{otherwise}; write the model with QuantFormat.QDQ" if integer else otherwise)


def pass_integers(builder: Builder, node: onnx.NodeProto) -> None:
    """Note that a node that reads integers gives integers; Unsupported where that would need to know their scale."""
    found = [builder.integers[name] for name in node.input if name in builder.integers]
    if not found or node.op_type in FORMS or node.op_type in ("QuantizeLinear", "DequantizeLinear"):
        return
    if node.op_type not in RAW or len(set(found)) > 1:
        raise Unsupported("computes on integers; a DequantizeLinear must stand in front of it")
    builder.integers.update(dict.fromkeys(node.output, found[0]))


def _behind(builder: Builder, tensor: str) -> str:
    """The operand of the ReLU or the move that makes a tensor, "" if something else does."""
    maker = builder.producer(tensor)
    same = maker is not None and (maker.op in _ALONG or (maker.op == "relu" and not maker.attrs["slope"]))
    return maker.inputs[0] if maker is not None and same else ""


def absorb(builder: Builder, result: View) -> View:
    """Let layers make the integers of the `quantize` that alone reads them; gives the result as it is then called.

    The operand of a ReLU or a move gets the same integers: what saturates there would be cut by it all the same.
    """
    readers = Counter(name for node in builder.nodes for name in node.inputs)
    readers[result.tensor] += 1
    same: dict[str, str] = {}

    def alone(name: str) -> bool:
        made = builder.producer(name) is not None and builder.tensors[name].format is F32
        return made and readers[name] == 1

    for node in builder.nodes:
        source, made = node.inputs[0], node.outputs[0]
        quant = builder.tensors[made].quant
        if node.op != "quantize" or quant is None or not alone(source):
            continue
        builder.quantized(source, quant)
        same[made] = source
        at = _behind(builder, source)
        while at and alone(at):
            builder.quantized(at, quant)
            at = _behind(builder, at)
    for made, source in same.items():
        del builder.tensors[made]
        builder.ranges[source] = builder.ranges.pop(made)
    builder.nodes = [
        replace(node, inputs=tuple(same.get(name, name) for name in node.inputs))
        for node in builder.nodes
        if node.outputs[0] not in same
    ]
    return result.placed(same[result.tensor]) if result.tensor in same else result
