"""What each ONNX op becomes on the device and what is not supported of it: the data of `edgelearn ops`.

What is meant everywhere: float32 or float16, one sample at a time, nothing along the batch axis.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The device ops that an op may become ("" if only views), and its restrictions as one sentence, "" if none."""

    becomes: str
    restrictions: str = ""


_MAPS = "1-D and 2-D maps"
_DILATED = "dilated along one axis, with stride 1 and a window of 1 across"
_INT8 = "int8 and uint8, constant scales, one for an activation, no block_size"
_STEPS = "a sequence of fixed length, constant weights and first state, either direction or both"
_TWO = "of two activations one may be broadcast; a constant must fit one sample"

LIMITS: dict[str, Limits] = {
    "Abs": Limits("relu"),
    "Add": Limits("add, bias", f"{_TWO}; a bias is trained unless it is one number or added to the input itself"),
    "AveragePool": Limits("avg_pool2d", f"{_MAPS}, no dilations, no ceil_mode past a counted padding"),
    "BatchNormalization": Limits("batch_norm", "inference only: its statistics are frozen"),
    "Cast": Limits("", "between float32 and float16, which is computed in float32"),
    "CastLike": Limits("", "of constants, and of float32 to itself"),
    "Celu": Limits("elu, mul", "alpha above zero"),
    "Clip": Limits("relu, bias", "constant bounds, the lower one finite"),
    "Concat": Limits("concat", "activations only, up to three axes besides the batch"),
    "Conv": Limits("conv2d, depthwise_conv2d", f"{_MAPS}, constant weights, no negative pads; {_DILATED}"),
    "ConvTranspose": Limits(
        "conv_transpose2d, depthwise_conv_transpose2d, bias",
        f"{_MAPS}, constant weights, no dilations, output_padding below the stride",
    ),
    "DequantizeLinear": Limits("dequantize", f"{_INT8}; of constants also int16, uint16 and int32"),
    "Div": Limits("mul, reciprocal", f"{_TWO}; a constant divisor is frozen and must not be zero"),
    "Dropout": Limits("", "inference only, without its mask"),
    "Elu": Limits("elu", "alpha above zero"),
    "Flatten": Limits("", "axis 1"),
    "GRU": Limits("conv2d, gru", f"{_STEPS}; sigmoid and tanh, no clip, no sequence_lens"),
    "Gather": Limits("slice", "one constant index"),
    "Gelu": Limits("gelu, gelu_tanh"),
    "Gemm": Limits("dense", "constant weights and bias, no transA"),
    "GlobalAveragePool": Limits("avg_pool2d", _MAPS),
    "GlobalMaxPool": Limits("max_pool2d", f"{_MAPS} of at most 256 positions"),
    "HardSigmoid": Limits("hard_sigmoid"),
    "HardSwish": Limits("hard_swish"),
    "Identity": Limits(""),
    "InstanceNormalization": Limits("instance_norm", _MAPS),
    "LSTM": Limits(
        "conv2d, lstm", f"{_STEPS}; sigmoid and tanh, no clip, no sequence_lens, no peepholes, Y_c not read"
    ),
    "LayerNormalization": Limits("layer_norm", "constant scale and shift; its optional outputs must not be read"),
    "LeakyRelu": Limits("relu"),
    "LogSoftmax": Limits("log_softmax", "over the axis that lies last on the device"),
    "MatMul": Limits("dense, conv2d", "a constant matrix on the right, at most two axes before the last"),
    "MaxPool": Limits("max_pool2d", f"{_MAPS}, no dilations, no indices, windows of at most 256 elements"),
    "Mish": Limits("softplus, tanh, mul"),
    "Mul": Limits("mul", f"{_TWO}; a scale is trained unless it is one number or scales the input itself"),
    "Neg": Limits("mul"),
    "PRelu": Limits("prelu", "a constant slope"),
    "Pad": Limits("pad", f"constant mode, constant pads, not negative, {_MAPS}"),
    "Pow": Limits("mul", "the exponents 1, 2 and 3"),
    "QLinearConv": Limits("conv2d, depthwise_conv2d", f"{_INT8}; otherwise as Conv"),
    "QLinearMatMul": Limits("dense, conv2d", f"{_INT8}; otherwise as MatMul"),
    "QuantizeLinear": Limits("quantize, relu", f"{_INT8}; zero points that leave nothing below zero make a ReLU"),
    "RNN": Limits("conv2d, rnn", f"{_STEPS}; tanh or relu, no clip, no sequence_lens"),
    "Reciprocal": Limits("reciprocal"),
    "ReduceMax": Limits("max_pool2d", "as ReduceMean, over at most 256 elements"),
    "ReduceMean": Limits("avg_pool2d", "one or two axes that are, or can be made, height and width"),
    "Relu": Limits("relu"),
    "Reshape": Limits("reshape, transpose", "a constant shape that leaves the batch axis alone"),
    "Selu": Limits("elu, mul", "alpha above zero"),
    "Shape": Limits("", "only where it becomes the shape of a Reshape"),
    "Sigmoid": Limits("sigmoid"),
    "Slice": Limits("slice, avg_pool2d", "constant bounds, positive steps, up to three axes besides the batch"),
    "Softmax": Limits("softmax", "over the axis that lies last on the device"),
    "Softplus": Limits("softplus"),
    "Split": Limits("slice", "constant sizes, none of them zero, up to three axes besides the batch"),
    "Squeeze": Limits(""),
    "Sub": Limits("bias, add, mul", _TWO),
    "Sum": Limits("add, bias", _TWO),
    "Swish": Limits("silu", "alpha 1; up to opset 21 written as x * Sigmoid(x)"),
    "Tanh": Limits("tanh"),
    "Transpose": Limits("transpose"),
    "Unsqueeze": Limits(""),
}
