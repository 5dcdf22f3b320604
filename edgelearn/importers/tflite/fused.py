"""Activation functions that the converter fused into another node: nodes of their own on the device."""

from __future__ import annotations

import math

import numpy as np

from edgelearn.importers.tflite.call import Call, Const, Unsupported, Value
from edgelearn.ops import OPS

_NAMES = {1: "RELU", 2: "RELU_N1_TO_1", 3: "RELU6", 4: "TANH", 5: "SIGN_BIT"}
LIMITS = {"RELU": math.inf, "RELU6": 6.0, "RELU_0_TO_1": 1.0}


def fused(call: Call, value: Value) -> Value:
    """`value` with the node's fused activation function behind it.

    In an int8 model both sides of the activation have the quantisation of the result: what saturates before it would
    be clamped by it all the same, so that the two steps give the bits of the fused one.
    """
    function = call.option("FusedActivationFunction")
    if function == 0:
        return value
    name = _NAMES.get(function, str(function))
    if name == "RELU_N1_TO_1":
        return clipped(call, value)
    if name == "TANH":
        raise Unsupported("a fused TANH is not supported: the file's own runtimes leave it out")
    if name not in LIMITS:
        raise Unsupported(f"the fused activation {name} is not supported")
    attrs = {"slope": 0.0, "max": LIMITS[name]}
    return Value(call.builder.emit(call, "relu", (value.tensor,), attrs, "relu").name, value.shape)


def clipped(call: Call, value: Value) -> Value:
    """`value` clipped to [-1, 1], as a ReLU between two shifts."""
    raise_if_int8(call, value, "RELU_N1_TO_1")
    if "bias" not in OPS:
        raise Unsupported("the activation RELU_N1_TO_1 is not supported")
    builder = call.builder
    up = builder.weight(call, "up", Const(np.ones(1, np.float32)), (1,))
    down = builder.weight(call, "down", Const(-np.ones(1, np.float32)), (1,))
    raised = builder.emit(call, "bias", (value.tensor, up), suffix="up")
    cut = builder.emit(call, "relu", (raised.name,), {"slope": 0.0, "max": 2.0}, "clip")
    return Value(builder.emit(call, "bias", (cut.name, down), suffix="down").name, value.shape)


def raise_if_int8(call: Call, value: Value, what: str) -> None:
    """Unsupported where the quantisation before a step is not known."""
    if call.builder.tensors[value.tensor].quant is not None:
        raise Unsupported(f"{what} is not supported in int8")
