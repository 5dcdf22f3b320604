"""The runs that firmware/kernels/rvv/runs.h cuts a depthwise convolution into: what its instructions grow with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from edgelearn.kernels.base import Sizes

RUN, TAPS, MOST = 4, 3, 4  # outputs of a run, taps of a group; registers of a strip of channels
LANES = (4, 8, 16)  # elements of a register: floats or halves, of 128 bits or 256

NAMES = ("whole runs", "whole rows", "whole groups", "other runs", "other rows", "other groups", "loads", "products",
         "stores", "sets")  # fmt: skip

Counts = Counter[str]


@dataclass(frozen=True)
class _Axis:
    """A convolution along one axis: el_axis."""

    size: int
    out: int
    k: int
    stride: int
    pad: int


def _axis(s: Sizes, name: str, pad: str) -> _Axis:
    return _Axis(s[f"in_{name}"], s[f"out_{name}"], s[f"k_{name}"], s[f"stride_{name}"], s[pad])


def _phases(a: _Axis) -> Iterator[_Axis]:
    """The convolutions that the gradient of x consists of: el_dw_phase()."""
    for phase in range(min(a.stride, a.size)):
        at, tap = divmod(phase + a.pad, a.stride)
        taps = len(range(tap, a.k, a.stride))
        yield _Axis(a.out, -(-(a.size - phase) // a.stride), taps, 1, taps - 1 - at)


def _sides(down: _Axis, right: _Axis) -> tuple[_Axis, _Axis]:
    """The axis that runs go along, and the other one: el_dw_turned()."""
    whole_a, whole_b = (-(-a.out // RUN) * RUN for a in (right, down))
    return (down, right) if whole_b * right.out < whole_a * down.out else (right, down)


def _run(c: Counts, first: int, end: int, k: int, stride: int, rows: int) -> None:
    """A run on `rows` rows whose inputs [first, end) are inside the map."""
    whole = k == TAPS and (first, end) == (0, (RUN - 1) * stride + TAPS)
    kind = "whole" if whole else "other"
    c[f"{kind} runs"] += 1
    c[f"{kind} rows"] += rows
    at = 0
    while at < k:
        taps = TAPS if k - at >= TAPS else 1
        inside = range(max(first - at, 0), min(end - at, (RUN - 1) * stride + taps))
        c[f"{kind} groups"] += rows
        c["loads"] += rows * (len(inside) + taps)
        c["products"] += rows * sum(0 <= i - j * stride < taps for i in inside for j in range(RUN))
        at += taps


def _map(c: Counts, down: _Axis, right: _Axis) -> None:
    a, b = _sides(down, right)
    rows = [max(0, min(b.k, b.size - i) - max(-i, 0)) for i in range(-b.pad, b.out * b.stride - b.pad, b.stride)]
    for taps in rows:
        for oa in range(0, a.out, RUN):
            start = oa * a.stride - a.pad
            outputs = min(RUN, a.out - oa)
            end = min(a.size - start, (outputs - 1) * a.stride + a.k)
            _run(c, max(-start, 0), end, a.k, a.stride, taps)
            c["stores"] += outputs


def _taps(c: Counts, down: _Axis, right: _Axis) -> None:
    """The gradient of w, some taps of a row at a time."""
    a, b = _sides(down, right)
    for row in range(b.k):
        low = -(-max(b.pad - row, 0) // b.stride)
        reach = b.size - 1 + b.pad - row
        rows = 0 if reach < 0 else max(min(reach // b.stride + 1, b.out) - low, 0)
        at = 0
        while at < a.k:
            taps = TAPS if a.k - at >= TAPS else 1
            pad = a.pad - at
            lead = -(-max(pad, 0) // (RUN * a.stride)) * RUN
            inside = a.size + pad - taps
            full = 0 if inside < 0 else min(inside // a.stride + 1, a.out) // RUN * RUN
            whole = max(full - lead, 0) // RUN
            blocks = -(-a.out // RUN)
            reads = (RUN - 1) * a.stride + taps
            c["sets"] += 1
            c["whole runs"] += rows * whole
            c["other runs"] += rows * (blocks - whole)
            c["whole rows"] += rows
            c["loads"] += rows * blocks * (reads + RUN)
            c["products"] += rows * blocks * RUN * taps
            at += taps


def runs(step: str, s: Sizes) -> dict[str, float]:
    """Of one call, by name, for each count of lanes; products as often as a strip has registers too."""
    down, right, c = _axis(s, "h", "pad_top"), _axis(s, "w", "pad_left"), Counts(dict.fromkeys(NAMES, 0))
    if step.endswith("bwd_w"):
        _taps(c, down, right)
    elif step.endswith("bwd_x"):
        for v in _phases(down):
            for h in _phases(right):
                _map(c, v, h)
    else:
        _map(c, down, right)
    found = {"1": 1.0}
    for lanes in LANES:
        registers = -(-s["in_c"] // lanes)
        group = registers if registers < 3 else MOST
        strips = -(-registers // group)
        for name, value in c.items():
            found[f"{lanes} {name}"] = float(value * strips)
            found[f"{lanes} {name}*registers"] = float(value * strips * group)
    return found
