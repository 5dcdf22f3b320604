"""How far results of half-precision kernels are from float64, beside what sums in half precision would give: a table of
docs/FP16.md.

The error is that of the worst element, relative to the largest element of the result. Sums in half precision are
simulated: each product is rounded, and the running sum after each term.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgelearn.ops import OPS
from tools.bench import probe

MAP, CHANNELS, KERNEL = (32, 32), 16, (3, 3)
Attrs = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One kernel on one shape: `terms` (K, outputs...) are what each element of the result is the sum of."""

    op: str
    what: str
    attrs: Attrs
    inputs: tuple[np.ndarray, ...]
    terms: np.ndarray | None = None


@dataclass(frozen=True)
class Errors:
    """Errors of the kernel, and of sums in half precision where it sums."""

    op: str
    what: str
    kernel: float
    half_sums: float | None


def _halves(*shape: int, scale: float = 1.0) -> np.ndarray:
    return (scale * np.random.default_rng(sum(shape)).normal(size=shape)).astype(np.float16)


def _windows(x: np.ndarray) -> np.ndarray:
    """The 3x3 windows of a map, padded by one: (positions, elements)."""
    wide = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    h, w = x.shape[:2]
    return np.stack([wide[i : i + h, j : j + w].reshape(h * w, -1) for i in range(3) for j in range(3)], 1).reshape(
        h * w, -1
    )


def rows() -> Iterator[Row]:
    """The kernels that sum most, and some that do not."""
    x, dy = np.abs(_halves(*MAP, CHANNELS)), _halves(*MAP, CHANNELS, scale=0.1)
    w = _halves(CHANNELS, *KERNEL, CHANNELS, scale=0.1)
    window = {"kernel": KERNEL, "stride": (1, 1), "pads": (1, 1, 1, 1), "groups": 1, "x_shape": x.shape}
    patches, flat = _windows(x), w.reshape(CHANNELS, -1)
    yield Row("conv2d", "sums of 144", window, (x, w), (patches[:, None] * flat[None]).transpose(2, 0, 1))
    weights = patches.reshape(len(patches), 1, -1) * dy.reshape(len(patches), CHANNELS, 1)
    yield Row("conv2d_bwd_w", "sums of 1,024", window, (x, dy), weights)
    yield Row("conv2d_bwd_x", "sums of 144", window, (dy, w))
    long, matrix = _halves(1152), _halves(10, 1152, scale=0.03)
    yield Row("dense", "sums of 1,152", {}, (long, matrix), (matrix * long).T)
    same = np.full((5000, 4), 0.37, np.float16)
    yield Row("bias_bwd", "sums of 5,000 times 0.37", {}, (same,), same)
    yield Row("avg_pool2d", "means of 1,024", {**window, "kernel": MAP, "pads": (0, 0, 0, 0), "count_pad": False}, (x,),
              x.reshape(-1, CHANNELS))  # fmt: skip
    gamma, beta = _halves(CHANNELS), _halves(CHANNELS)
    yield Row("layer_norm", "1,024 rows of 16", {"epsilon": 1e-5}, (x.reshape(-1, CHANNELS), gamma, beta))
    yield Row("relu", "16,384", {"slope": 0.1, "max": np.inf}, (dy,))
    yield Row("sigmoid", "16,384", {}, (dy,))


def _relative(got: np.ndarray, truth: np.ndarray) -> float:
    return float(np.abs(got.reshape(truth.shape).astype(np.float64) - truth).max() / np.abs(truth).max())


def _summed(terms: np.ndarray) -> np.ndarray:
    """The sum over the first axis with a running sum in half precision."""
    total = np.zeros(terms.shape[1:], np.float16)
    for term in terms.astype(np.float16):
        total = total + term
    return total


def _call(row: Row, truth: np.ndarray) -> tuple[str, list[Any], int]:
    op = OPS[f"{row.op}_f16"]
    shapes = [a.shape for a in row.inputs]
    sizes = op.sizes(row.attrs, shapes, [truth.shape])
    lead: list[Any] = [sizes] if op.struct else list(sizes.values())
    lead += op.scalars(row.attrs).values()
    lead += [1.0] if op.kind.value == "accumulate" else []
    operands: list[Any] = list(row.inputs)
    symbol = f"el_{op.kernel}_f16__ref"
    more = len(probe.signatures()[symbol]) - len(lead) - len(operands) - 1
    if op.kernel == "relu_fwd":
        return symbol, [*lead, *operands, np.zeros(truth.shape, np.float16), None], len(lead) + len(operands)
    arguments = [*lead, *operands, *([None] * more), np.zeros(truth.shape, np.float16)]
    return symbol, arguments, len(arguments) - 1


def measure() -> list[Errors]:
    """The errors of every row, on this computer."""
    chosen = list(rows())
    truths = [OPS[r.op].compute(r.attrs, *(a.astype(np.float64) for a in r.inputs))[0] for r in chosen]
    calls = [_call(row, truth) for row, truth in zip(chosen, truths, strict=True)]
    results = probe.run("host", [(symbol, arguments) for symbol, arguments, _ in calls])
    found = []
    for row, truth, result, (*_, at) in zip(chosen, truths, results, calls, strict=True):
        half = None
        if row.terms is not None:
            count = len(row.terms) if row.op == "avg_pool2d" else 1
            half = _relative(_summed(row.terms) / np.float16(count), truth)
        found.append(Errors(row.op, row.what, _relative(result.arrays[at], truth), half))
    return found


def main() -> None:
    print("| kernel | what | error | with sums in fp16 |\n|---|---|---|---|")
    for e in measure():
        print(f"| {e.op} | {e.what} | {e.kernel:.1e} | {'' if e.half_sums is None else f'{e.half_sums:.1e}'} |")


if __name__ == "__main__":
    main()
