"""Kernel cases of broadcast sums and products, piecewise activations, joins and parts, and normalisations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from edgelearn.ops import OPS, Kind
from tests.support.kernel_cases import EPS, Case
from tests.support.kernel_numbers import real
from tools.bench.probe import Alias

Arrays = Sequence[np.ndarray | None]
ROWS = ((1, 1), (35, 7), (16, 32), (1, 10), (9, 5), (23, 1))
SPECIAL = np.float32([0, -0.0, 3, -3, 6, np.nan, -np.nan, np.inf, -np.inf])


def random(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return real(rng.normal(size=shape))


def wide(arrays: Arrays) -> list[np.ndarray | None]:
    return [a.astype(np.float64) if a is not None and a.dtype == np.float32 else a for a in arrays]


def absolute(arrays: Arrays) -> list[np.ndarray | None]:
    return [None if a is None else np.abs(a.astype(np.float64)) for a in arrays]


def cases(
    op: str, name: str, attrs: dict[str, Any], ins: Arrays, bound: np.ndarray, scale: float = 0.0
) -> Iterator[Case]:
    """A call into fresh memory, or on top of what an accumulating kernel finds; and one in place for each way."""
    with np.errstate(all="ignore"):
        (want,) = OPS[op].compute(attrs, *wide(ins))
    shapes = [() if a is None else a.shape for a in ins]
    sizes = OPS[op].sizes(attrs, shapes, [want.shape])
    lead: list[Any] = [*sizes.values(), *OPS[op].scalars(attrs).values()]
    start = np.full(want.shape, 7, np.float32)
    if OPS[op].kind is Kind.ACCUMULATE:
        lead.append(scale)
        want, bound = start + np.float32(scale) * want, 1e-6 + abs(scale) * bound
    args = [*lead, *ins, start]
    yield Case(f"{op} {name}", OPS[op].kernel, sizes, args, {len(args) - 1: want}, {len(args) - 1: bound})
    for _, source in OPS[op].inplace:
        x = ins[source]
        if x is not None and x.size == want.size:
            at = len(lead) + source
            args = [*lead, *ins, Alias(at)]
            yield Case(f"{op} {name} over {source}", OPS[op].kernel, sizes, args, {at: want}, {at: bound})


def broadcasts(rng: np.random.Generator) -> Iterator[Case]:
    for rows, channels in ROWS:
        x, dy, b = random(rng, rows, channels), random(rng, rows, channels), random(rng, channels)
        name, like = f"{rows}x{channels}", {"x_shape": (channels,), "channels": channels}
        yield from cases("bias", name, {}, (x, b), 1e-7 * (np.abs(x) + np.abs(b)))
        yield from cases("bias_bwd_x", name, like, (dy,), EPS * np.abs(dy).sum(axis=0))
        yield from cases("sub", name, {}, (x, b), 1e-7 * (np.abs(x) + np.abs(b)))
        yield from cases("sub_bwd_x", name, like, (dy,), EPS * np.abs(dy).sum(axis=0))
        yield from cases("mul", name, {}, (x, b), 1e-7 * np.abs(x * b))
        yield from cases("mul_bwd_x", name, like, (x, dy), EPS * np.abs(x * dy).sum(axis=0))
        yield from cases("mul_bwd_w", name, like, (x, dy), EPS * np.abs(x * dy).sum(axis=0), 0.5)
        yield from cases("prelu", name, {}, (x, b), 1e-7 * np.abs(x) * (1 + np.abs(b)))
        yield from cases("prelu_bwd_x", name, {}, (x, dy, b), 1e-7 * np.abs(dy) * (1 + np.abs(b)))
        yield from cases("prelu_bwd_w", name, like, (x, dy), EPS * np.abs(x * dy).sum(axis=0), -0.25)


def activations(rng: np.random.Generator) -> Iterator[Case]:
    for n in (1, 7, 33, 131):
        x, dy = real(3 * random(rng, n)), random(rng, n)
        away = np.where(np.abs(x) < 0.1, np.float32(1), x)
        yield from cases("reciprocal", f"{n}", {}, (away,), 2e-7 / np.abs(away))
        yield from cases("reciprocal_bwd", f"{n}", {}, (x, dy), 4e-7 * np.abs(dy) * x * x)
        yield from cases("reshape", f"{n}", {"shape": (n,)}, (x,), np.zeros(n))
        some = x.copy()
        some[:: max(1, n // 8)] = np.resize(SPECIAL, len(some[:: max(1, n // 8)]))
        finite = np.where(np.isfinite(some), np.abs(some), 0)
        for low, high in ((-1.0, 1.0), (-0.25, 2.0)):
            attrs = {"low": low, "high": high}
            yield from cases("clip", f"{n} {high}", attrs, (some,), np.zeros(n))
            yield from cases("clip_bwd", f"{n} {high}", attrs, (np.clip(x, low, high), dy), np.zeros(n))
        for alpha, beta in ((0.2, 0.5), (1 / 6, 0.5)):
            attrs, name = {"alpha": alpha, "beta": beta}, f"{n} {alpha:.2f}"
            yield from cases("hard_sigmoid", name, attrs, (some,), 2e-7 * (1 + finite))
            y = real(np.clip(np.float32(alpha) * x + np.float32(beta), 0, 1))
            yield from cases("hard_sigmoid_bwd", name, attrs, (y, dy), 2e-7 * np.abs(dy))
        yield from cases("hard_swish", f"{n}", {}, (some,), 3e-7 * (1 + finite))
        yield from cases("hard_swish_bwd", f"{n}", {}, (x, dy), 4e-7 * np.abs(dy) * (1 + np.abs(x)))
        yield from _signed(some, 3e-7 * (1 + finite))
        for op in ("silu", "gelu", "gelu_tanh", "softplus"):
            yield from cases(op, f"{n}", {}, (some,), 4e-7 * (1 + finite))
            yield from cases(f"{op}_bwd", f"{n}", {}, (x, dy), 6e-7 * np.abs(dy) * (1 + np.abs(x)))
        for alpha in (1.0, 0.5):
            yield from cases("elu", f"{n} {alpha}", {"alpha": alpha}, (some,), 2e-7 * (1 + finite))
            y = real(np.where(x < 0, alpha * np.expm1(x), x))
            yield from cases("elu_bwd", f"{n} {alpha}", {"alpha": alpha}, (y, dy), 2e-7 * np.abs(dy) * (1 + np.abs(y)))


def _signed(x: np.ndarray, bound: np.ndarray) -> Iterator[Case]:
    with np.errstate(invalid="ignore"):
        y, mask = OPS["hard_swish_signed"].compute({}, *wide((x,)))
    bits = np.packbits(mask, bitorder="little")
    for target, at in ((np.full(x.shape, 7, np.float32), 2), (Alias(1), 1)):
        for room, want in ((np.full(len(bits), 255, np.uint8), {at: y, 3: bits}), (None, {at: y})):
            args = [x.size, x, target, room]
            yield Case(f"{x.size}", "hard_swish_signed_fwd", {"count": x.size}, args, want, {at: bound})


def parts(rng: np.random.Generator) -> Iterator[Case]:
    for axis in range(3):
        x, y = random(rng, 3, 4, 5), random(rng, *(n + (k == axis) for k, n in enumerate((3, 4, 5))))
        yield from cases("concat", f"axis {axis}", {"axis": axis}, (x, y), np.zeros(1))
        for start, stop in ((0, 2), (1, 3), (2, 3), (0, 3)):
            attrs = {"axis": axis, "start": start, "stop": stop, "x_shape": x.shape}
            (part,) = OPS["slice"].compute(attrs, x)
            yield from cases("slice", f"axis {axis} {start} {stop}", attrs, (x,), np.zeros(1))
            yield from cases("slice_bwd", f"axis {axis} {start} {stop}", attrs, (part,), np.zeros(1))
    for channels, index in ((1, [0]), (5, [0, 1, 4]), (7, [2]), (33, [*range(0, 33, 2)])):
        x, chosen = random(rng, 3, 2, channels), np.int32(index)
        yield from cases("take", f"{len(index)} of {channels}", {}, (x, chosen), np.zeros(1))
        yield from cases(
            "put", f"{len(index)} of {channels}", {"channels": channels}, (x[..., chosen], chosen), np.zeros(1)
        )


def norms(rng: np.random.Generator) -> Iterator[Case]:
    for rows, channels in ((4, 8), (35, 7), (3, 33), (64, 3)):
        for op, axis in (("layer_norm", 1), ("instance_norm", 0)):
            x = real(random(rng, rows, channels) + np.float32(0.5))
            dy, gamma, beta = random(rng, rows, channels), random(rng, channels), random(rng, channels)
            attrs, name = {"epsilon": 2**-10, "channels": channels}, f"{rows}x{channels}"
            inv = 1 / np.sqrt(x.var(axis=axis, keepdims=True) + attrs["epsilon"])
            h = (np.abs(x) + np.abs(x).mean(axis=axis, keepdims=True)) * inv
            bound = EPS * (h * np.abs(gamma) + np.abs(beta))
            yield from cases(op, name, attrs, (x, gamma, beta), bound)
            yield from cases(op, f"{name} without beta", attrs, (x, gamma, None), bound)
            g = np.abs(dy * gamma)
            spread = g + g.mean(axis=axis, keepdims=True) + h * (g * h).mean(axis=axis, keepdims=True)
            yield from cases(f"{op}_bwd_x", name, attrs, (x, dy, gamma), 2 * EPS * spread * inv)
            yield from cases(f"{op}_bwd_w", name, attrs, (x, dy), EPS * (np.abs(dy) * h).sum(axis=0), 0.5)
    constant = np.full((6, 4), 2, np.float32)  # no variance at all
    for op in ("layer_norm", "instance_norm"):
        gamma, beta = random(rng, 4), random(rng, 4)
        yield from cases(op, "constant", {"epsilon": 1e-5}, (constant, gamma, beta), np.full((6, 4), 1e-6))


FAMILIES: tuple[Callable[[np.random.Generator], Iterator[Case]], ...] = (broadcasts, activations, parts, norms)
