"""Int8 layers whose weights are signed powers of two, sgn * 2^S times one scale a channel: see ops/shift.py.

The sum is that of the int8 layer with the same integers; 4 bits have some that no int8 holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from edgelearn.formats import S8
from edgelearn.ops.base import Arrays, Attrs, Op
from edgelearn.ops.quantized import conv2d, dense, depthwise_conv2d
from edgelearn.ops.quantized.base import offsets, shifted_name
from edgelearn.ops.shift import integers


def _scalars(attrs: Attrs) -> Mapping[str, int]:
    return {"bits": attrs["bits"], **offsets(attrs)}


def _with_codes(compute: Callable[..., Arrays]) -> Callable[..., Arrays]:
    def shifted(attrs: Attrs, x: np.ndarray, codes: np.ndarray, *more: np.ndarray | None) -> Arrays:
        return compute(attrs, x, integers(codes, attrs["bits"]), *more)

    return shifted


def _layers() -> Iterator[Op]:
    for module in (conv2d, depthwise_conv2d, dense):
        layer = module.OPS[0]
        yield Op(
            shifted_name(layer.name), _with_codes(layer.compute), layer.infer, layer.sizes, layer.struct, _scalars,
            fmt=S8, formats=(S8,), macs=layer.macs,
        )  # fmt: skip


OPS = tuple(_layers())
