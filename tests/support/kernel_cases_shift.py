"""Calls of the layers whose weights are packed powers of two, with the float64 truth of `edgelearn.ops.shift`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from edgelearn.ops import OPS
from edgelearn.ops.base import Shape
from edgelearn.ops.shift import pack
from tests.support import kernel_cases_s8
from tests.support.kernel_cases import DEPTHWISE, EPS, WINDOWS, Case
from tests.support.kernel_numbers import real

BITS = (3, 4, 2)  # three first: a weight across two bytes


def _layer(op: str, name: str, attrs: dict[str, Any], x: Shape, w: Shape, bits: int, bias: bool,
           rng: np.random.Generator) -> Iterator[Case]:  # fmt: skip
    """The forward pass and the gradient of x."""
    attrs = {**attrs, "bits": bits, "k": bits + 1, "x_shape": x}
    codes = rng.integers(0, 1 << bits, w, dtype=np.uint8)
    (y,) = OPS[op].infer(attrs, [x, w])
    values, dy = real(rng.normal(size=x)), real(rng.normal(size=y))
    b = real(rng.normal(size=w[-1] if op.startswith("depthwise") else w[0])) if bias else None
    for step, ins, out in ((op, [values, codes, b], y), (f"{op}_bwd_x", [dy, codes], x)):
        sizes = OPS[step].sizes(attrs, [a.shape for a in ins if a is not None], [out])
        yield _case(step, f"{step} {name} {bits} bits", attrs, sizes, ins)


def _case(op: str, name: str, attrs: dict[str, Any], sizes: dict[str, int], ins: list[np.ndarray | None]) -> Case:
    exact = [a.astype(np.float64) if a is not None and a.dtype == np.float32 else a for a in ins]
    (want,) = OPS[op].compute(attrs, *exact)
    sizeless = [a if a is None or a.dtype == np.uint8 else np.abs(a) for a in exact]
    positive = attrs["bits"] - 1
    sizeless[1] = ins[1] & ((1 << positive) - 1)  # without signs
    (size,) = OPS[op].compute(attrs, *sizeless)
    lead: list[Any] = [sizes] if OPS[op].struct else list(sizes.values())
    packed = [pack(a, attrs["bits"]) if a is not None and a.dtype == np.uint8 else a for a in ins]
    args = [*lead, attrs["bits"], attrs["k"], *packed, np.full(want.shape, 7, np.float32)]
    return Case(name, OPS[op].kernel, sizes, args, {len(args) - 1: want}, {len(args) - 1: EPS * size})


def layers(rng: np.random.Generator) -> Iterator[Case]:
    """All three kinds at all widths, odd shapes included."""
    for n, (name, (h, w, c, co, kernel, stride, pads, groups)) in enumerate(WINDOWS.items()):
        attrs = {"kernel": kernel, "stride": stride, "pads": pads, "groups": groups}
        yield from _layer(
            "conv2d_shift", name, attrs, (h, w, c), (co, *kernel, c // groups), BITS[n % 3], n % 2 > 0, rng
        )
    for n, (name, (h, w, c, kernel, stride, pads, multiplier)) in enumerate(DEPTHWISE.items()):
        attrs = {"kernel": kernel, "stride": stride, "pads": pads, "multiplier": multiplier}
        weights = (*kernel, c * multiplier)
        yield from _layer("depthwise_conv2d_shift", name, attrs, (h, w, c), weights, BITS[n % 3], n % 2 > 0, rng)
    for n, (columns, rows) in enumerate(((7, 5), (33, 10), (1, 1), (64, 32), (130, 3), (3, 21))):
        yield from _layer(
            "dense_shift", f"{columns} {rows}", {}, (columns,), (rows, columns), BITS[n % 3], n % 2 > 0, rng
        )


def integers(rng: np.random.Generator) -> Iterator[Case]:
    """The same with int8 maps."""
    for n, (name, (h, w, c, co, kernel, stride, pads, groups)) in enumerate(WINDOWS.items()):
        attrs = {"kernel": kernel, "stride": stride, "pads": pads, "groups": groups}
        yield from _integers("conv2d", name, attrs, (h, w, c), (co, *kernel, c // groups), n, rng)
    for n, (name, (h, w, c, kernel, stride, pads, multiplier)) in enumerate(DEPTHWISE.items()):
        attrs = {"kernel": kernel, "stride": stride, "pads": pads, "multiplier": multiplier}
        yield from _integers("depthwise_conv2d", name, attrs, (h, w, c), (*kernel, c * multiplier), n, rng)
    for n, (columns, rows) in enumerate(((7, 5), (33, 10), (1, 1), (64, 32), (130, 3), (3, 21))):
        yield from _integers("dense", f"{columns} {rows}", {}, (columns,), (rows, columns), n, rng)


def _integers(
    layer: str, name: str, attrs: dict[str, Any], x: Shape, w: Shape, n: int, rng: np.random.Generator
) -> Iterator[Case]:
    """One call; with the bounds and zero points of the int8 kernels' cases, each third with the largest sums."""
    bits, channels_of = BITS[n % 3], w[-1] if layer.startswith("depthwise") else w[0]
    codes = rng.integers(0, 1 << bits, w, dtype=np.uint8)
    values = kernel_cases_s8.integers(rng, *x)
    if n % 3 == 2:
        codes, values = np.full(w, (1 << bits) - 1, np.uint8), np.full(x, -128, np.int8)
    terms = codes.size // channels_of
    bias, multiplier, shift = kernel_cases_s8.channels(rng, channels_of, terms, kernel_cases_s8.MODERATE)
    attrs = {**attrs, **kernel_cases_s8.offsets(n), "bits": bits}
    op = f"{layer}_shift_s8"
    ins = [values, codes, bias if n % 4 else None, multiplier, shift]
    for case in kernel_cases_s8.cases(op, f"{name} {bits} bits", attrs, *ins):
        packed = [pack(a, bits) if a is codes else a for a in case.args]
        yield replace(case, args=packed)


FAMILIES = (layers,)
INTEGER_FAMILIES = (integers,)
