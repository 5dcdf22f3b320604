"""Which options each operator has, and reading them into a plain dictionary."""

from __future__ import annotations

from typing import Any

_CONV = ("Padding", "StrideW", "StrideH", "DilationWFactor", "DilationHFactor", "FusedActivationFunction")
_POOL = ("Padding", "StrideW", "StrideH", "FilterWidth", "FilterHeight", "FusedActivationFunction")
_FUSED = ("FusedActivationFunction",)

# Operator: its table in the schema, and the fields that are read; a trailing [] is a list of integers.
FIELDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "CONV_2D": ("Conv2DOptions", _CONV),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", (*_CONV, "DepthMultiplier")),
    "FULLY_CONNECTED": ("FullyConnectedOptions", (*_FUSED, "WeightsFormat", "KeepNumDims")),
    "AVERAGE_POOL_2D": ("Pool2DOptions", _POOL),
    "MAX_POOL_2D": ("Pool2DOptions", _POOL),
    "MEAN": ("ReducerOptions", ("KeepDims",)),
    "ADD": ("AddOptions", _FUSED),
    "SUB": ("SubOptions", _FUSED),
    "MUL": ("MulOptions", _FUSED),
    "CONCATENATION": ("ConcatenationOptions", ("Axis", *_FUSED)),
    "SOFTMAX": ("SoftmaxOptions", ("Beta",)),
    "GELU": ("GeluOptions", ("Approximate",)),
    "LEAKY_RELU": ("LeakyReluOptions", ("Alpha",)),
    "RESHAPE": ("ReshapeOptions", ("NewShape[]",)),
    "SQUEEZE": ("SqueezeOptions", ("SqueezeDims[]",)),
    "SHAPE": ("ShapeOptions", ("OutType",)),
    "PACK": ("PackOptions", ("Axis",)),
    "STRIDED_SLICE": (
        "StridedSliceOptions", ("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask", "Offset")
    ),
}  # fmt: skip
# Lists in options are shapes and axes: short.
_LONGEST = 16


def read_options(schema: Any, op: str, operator: Any) -> dict[str, Any] | None:
    """The options of an operator by field name; None if it carries none of its kind."""
    if op not in FIELDS:
        return {}
    table, fields = FIELDS[op]
    stored = operator.BuiltinOptions()
    if operator.BuiltinOptionsType() != getattr(schema.BuiltinOptions, table) or stored is None:
        return None
    options = getattr(schema, table)()
    options.Init(stored.Bytes, stored.Pos)
    return {field.removesuffix("[]"): _field(options, field) for field in fields}


def _field(options: Any, field: str) -> Any:
    if not field.endswith("[]"):
        return getattr(options, field)()
    name = field.removesuffix("[]")
    count = getattr(options, f"{name}Length")()
    if not 0 <= count <= _LONGEST:
        raise ValueError(f"{name} has {count} entries")
    return [int(getattr(options, name)(k)) for k in range(count)]
