"""Calls of every int8 kernel with their exact truth: odd sizes, scales of all magnitudes, sums and outputs at the ends
of their ranges.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from edgelearn.formats import S8
from edgelearn.graph import Node, Quant, Role, Tensor
from edgelearn.ops import OPS
from edgelearn.ops.fixed_point import quantize_multiplier
from edgelearn.ops.quantized import RULES, Site
from tests.support.kernel_cases import DEPTHWISE, POOLS, WINDOWS, Case
from tools.bench.probe import Alias

ZEROS = ((0, 0), (-128, -128), (127, -128), (-128, 127), (3, -17))
CLAMPS = ((-128, 127), (-17, 100), (0, 127), (5, 5))


def integers(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Random int8, both ends included more often than by chance."""
    return np.clip(rng.integers(-160, 160, shape), -128, 127).astype(np.int8)


def cases(op_name: str, name: str, attrs: dict[str, Any], *ins: np.ndarray | None) -> Iterator[Case]:
    """A call into fresh memory, and in place where the op allows it."""
    op = OPS[op_name]
    (want,) = op.compute(attrs, *ins)
    assert want.dtype == op.formats[0].dtype
    sizes = op.sizes(attrs, [() if a is None else a.shape for a in ins], [want.shape])
    lead: list[Any] = [sizes] if op.struct else list(sizes.values())
    lead += op.scalars(attrs).values()
    out = len(lead) + len(ins)
    args = [*lead, *ins, np.full(want.shape, 7, want.dtype)]
    yield Case(f"{op_name} {name}", op.kernel, sizes, args, {out: want}, fmt="s8")
    for _, source in op.inplace:
        at = len(lead) + source
        args = [*lead, *(None if a is None else a.copy() for a in ins), Alias(at)]
        yield Case(f"{op_name} {name} in place", op.kernel, sizes, args, {at: want}, fmt="s8")


# Multiplier, shift, bias of every few channels: what a sum and a shift can be at most, and what is at the bounds within
# which fast kernels take a short way.
EXTREMES = (
    (0, 0, 5), (2**31 - 1, -31, 2**30), (2**31 - 1, 0, -(2**30)), (2**30, 1, -1), (2**30, 30, 3),
    (2**31 - 1, 12, 7), (2**30, -23, 2**30 - 1), (2**30 + 1, -1, 1),
)  # fmt: skip
MODERATE = (
    (2**31 - 1, -1, 2**28), (2**30, -22, -(2**28)), (2**30, -1, 3), (2**31 - 1, -22, 2**28), (2**30, 0, -1),
    (2**30, -3, -20), (2**30 + 1, 2, 1), (0, 0, 5), (2**31 - 1, -23, -(2**28)), (2**30, -31, 2**28), (2**30, -8, 2**8),
)  # fmt: skip

PLAIN = tuple(e for e in MODERATE if -22 <= e[1] <= -1)
WHOLE = {"min": -128, "max": 127}


def channels(
    rng: np.random.Generator, count: int, terms: int, extremes: tuple[tuple[int, int, int], ...] = EXTREMES
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bias, multipliers and shifts: factors that use the output's range, and every few channels an extreme one."""
    bias = rng.integers(-terms * 4000, terms * 4000 + 1, count).astype(np.int32)
    factors = 2.0 ** rng.uniform(-13, -7, count) / np.sqrt(terms)
    pairs = np.array([quantize_multiplier(f) for f in factors], np.int32)
    for k in range(0, count, 3):
        pairs[k, 0], pairs[k, 1], bias[k] = extremes[(k // 3 + count) % len(extremes)]
    return bias, pairs[:, 0].copy(), pairs[:, 1].copy()


def offsets(k: int) -> dict[str, int]:
    (x_zero, y_zero), (low, high) = ZEROS[k % len(ZEROS)], CLAMPS[k % len(CLAMPS)]
    return {"x_zero": x_zero, "y_zero": y_zero, "min": low, "max": high}


# What register tiles and vectors of bytes add: sums and channels of more than one step, and all their tails.
WIDE = {
    "steps": (5, 7, 20, 37, (3, 3), (1, 1), (1, 1, 1, 1), 1),
    "steps_signal": (1, 21, 13, 19, (1, 5), (1, 2), (0, 2, 0, 2), 1),
    "pointwise": (3, 5, 33, 21, (1, 1), (1, 1), (0, 0, 0, 0), 1),
    "pointwise_even": (3, 4, 64, 32, (1, 1), (1, 1), (0, 0, 0, 0), 1),
    "pointwise_short": (3, 5, 3, 5, (1, 1), (1, 1), (0, 0, 0, 0), 1),
    "pointwise_pad": (3, 3, 4, 6, (1, 1), (2, 2), (1, 1, 1, 1), 1),
    "groups": (4, 5, 48, 40, (3, 3), (1, 1), (1, 1, 1, 1), 2),
    "many_groups": (4, 5, 6, 18, (3, 3), (2, 2), (1, 1, 1, 1), 6),
    "rgb": (9, 11, 3, 8, (3, 3), (2, 2), (0, 0, 1, 1), 1),
}
DEEP = {
    "steps": (6, 7, 37, (3, 3), (1, 1), (1, 1, 1, 1), 1),
    "steps_stride": (7, 9, 20, (3, 3), (2, 2), (0, 0, 1, 1), 1),
    "unlike_strides": (7, 9, 16, (3, 3), (2, 1), (1, 1, 1, 1), 1),
    "far": (2, 3, 17, (3, 3), (1, 1), (2, 2, 2, 2), 1),
    "gaps": (9, 11, 8, (3, 3), (4, 5), (0, 0, 0, 0), 1),
    "signal": (1, 23, 18, (1, 5), (1, 2), (0, 2, 0, 2), 1),
    "tall": (9, 3, 33, (5, 2), (2, 1), (2, 0, 2, 1), 1),
    "one_tap": (3, 3, 21, (1, 1), (1, 1), (0, 0, 0, 0), 1),
    "multiplier": (5, 4, 5, (3, 3), (1, 1), (1, 1, 1, 1), 7),
}
DENSE = ((7, 5), (33, 10), (1, 1), (64, 32), (130, 3), (3, 21), (4, 2), (258, 50), (47, 9))


def weighted(rng: np.random.Generator) -> Iterator[Case]:
    """Each layer with sums and shifts of any size, with smaller ones, and with such as most layers have."""
    for extremes, label, bounds in ((EXTREMES, "", {}), (MODERATE, " moderate", {}), (PLAIN, " plain", WHOLE)):
        for k, (name, (h, w, c, co, kernel, stride, pads, groups)) in enumerate((WINDOWS | _wide(WIDE)).items()):
            attrs = {"kernel": kernel, "stride": stride, "pads": pads, "groups": groups, **offsets(k), **bounds}
            bias, multiplier, shift = channels(rng, co, kernel[0] * kernel[1] * c // groups, extremes)
            weights = integers(rng, co, *kernel, c // groups)
            x = integers(rng, h, w, c)
            yield from cases("conv2d_s8", name + label, attrs, x, weights, bias if k % 4 else None, multiplier, shift)
        for k, (name, (h, w, c, kernel, stride, pads, copies)) in enumerate((DEPTHWISE | _wide(DEEP)).items()):
            attrs = {"kernel": kernel, "stride": stride, "pads": pads, "multiplier": copies, **offsets(k), **bounds}
            bias, multiplier, shift = channels(rng, c * copies, kernel[0] * kernel[1], extremes)
            ins = integers(rng, h, w, c), integers(rng, *kernel, c * copies), bias if k % 4 else None
            yield from cases("depthwise_conv2d_s8", name + label, attrs, *ins, multiplier, shift)
        for k, (n, m) in enumerate(DENSE):
            bias, multiplier, shift = channels(rng, m, n, extremes)
            ins = integers(rng, n), integers(rng, m, n), bias if k % 4 else None
            yield from cases("dense_s8", f"{n} {m}{label}", {**offsets(k), **bounds}, *ins, multiplier, shift)
    # The largest sums that there are: all operands at the end of their range.
    ends = {"x_zero": 127, "y_zero": -128, **WHOLE}
    for n, m, low in ((8192, 5, -128), (8193, 2, -128), (8192, 4, 127)):
        x, w = np.full(n, -128, np.int8), np.full((m, n), low, np.int8)
        bias, multiplier, shift = channels(rng, m, n, MODERATE)
        yield from cases("dense_s8", f"{n} {m} {low}", ends, x, w, np.full(m, 2**28, np.int32), multiplier, shift)


def _wide(shapes: dict[str, Any]) -> dict[str, Any]:
    return {f"wide {name}": shape for name, shape in shapes.items()}


def windows(rng: np.random.Generator) -> Iterator[Case]:
    for k, (name, (h, w, c, kernel, stride, pads)) in enumerate(POOLS.items()):
        attrs = {"kernel": kernel, "stride": stride, "pads": pads, "count_pad": False}
        for low, high in CLAMPS[:2]:
            x = integers(rng, h, w, c)
            yield from cases("max_pool2d_s8", name, {**attrs, "min": low, "max": high}, x)
            yield from cases("avg_pool2d_s8", name, {**attrs, "min": low, "max": high}, x)
        for factor in (0.02, 1.0, 3.7):
            multiplier, shift = quantize_multiplier(factor / (kernel[0] * kernel[1]))
            scaling = {"multiplier": multiplier, "shift": shift, **offsets(k)}
            yield from cases("mean_s8", name, {**attrs, "pads": (0, 0, 0, 0), **scaling}, integers(rng, h, w, c))
    for pads in ((1, 2, 3, 0), (0, 0, 0, 0), (0, 1, 0, 1)):
        yield from cases("pad_s8", f"{pads}", {"pads": pads, "value": -128 + sum(pads)}, integers(rng, 3, 5, 7))


def elementwise(rng: np.random.Generator) -> Iterator[Case]:
    scales = ((0.1, 0.1, 0.2), (1.0, 0.001, 0.5), (0.02, 0.7, 0.011), (3.0, 2.9, 100.0))
    for k, n in enumerate((1, 7, 8, 33, 131)):
        x, other = integers(rng, n), integers(rng, n)
        a, b, y = scales[k % len(scales)]
        low, high = CLAMPS[k % len(CLAMPS)]
        attrs = {"a_zero": -128, "b_zero": 127 if k % 2 else 4, "y_zero": -9, "min": low, "max": high}
        for part, factor in (("a", a / (2 * max(a, b))), ("b", b / (2 * max(a, b))), ("y", max(a, b) / (2**19 * y))):
            attrs[f"{part}_multiplier"], attrs[f"{part}_shift"] = quantize_multiplier(factor)
        yield from cases("add_s8", f"{n}", attrs, x, other)
        yield from cases("sub_s8", f"{n}", attrs, x, other)
        yield from cases("add_s8", f"3x{n}", attrs, integers(rng, 3, n), other)
        yield from cases("sub_s8", f"3x{n}", attrs, integers(rng, 3, n), other)
        multiplier, shift = quantize_multiplier(a * b / y)
        product = {"b_zero": attrs["b_zero"], "multiplier": multiplier, "shift": shift, **offsets(k)}
        yield from cases("mul_s8", f"{n}", product, x, other)
        yield from cases("mul_s8", f"3x{n}", product, integers(rng, 3, n), other)
        yield from cases("concat_s8", f"{n}", {"axis": 1}, integers(rng, 3, n, 2), integers(rng, 3, 4, 2))
        part = {"axis": 1, "start": n // 3, "stop": n // 3 + 1 + n // 2}
        yield from cases("slice_s8", f"{n}", part, integers(rng, 3, n + 1, 2))
        yield from cases("table_s8", f"{n}", {}, x, integers(rng, 256))
        yield from cases("reshape_s8", f"{n}", {"shape": (n, 1)}, x)
        for scale, zero in ((0.1, -128), (3.7e-3, 5), (1e-30, 0), (2.0, 127)):
            real = (40 * scale * rng.normal(size=n)).astype(np.float32)
            ties = np.float32(scale) * np.float32([0.5, -0.5, 1.5, -2.5, 126.5, 300, -300, np.inf, -np.inf, np.nan, 0])
            real[: min(n, len(ties))] = ties[:n]
            for even in (False, True):
                yield from cases("quantize", f"{n} {scale} {even}", {"scale": scale, "zero": zero, "even": even}, real)
            yield from cases("dequantize", f"{n} {scale}", {"scale": scale, "zero": zero}, x)
    for scale, rows, classes in ((0.1, 3, 5), (1.7, 1, 10), (1e-3, 2, 33), (0.02, 1, 1), (1e-3, 1, 511)):
        quant = Quant((scale,), (0,))
        x = Tensor("x", (rows, classes), Role.ACT, S8, quant=quant)
        y = Tensor("y", (rows, classes), Role.ACT, S8, quant=Quant((1 / 256,), (-128,)))
        lowered = RULES["softmax"](Site(Node("softmax", "y", ("x",), ("y",)), (x,), y))
        assert lowered is not None
        name = f"{rows}x{classes} {scale}"
        yield from cases("softmax_s8", name, {}, integers(rng, rows, classes), lowered.consts["exps"])
    for perm in ((2, 0, 1), (1, 0, 2)):
        yield from cases("transpose_s8", f"{perm}", {"perm": perm}, integers(rng, 3, 5, 7))
    domain = np.arange(-128, 128, dtype=np.int8)
    yield from cases("table_s8", "all", {}, domain, integers(rng, 256))


FAMILIES = (weighted, windows, elementwise)
