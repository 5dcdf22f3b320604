"""Calls of kernels whose products are piecewise affine: those of float32 with another truth, and exact derivatives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from edgelearn import kernels
from edgelearn.formats import PAM
from edgelearn.ops import OPS, Kind
from edgelearn.ops.pam import SUFFIX
from tests.support import kernel_cases, kernel_cases_steps, kernel_cases_wide
from tests.support.kernel_cases import DEPTHWISE, EPS, WINDOWS, Case
from tests.support.kernel_numbers import real
from tools.bench.probe import Alias

Family = Callable[[np.random.Generator], Iterator[Case]]
MODULES = (kernel_cases, kernel_cases_steps, kernel_cases_wide)  # that make the cases


@contextmanager
def _truths() -> Iterator[None]:
    """Cases that are made here have the truth of piecewise affine products, where there are such."""
    plain = {name: OPS.get(f"{name}{SUFFIX}", op) for name, op in OPS.items()}
    for module in MODULES:
        module.OPS = plain
    try:
        yield
    finally:
        for module in MODULES:
            module.OPS = OPS


def all_cases(families: Sequence[Family]) -> list[Case]:
    """Every case; `families` are those of float32."""
    rng = np.random.default_rng(23)
    with _truths():
        same = [case for family in families for case in family(rng)]
    found = [case for case in same if kernels.find(case.step, PAM.name, kernels.REF)]
    return [*(replace(c, name=f"{c.name}, affine", fmt=PAM.name) for c in found), *exact(rng)]


def exact(rng: np.random.Generator) -> Iterator[Case]:
    """Of all layers and shapes; a gradient of weights into its buffer, and into the weights themselves."""
    for name, (h, w, c, co, kernel, stride, pads, groups) in WINDOWS.items():
        attrs = {"kernel": kernel, "stride": stride, "pads": pads, "groups": groups}
        yield from _layer("conv2d", name, attrs, (h, w, c), (co, *kernel, c // groups), rng)
    for name, (h, w, c, kernel, stride, pads, multiplier) in DEPTHWISE.items():
        attrs = {"kernel": kernel, "stride": stride, "pads": pads, "multiplier": multiplier}
        yield from _layer("depthwise_conv2d", name, attrs, (h, w, c), (*kernel, c * multiplier), rng)
    for n, m in ((7, 5), (33, 10), (1, 1), (130, 3)):
        yield from _layer("dense", f"{n} {m}", {}, (n,), (m, n), rng)


def _layer(op: str, name: str, attrs: dict[str, Any], shape: tuple[int, ...], weights: tuple[int, ...],
           rng: np.random.Generator) -> Iterator[Case]:  # fmt: skip
    x, w = real(rng.normal(size=shape)), real(rng.normal(size=weights))
    (y,) = OPS[op].infer(attrs, [shape, weights])
    dy = real(rng.normal(size=y))
    for step, ins in ((f"{op}_exact_bwd_x{SUFFIX}", [dy, w, x]), (f"{op}_exact_bwd_w{SUFFIX}", [x, dy, w])):
        yield from _gradient(step, f"{step} {name}", attrs, ins, rng)


def _gradient(step: str, name: str, attrs: dict[str, Any], ins: list[np.ndarray],
              rng: np.random.Generator) -> Iterator[Case]:  # fmt: skip
    op = OPS[step]
    wide = [a.astype(np.float64) for a in ins]
    (want,) = op.compute(attrs, *wide)
    (size,) = op.compute(attrs, *map(np.abs, wide))
    sizes = op.sizes(attrs, [a.shape for a in ins], [want.shape])
    lead: list[Any] = [sizes] if op.struct else list(sizes.values())
    if op.kind is not Kind.ACCUMULATE:
        args = [*lead, *ins, np.full(want.shape, 7, np.float32)]
        yield Case(name, op.kernel, sizes, args, {len(args) - 1: want}, {len(args) - 1: EPS * size}, fmt=PAM.name)
        return
    for scale, start in ((0.75, real(rng.normal(size=want.shape))), (-0.01, ins[2])):
        total = np.asarray(start.astype(np.float64) + np.float64(np.float32(scale)) * want)
        bound = np.asarray(EPS * (np.abs(start) + abs(scale) * size))
        out = Alias(len(lead) + 3) if start is ins[2] else start
        args = [*lead, scale, *ins, out]
        at = len(lead) + 3 if start is ins[2] else len(args) - 1
        yield Case(f"{name} {scale}", op.kernel, sizes, args, {at: total}, {at: bound}, fmt=PAM.name)
