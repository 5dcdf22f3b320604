"""Layers whose weights are signed powers of two: W = sgn * 2^(S - k), frozen, N bits each.

A weight is a code, the exponent S in its low N - 1 bits and the sign above them. On the device codes are packed without
gaps, lowest bits first. Products are exact: they are those of the float layer with the same weights.
Source: Li et al., "DenseShift", ICCV 2023, section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from edgelearn.graph import Node
from edgelearn.ops import conv2d, dense, depthwise_conv2d
from edgelearn.ops.base import Arrays, Attrs, Op, Tape

SUFFIX = "_shift"


def decode(codes: np.ndarray, bits: int, k: int, dtype: np.typing.DTypeLike = np.float32) -> np.ndarray:
    """The weights that codes stand for."""
    exponents = (codes & ((1 << (bits - 1)) - 1)).astype(np.int32) - k
    signs = 1 - 2 * (codes >> (bits - 1)).astype(np.int32)
    return np.asarray(np.ldexp(signs.astype(dtype), exponents))


def integers(codes: np.ndarray, bits: int) -> np.ndarray:
    """sgn * 2^S as int64: of 4 bits up to 128 either way."""
    exponents = (codes & ((1 << (bits - 1)) - 1)).astype(np.int64)
    return np.asarray((1 - 2 * (codes >> (bits - 1)).astype(np.int64)) << exponents)


def encode(weights: np.ndarray, bits: int, k: int) -> np.ndarray | None:
    """Codes (uint8) of float weights; None where one of them is no such power."""
    fraction, exponents = np.frexp(np.abs(weights))
    exponents = exponents - 1 + k
    if not ((fraction == 0.5) & (exponents >= 0) & (exponents < 1 << (bits - 1))).all():
        return None
    return np.asarray(exponents | ((weights < 0).astype(np.int32) << (bits - 1)), np.uint8)


def encode_channels(weights: np.ndarray, bits: int, axis: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Codes (uint8), and a scale (float64) of each channel along `axis`, whose weights are powers of two times it: what
    becomes of weights with codes where a norm is folded into them. None where they are not.
    """
    rows = np.moveaxis(np.asarray(weights, np.float64), axis, 0).reshape(weights.shape[axis], -1)
    fraction, exponents = np.frexp(np.abs(rows))
    lowest = exponents.min(axis=1, keepdims=True)
    scale = np.ldexp(fraction[:, 0], lowest[:, 0])
    powers = (fraction == fraction[:, :1]) & (exponents - lowest < 1 << (bits - 1))
    if not powers.all() or not (scale >= np.finfo(np.float32).tiny).all():
        return None
    codes = np.asarray(exponents - lowest | (rows < 0).astype(np.int32) << (bits - 1), np.uint8)
    moved = np.moveaxis(weights, axis, 0).shape
    return np.ascontiguousarray(np.moveaxis(codes.reshape(moved), 0, axis)), scale


def pack(codes: np.ndarray, bits: int) -> np.ndarray:
    """Codes as bytes, (count * bits + 7) // 8 of them: as el_shift_code of el/shift.h reads them."""
    single = codes.reshape(-1, 1) >> np.arange(bits, dtype=np.uint8) & 1
    return np.packbits(single.reshape(-1), bitorder="little")


def _scalars(attrs: Attrs) -> Mapping[str, int]:
    return {"bits": attrs["bits"], "k": attrs["k"]}


def _with_codes(compute: Callable[..., Arrays]) -> Callable[..., Arrays]:
    """The truth of a layer, its second operand being codes."""

    def shifted(attrs: Attrs, x: np.ndarray, codes: np.ndarray, *more: np.ndarray | None) -> Arrays:
        return compute(attrs, x, decode(codes, attrs["bits"], attrs["k"], x.dtype), *more)

    return shifted


def _gradient(node: Node, tape: Tape) -> None:
    x, w, b = node.inputs
    dy = tape.grad(node.outputs[0])
    tape.input_grad(f"{node.op}_bwd_x", x, (dy, w), node)
    tape.weight_grad("bias_bwd", b, (dy,), node)


def _layers() -> Iterator[Op]:
    for module in (conv2d, depthwise_conv2d, dense):
        forward, backward = module.OPS[:2]
        name = forward.name + SUFFIX
        yield Op(
            name, _with_codes(forward.compute), forward.infer, forward.sizes, forward.struct, _scalars,
            gradient=_gradient, macs=forward.macs,
        )  # fmt: skip
        yield Op(
            f"{name}_bwd_x", _with_codes(backward.compute), None, backward.sizes, backward.struct, _scalars,
            macs=backward.macs,
        )  # fmt: skip


OPS = tuple(_layers())
