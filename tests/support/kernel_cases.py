"""Calls of every kernel with their float64 truth from `edgelearn.ops`, and the error each output may have.

A bound is EPS times the sum of the absolute values of all terms of an output element: what a float32 sum in any order
keeps for the lengths used here. Where a kernel calls an elementary function the bound adds its few ulp.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from edgelearn.ops import OPS
from tests.support.kernel_numbers import real
from tools.bench.probe import Alias

EPS = 2e-6


@dataclass(frozen=True)
class Case:
    """`args` in the order of the C signature without scratch; `want[k]` and `bound[k]` belong to argument k."""

    name: str
    step: str
    sizes: dict[str, int]
    args: list[Any]
    want: dict[int, np.ndarray]
    bound: dict[int, np.ndarray] = field(default_factory=dict)
    fmt: str = "f32"

    def check(self, got: dict[int, np.ndarray], where: str) -> None:
        """AssertionError with the worst element if an output is off by more than its bound."""
        for k, truth in self.want.items():
            value = got[k].astype(np.float64).reshape(truth.shape)
            bound = self.bound.get(k, np.zeros(truth.shape))
            with np.errstate(invalid="ignore"):  # infinities are equal, not close
                error = np.abs(value - truth)
            bad = ~((error <= bound) | (value == truth) | (np.isnan(value) & np.isnan(truth)))
            worst = int(np.argmax(np.where(bad, np.nan_to_num(error, nan=np.inf), -1.0)))
            assert not bad.any(), (
                f"{where} {self.name}: argument {k} is wrong in {bad.sum()} of {bad.size} elements, "
                f"e.g. {value.flat[worst]!r} instead of {truth.flat[worst]!r} +- {bound.flat[worst]:.2g} at {worst}"
            )


Truth = Callable[..., tuple[np.ndarray, ...]]


def _f32(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return real(rng.normal(size=shape))


def _f64(arrays: list[np.ndarray | None]) -> list[np.ndarray | None]:
    return [None if a is None else a.astype(np.float64) if a.dtype == np.float32 else a for a in arrays]


def _absolute(arrays: list[np.ndarray | None]) -> list[np.ndarray | None]:
    return [None if a is None else np.abs(a) if a.dtype == np.float64 else a for a in arrays]


def _leading(op: str, sizes: dict[str, int]) -> list[Any]:
    return [sizes] if OPS[op].struct else list(sizes.values())


WINDOWS = {
    # in_h, in_w, in_c, out_c, kernel, stride, pads, groups
    "signal": (1, 33, 6, 16, (1, 5), (1, 2), (0, 2, 0, 2), 1),
    "map": (8, 9, 4, 8, (3, 3), (1, 1), (1, 1, 1, 1), 1),
    "pointwise": (5, 5, 9, 7, (1, 1), (1, 1), (0, 0, 0, 0), 1),
    "pointwise_stride": (5, 6, 8, 4, (1, 1), (2, 2), (0, 0, 0, 0), 1),
    "one_pixel": (1, 1, 5, 6, (1, 1), (1, 1), (0, 0, 0, 0), 1),
    "odd": (7, 9, 5, 7, (3, 2), (2, 3), (1, 0, 1, 1), 1),
    "groups": (6, 9, 8, 12, (3, 3), (2, 1), (1, 1, 0, 2), 4),
    "groups_wide": (4, 7, 10, 10, (2, 3), (1, 2), (0, 2, 1, 0), 2),
    "gaps": (5, 11, 3, 6, (2, 2), (3, 3), (0, 1, 0, 0), 1),
    "big_pad": (3, 3, 13, 11, (3, 3), (1, 1), (2, 2, 2, 2), 1),
    "wider_than_map": (1, 4, 3, 5, (1, 7), (1, 1), (0, 3, 0, 3), 1),
    "mostly_pad": (2, 2, 2, 9, (5, 5), (2, 2), (4, 4, 4, 4), 1),
    "whole_map": (4, 5, 3, 1, (4, 5), (1, 1), (0, 0, 0, 0), 1),
    "one_sided": (6, 6, 2, 3, (3, 3), (2, 2), (0, 0, 1, 1), 1),
    "unused_edge": (7, 8, 4, 5, (2, 2), (3, 3), (0, 0, 0, 0), 1),
    "thin": (2, 2, 1, 4, (1, 5), (1, 1), (0, 2, 0, 2), 1),
    "thin_stride": (3, 2, 1, 5, (3, 7), (1, 2), (1, 3, 1, 3), 1),
    "deep": (5, 5, 23, 13, (3, 3), (1, 1), (1, 1, 1, 1), 1),
    "large": (17, 19, 3, 15, (3, 3), (1, 1), (1, 1, 1, 1), 1),
    "few_out": (5, 32, 16, 9, (3, 3), (1, 1), (1, 1, 1, 1), 1),
    "few_lopsided": (7, 31, 8, 5, (3, 3), (1, 1), (2, 2, 0, 0), 1),
    "few_beside": (3, 20, 8, 16, (3, 3), (1, 1), (1, 0, 1, 2), 1),
    "few_wide": (2, 70, 8, 24, (3, 3), (1, 1), (1, 1, 1, 1), 1),
    "few_valid": (5, 34, 8, 17, (3, 2), (1, 1), (0, 0, 0, 0), 1),
    "few_signal": (1, 131, 8, 11, (1, 5), (1, 1), (0, 2, 0, 2), 1),
    "few_pointwise": (9, 9, 24, 8, (1, 1), (1, 1), (0, 0, 0, 0), 1),
    "few_tall": (19, 8, 8, 32, (3, 3), (1, 1), (1, 1, 1, 1), 1),
}
DEPTHWISE = {
    # in_h, in_w, in_c, kernel, stride, pads, multiplier
    "map": (6, 5, 9, (3, 3), (1, 1), (1, 1, 1, 1), 1),
    "map_4": (7, 9, 8, (3, 3), (1, 1), (1, 1, 1, 1), 1),
    "stride": (6, 5, 9, (3, 3), (2, 2), (0, 0, 1, 1), 1),
    "valid": (5, 6, 3, (3, 3), (1, 1), (0, 0, 0, 0), 1),
    "signal": (1, 15, 5, (1, 4), (1, 3), (0, 1, 0, 2), 1),
    "multiplier": (4, 4, 3, (2, 3), (1, 2), (1, 0, 0, 1), 2),
    "big_pad": (2, 3, 4, (3, 3), (1, 1), (2, 2, 2, 2), 1),
    "wide": (3, 11, 5, (5, 5), (1, 1), (2, 2, 2, 2), 1),
    "one_pixel": (1, 1, 6, (3, 3), (1, 1), (1, 1, 1, 1), 1),
    "one_column": (6, 1, 3, (3, 3), (2, 1), (1, 1, 1, 1), 1),
    "stride_odd": (7, 8, 3, (3, 3), (2, 2), (1, 1, 1, 1), 1),
    "stride_pair": (8, 7, 2, (3, 3), (2, 2), (1, 1, 0, 1), 1),
    "lopsided": (4, 6, 7, (3, 3), (1, 1), (0, 2, 1, 0), 1),
    "large": (23, 29, 11, (3, 3), (1, 1), (1, 1, 1, 1), 1),
    "large_stride": (31, 27, 6, (3, 3), (2, 2), (0, 0, 1, 1), 1),
    "long": (1, 600, 4, (1, 7), (1, 1), (0, 3, 0, 3), 1),
}
POOLS = {
    # in_h, in_w, channels, kernel, stride, pads
    "halves": (6, 6, 3, (2, 2), (2, 2), (0, 0, 0, 0)),
    "overlap": (5, 7, 4, (3, 3), (2, 2), (1, 1, 1, 1)),
    "signal": (1, 13, 5, (1, 3), (1, 2), (0, 0, 0, 1)),
    "gaps": (7, 8, 2, (2, 2), (3, 3), (0, 0, 0, 0)),
    "beside": (4, 4, 5, (4, 4), (2, 2), (1, 1, 0, 0)),  # one window that begins in front of the map
    "global": (4, 5, 7, (4, 5), (1, 1), (0, 0, 0, 0)),
    "global_signal": (1, 16, 32, (1, 16), (1, 1), (0, 0, 0, 0)),
}


def _linear(op: str, attrs: dict[str, Any], ins: list[np.ndarray | None], sizes: dict[str, int], scale: float | None,
            name: str, rng: np.random.Generator) -> Case:  # fmt: skip
    """A case of a kernel that sums products; with `scale` it accumulates into what its output held."""
    (want,) = OPS[op].compute(attrs, *_f64(ins))[:1]
    (size,) = OPS[op].compute(attrs, *_absolute(_f64(ins)))[:1]
    args = _leading(op, sizes) + ([] if scale is None else [scale]) + list(ins)
    if scale is None:
        args.append(np.full(want.shape, 7, np.float32))  # must be overwritten
        return Case(name, OPS[op].kernel, sizes, args, {len(args) - 1: want}, {len(args) - 1: EPS * size})
    start = _f32(rng, want.shape)
    args.append(start)
    total, size = start + np.float64(np.float32(scale)) * want, np.abs(start) + abs(scale) * size
    return Case(name, OPS[op].kernel, sizes, args, {len(args) - 1: total}, {len(args) - 1: EPS * size})


def _window_family(op: str, name: str, attrs: dict[str, Any], x: np.ndarray, w: np.ndarray, b: np.ndarray | None,
                   rng: np.random.Generator) -> Iterator[Case]:  # fmt: skip
    (y_shape,) = OPS[op].infer(attrs, [x.shape, w.shape])
    sizes = OPS[op].sizes(attrs, [x.shape], [y_shape])
    dy = _f32(rng, y_shape)
    kernel = {**attrs, "x_shape": x.shape}
    yield _linear(op, attrs, [x, w, b], sizes, None, f"{op} {name}", rng)
    yield _linear(f"{op}_bwd_x", kernel, [dy, w], sizes, None, f"{op}_bwd_x {name}", rng)
    yield _linear(f"{op}_bwd_w", kernel, [x, dy], sizes, 1.0, f"{op}_bwd_w {name}", rng)
    yield _linear(f"{op}_bwd_w", kernel, [x, dy], sizes, -0.01, f"{op}_bwd_w {name} as update", rng)


def convolutions(rng: np.random.Generator) -> Iterator[Case]:
    for k, (name, (h, w, c, co, kernel, stride, pads, groups)) in enumerate(WINDOWS.items()):
        attrs = {"kernel": kernel, "stride": stride, "pads": pads, "groups": groups}
        bias = _f32(rng, (co,)) if k % 3 else None
        yield from _window_family(
            "conv2d", name, attrs, _f32(rng, (h, w, c)), _f32(rng, (co, *kernel, c // groups)), bias, rng
        )
    for k, (name, (h, w, c, kernel, stride, pads, multiplier)) in enumerate(DEPTHWISE.items()):
        attrs = {"kernel": kernel, "stride": stride, "pads": pads, "multiplier": multiplier}
        bias = _f32(rng, (c * multiplier,)) if k % 3 else None
        yield from _window_family(
            "depthwise_conv2d", name, attrs, _f32(rng, (h, w, c)), _f32(rng, (*kernel, c * multiplier)), bias, rng
        )


def products(rng: np.random.Generator) -> Iterator[Case]:
    for n, m in ((7, 5), (33, 10), (1, 1), (64, 32), (130, 3), (3, 21), (1094, 3), (34, 131)):
        sizes = {"in": n, "out": m}
        x, w, b, dy = _f32(rng, (n,)), _f32(rng, (m, n)), _f32(rng, (m,)), _f32(rng, (m,))
        name = f"dense {n} {m}"
        yield _linear("dense", {}, [x, w, b if n % 2 else None], sizes, None, name, rng)
        yield _linear("dense_bwd_x", {"x_shape": (n,)}, [dy, w], {**sizes, "pitch": n}, None, f"{name} bwd_x", rng)
        wide = {**sizes, "pitch": n + 3}
        columns = _linear("dense_bwd_x", {"x_shape": (n,)}, [dy, w], wide, None, f"{name} bwd_x of more", rng)
        wider = np.pad(w, ((0, 0), (0, 3)), constant_values=np.nan)
        yield replace(columns, args=[wider if a is w else a for a in columns.args])
        yield _linear("dense_bwd_w", {}, [x, dy], sizes, 0.25, f"{name} bwd_w", rng)
    for rows, channels in ((1, 1), (35, 7), (16, 32), (1, 10), (9, 5)):
        sizes = {"rows": rows, "channels": channels}
        dy, x = _f32(rng, (rows, channels)), _f32(rng, (rows, channels))
        gamma, beta, mean, inv_std = (_f32(rng, (channels,)) for _ in range(4))
        name = f"{rows}x{channels}"
        yield _linear("bias_bwd", {}, [dy], {**sizes, "pitch": channels}, -0.5, f"bias_bwd {name}", rng)
        columns = _linear("bias_bwd", {}, [dy], {**sizes, "pitch": channels + 3}, 0.75, f"bias_bwd {name} of more", rng)
        wider = np.pad(dy, ((0, 0), (0, 3)), constant_values=np.nan)
        yield replace(columns, args=[wider if a is dy else a for a in columns.args])
        case = _linear("batch_norm_bwd_w", {}, [x, dy, mean, inv_std], sizes, 0.5, f"batch_norm_bwd_w {name}", rng)
        spread = np.abs(dy) * (np.abs(x) + np.abs(mean)) * np.abs(inv_std)
        yield Case(case.name, case.step, sizes, case.args, case.want, {7: EPS * (spread.sum(axis=0) + 4)})
        spread = (np.abs(x) + np.abs(mean)) * np.abs(inv_std * gamma) + np.abs(beta)
        ins = [x, gamma, beta, mean, inv_std]
        want = OPS["batch_norm"].compute({}, *_f64(ins))
        for out in (np.zeros_like(x), Alias(2)):
            args = [rows, channels, *ins, out]
            at = 2 if isinstance(out, Alias) else 7
            yield Case(f"batch_norm {name}", "batch_norm_fwd", sizes, args, {at: want[0]}, {at: EPS * spread})
        want = OPS["batch_norm_bwd_x"].compute({}, *_f64([dy, gamma, inv_std]))
        args = [rows, channels, dy, gamma, inv_std, Alias(2)]
        bound = {2: EPS * np.abs(want[0])}
        yield Case(f"batch_norm_bwd_x {name}", "batch_norm_bwd_x", sizes, args, {2: want[0]}, bound)


def _elementwise(op: str, sizes: dict[str, int], scalars: list[float], attrs: dict[str, Any], ins: list[np.ndarray],
                 out_of: int, bound: np.ndarray, name: str) -> Iterator[Case]:  # fmt: skip
    """Out of place and in place over input `out_of`."""
    want = OPS[op].compute(attrs, *_f64(ins))[0]
    lead = [*sizes.values(), *scalars]
    args = [*lead, *ins, np.full(want.shape, 7, np.float32)]
    last = len(args) - 1
    yield Case(name, OPS[op].kernel, sizes, args, {last: want}, {last: bound})
    at = len(lead) + out_of
    yield Case(f"{name} in place", OPS[op].kernel, sizes, [*lead, *ins, Alias(at)], {at: want}, {at: bound})


def elementwise(rng: np.random.Generator) -> Iterator[Case]:
    for n in (1, 7, 8, 33, 64, 131):
        sizes = {"count": n}
        x, dy = 2 * _f32(rng, (n,)), _f32(rng, (n,))
        for op, f in (("sigmoid", lambda v: 1 / (1 + np.exp(-v))), ("tanh", np.tanh)):
            y = real(f(x.astype(np.float64)))
            yield from _elementwise(op, sizes, [], {}, [x], 0, 4e-7 * np.abs(y), f"{op} {n}")
            yield from _elementwise(f"{op}_bwd", sizes, [], {}, [y, dy], 1, 4e-7 * np.abs(dy), f"{op}_bwd {n}")
        yield from _elementwise("add", sizes, [], {}, [x, dy], 0, 1e-7 * (np.abs(x) + np.abs(dy)), f"add {n}")
        yield Case(f"zero {n}", "zero_fwd", sizes, [n, x], {1: np.zeros(n)})
        t = _f32(rng, (n,))
        want = OPS["mse"].compute({}, *_f64([x, t]))
        args = [n, x, t, np.zeros(1, np.float32)]
        yield Case(f"mse {n}", "mse_fwd", sizes, args, {3: want[0]}, {3: EPS * want[0]})
        size = 4e-7 * (np.abs(x) + np.abs(t)) / n
        yield from _elementwise("mse_bwd", sizes, [0.5], {"scale": 0.5}, [x, t], 0, size, f"mse_bwd {n}")


def _pack(mask: np.ndarray) -> np.ndarray:
    return np.packbits(mask, bitorder="little")


def activations(rng: np.random.Generator) -> Iterator[Case]:
    for n in (1, 8, 31, 32, 33, 100):
        for slope, limit in ((0.0, np.inf), (0.0, 6.0), (0.125, np.inf)):
            x = 4 * _f32(rng, (n,))
            some = x[:: max(1, n // 6)]
            some[:] = np.resize(np.float32([0, -0.0, 6, np.nan, -np.nan, np.inf, -np.inf]), len(some))
            sizes, attrs, name = {"count": n}, {"slope": slope, "max": np.float32(limit)}, f"relu {n} {slope} {limit}"
            with np.errstate(invalid="ignore"):
                y, mask = OPS["relu"].compute(attrs, x)
            for target, at in ((np.full(n, 7, np.float32), 4), (Alias(3), 3)):
                args = [n, slope, limit, x, target, np.full((n + 7) // 8, 255, np.uint8)]
                yield Case(name, "relu_fwd", sizes, args, {at: y, 5: _pack(mask)}, {at: 1e-7 * np.abs(y)})
                yield Case(f"{name} no mask", "relu_fwd", sizes, [*args[:5], None], {at: y}, {at: 1e-7 * np.abs(y)})
            dy = _f32(rng, (n,))
            (dx,) = OPS["relu_bwd"].compute(attrs, dy, mask)
            for target, at in ((np.full(n, 7, np.float32), 4), (Alias(2), 2)):
                args = [n, slope, dy, _pack(mask), target]
                yield Case(f"{name} bwd", "relu_bwd", sizes, args, {at: dx}, {at: 1e-7 * np.abs(dx)})
    for rows, channels in ((1, 1), (1, 7), (5, 3), (2, 33)):
        sizes = {"rows": rows, "channels": channels}
        x, dy = 5 * _f32(rng, (rows, channels)), _f32(rng, (rows, channels))
        x[0, 0] = 300  # exp would overflow
        for op in ("softmax", "log_softmax"):
            y = OPS[op].compute({}, x.astype(np.float64))[0]
            near = np.abs(x.astype(np.float64) - x.max(axis=-1, keepdims=True))
            bound = 1e-6 * (np.abs(y) * (1 + near) + (op == "log_softmax")) + 1e-44  # rounding of x - max grows with it
            yield from _elementwise(op, sizes, [], {}, [x], 0, bound, f"{op} {rows}x{channels}")
            y = real(y)
            size = EPS * (np.abs(dy) + np.abs(dy).sum(axis=-1, keepdims=True))
            yield from _elementwise(f"{op}_bwd", sizes, [], {}, [y, dy], 1, size, f"{op}_bwd {rows}x{channels}")


def windows(rng: np.random.Generator) -> Iterator[Case]:
    for name, (h, w, c, kernel, stride, pads) in POOLS.items():
        for count_pad in (False, True):
            attrs = {"kernel": kernel, "stride": stride, "pads": pads, "count_pad": count_pad, "x_shape": (h, w, c)}
            (y_shape,) = OPS["avg_pool2d"].infer(attrs, [(h, w, c)])
            sizes = OPS["avg_pool2d"].sizes(attrs, [(h, w, c)], [y_shape])
            x, dy = _f32(rng, (h, w, c)), _f32(rng, y_shape)
            yield _linear("avg_pool2d", attrs, [x], sizes, None, f"avg_pool2d {name}", rng)
            yield _linear("avg_pool2d_bwd", attrs, [dy], sizes, None, f"avg_pool2d_bwd {name}", rng)
        x = np.round(2 * x)  # ties
        x.flat[0] = -np.inf
        x.flat[-1] = np.nan
        y, winner = OPS["max_pool2d"].compute(attrs, x)
        args = [sizes, x, np.zeros_like(y), np.full(y.shape, 255, np.uint8)]
        yield Case(f"max_pool2d {name}", "max_pool2d_fwd", sizes, args, {2: y, 3: winner})
        yield Case(f"max_pool2d {name} alone", "max_pool2d_fwd", sizes, [*args[:3], None], {2: y})
        (dx,) = OPS["max_pool2d_bwd"].compute(attrs, dy.astype(np.float64), winner)
        args = [sizes, dy, winner, np.full(x.shape, 7, np.float32)]
        yield Case(f"max_pool2d_bwd {name}", "max_pool2d_bwd", sizes, args, {3: dx}, {3: EPS * np.abs(dx) + EPS})
    for pads, shape in (((1, 2, 3, 0), (3, 4, 5)), ((0, 0, 0, 0), (2, 2, 2)), ((0, 3, 0, 1), (1, 7, 3))):
        attrs = {"pads": pads, "value": -1.5, "x_shape": shape}
        x = _f32(rng, shape)
        (y,) = OPS["pad"].compute(attrs, x)
        sizes = OPS["pad"].sizes(attrs, [shape], [y.shape])
        yield Case(f"pad {pads}", "pad_fwd", sizes, [sizes, -1.5, x, np.zeros_like(y)], {3: y})
        dy = _f32(rng, y.shape)
        (dx,) = OPS["pad_bwd"].compute(attrs, dy)
        yield Case(f"pad_bwd {pads}", "pad_bwd", sizes, [sizes, dy, np.zeros(shape, np.float32)], {2: dx})
    crop = {"in_h": 5, "in_w": 6, "channels": 2, "top": -1, "left": -2, "bottom": 1, "right": -1}
    x, y = _f32(rng, (5, 6, 2)), np.full((5, 3, 2), 9, np.float32)
    y[:4] = x[1:, 2:5]
    yield Case("pad crops", "pad_fwd", crop, [crop, 9.0, x, np.zeros_like(y)], {3: y})
    dx = np.zeros_like(x)
    dx[1:, 2:5] = y[:4]
    yield Case("pad_bwd crops", "pad_bwd", crop, [crop, y, np.full_like(x, 7)], {2: dx})
    for perm in ((2, 0, 1), (1, 0, 2), (0, 1, 2), (2, 1, 0)):
        x = _f32(rng, (3, 4, 5))
        (y,) = OPS["transpose"].compute({"perm": perm}, x)
        sizes = OPS["transpose"].sizes({"perm": perm}, [x.shape], [y.shape])
        yield Case(f"transpose {perm}", "transpose_fwd", sizes, [sizes, x, np.zeros_like(y)], {2: y})


def all_cases() -> list[Case]:
    """Every case, always with the same numbers."""
    from tests.support import (
        kernel_cases_f16,
        kernel_cases_latents,
        kernel_cases_pam,
        kernel_cases_recurrent,
        kernel_cases_s8,
        kernel_cases_shift,
    )
    from tests.support.kernel_cases_steps import losses, optimizers
    from tests.support.kernel_cases_wide import FAMILIES

    rng = np.random.default_rng(20)
    real_numbers = (convolutions, products, elementwise, activations, windows, *FAMILIES, *kernel_cases_shift.FAMILIES)
    integers = (*kernel_cases_s8.FAMILIES, *kernel_cases_shift.INTEGER_FAMILIES)
    others = (losses, optimizers, *integers, *kernel_cases_recurrent.FAMILIES, *kernel_cases_latents.FAMILIES)
    cases = [case for family in (*real_numbers, *others) for case in family(rng)]
    affine = kernel_cases_pam.all_cases((*real_numbers, optimizers))
    return cases + kernel_cases_f16.all_cases(real_numbers) + affine
