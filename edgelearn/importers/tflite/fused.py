"""Activation functions that the converter fused into another node: nodes of their own on the device."""

from __future__ import annotations

import math

from edgelearn.importers.tflite.call import Call, Unsupported, Value

_NAMES = {1: "RELU", 2: "RELU_N1_TO_1", 3: "RELU6", 4: "TANH", 5: "SIGN_BIT"}
LIMITS = {"RELU": math.inf, "RELU6": 6.0}


def fused(call: Call, value: Value) -> Value:
    """`value` with the node's fused activation function behind it.

    In an int8 model both sides of the activation have the quantisation of the result: what saturates before it would
    be clamped by it all the same, so that the two steps give the bits of the fused one.
    """
    function = call.option("FusedActivationFunction")
    if function == 0:
        return value
    name = _NAMES.get(function, str(function))
    if name in LIMITS:
        attrs = {"slope": 0.0, "max": LIMITS[name]}
        return Value(call.builder.emit(call, "relu", (value.tensor,), attrs, "relu").name, value.shape)
    if name == "TANH":
        raise_if_int8(call, value, "a fused TANH")
        return Value(call.builder.emit(call, "tanh", (value.tensor,), suffix="tanh").name, value.shape)
    raise Unsupported(f"the fused activation {name} is not supported")


def raise_if_int8(call: Call, value: Value, what: str) -> None:
    """Unsupported where the quantisation before a step is not known."""
    if call.builder.tensors[value.tensor].quant is not None:
        raise Unsupported(f"{what} is not supported in int8")
