"""Activation functions that the converter fused into another node: nodes of their own on the device."""

from __future__ import annotations

import math

from edgelearn.importers.tflite.call import Call, Unsupported, Value

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
        return clipped(call, value, "clip")
    if name == "TANH":
        if call.builder.tensors[value.tensor].quant is not None:
            raise Unsupported("a fused TANH in int8 is not supported, not by the file's runtimes either")
        # What the file's runtimes compute is what the file is: in float they leave it out.
        call.builder.warnings.append(
            f"the fused TANH is left out, as by the file's runtimes ({call.builder.origin(call)})"
        )
        return value
    if name not in LIMITS:
        raise Unsupported(f"the fused activation {name} is not supported")
    attrs = {"slope": 0.0, "max": LIMITS[name]}
    return Value(call.builder.emit(call, "relu", (value.tensor,), attrs, "relu").name, value.shape)


def clipped(call: Call, value: Value, suffix: str = "") -> Value:
    """`value` clipped to [-1, 1]."""
    attrs = {"low": -1.0, "high": 1.0}
    return Value(call.builder.emit(call, "clip", (value.tensor,), attrs, suffix).name, value.shape)
