"""How a file's integers stand for real numbers."""

from __future__ import annotations

import math

import numpy as np

from edgelearn.formats import F32, S8, Format
from edgelearn.graph import Quant
from edgelearn.importers.tflite.call import Const, Unsupported
from edgelearn.importers.tflite.file import FileTensor


def activation_format(tensor: FileTensor) -> tuple[Format, Quant | None]:
    """The format of an activation as the file states it: float, or int8 with one scale."""
    if tensor.type == "FLOAT32":
        return F32, None
    if tensor.type != "INT8":
        raise Unsupported(f"activations of {tensor.type} are not supported, only FLOAT32 and INT8")
    quant = quant_of(tensor)
    if quant is None or len(quant.scale) != 1:
        raise Unsupported("an int8 activation needs exactly one scale")
    return S8, quant


def quant_of(tensor: FileTensor) -> Quant | None:
    """The quantisation of a tensor, None if it has none. Unsupported where the numbers make no sense."""
    if not tensor.scale:
        return None
    scales, axis = len(tensor.scale), tensor.axis
    if len(tensor.zero_point) != scales or not all(math.isfinite(s) and s > 0 for s in tensor.scale):
        raise Unsupported("scales must be positive numbers, with one zero point each")
    if any(not -128 <= z <= 127 for z in tensor.zero_point):
        raise Unsupported("a zero point is outside of int8")
    if scales == 1:
        return Quant(tensor.scale, tensor.zero_point)
    if not 0 <= axis < len(tensor.shape) or tensor.shape[axis] != scales:
        raise Unsupported(f"{scales} scales do not fit axis {axis} of {tensor.shape}")
    return Quant(tensor.scale, tensor.zero_point, axis)


def real_values(const: Const) -> np.ndarray:
    """The values that a constant stands for."""
    if const.quant is None:
        if const.array.dtype != np.float32:
            raise Unsupported(f"a constant operand is {const.array.dtype}, expected float32 or int8 with a scale")
        return const.array
    if len(const.quant.scale) != 1:
        raise Unsupported("a constant operand has several scales")
    scaled = const.quant.scale[0] * (const.array.astype(np.float64) - const.quant.zero_point[0])
    return np.asarray(scaled, np.float32)
