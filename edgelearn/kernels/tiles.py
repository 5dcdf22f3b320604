"""The tiles that firmware/kernels/rvv cuts a convolution into: what its instructions grow with.

Numbers of a call, by name, for each count of lanes that a register may have: terms of tiles, weighed with rows and with
registers, beginnings of sums, tiles and their rows. They repeat the loops of regions.h, planes.h and weights.h.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator

from edgelearn.kernels.base import Sizes
from edgelearn.kernels.planes import Planes, planes_of

PANEL, BLOCK, LONGEST = 128, 8192, 64  # bytes of a row, of a block; terms of halves
FULL = PANEL // 2  # halves of a row
HEIGHTS = {1: 7, 2: 7, 4: 7, 8: 3}  # rows of a tile, at most, by the registers of a row
SIZES = {"f32": 4, "f16": 2}
REGISTERS = (16, 32)  # bytes of one
MOST_TERMS = {"f32": 2**31 - 1, "f16": 72}

NAMES = (
    "terms", "terms*rows", "terms*rows*registers", "begins", "begins*rows", "tiles", "tiles*rows",
    "tiles*rows*registers", "runs", "regions", "lines", "line elements", "phases", "nothing", "ends", "drains",
    "drained", "updated", "taps", "packed",
)  # fmt: skip

Counts = Counter[str]


def _ceil(a: int, b: int) -> int:
    return -(-a // b)


def _groups(columns: int, width: int, lanes: int) -> Iterator[tuple[int, int]]:
    """(columns, registers) of each group: el_columns_next()."""
    at = 0
    while at < columns:
        left = min(width - at % width, columns - at)
        registers = _ceil(left, lanes)
        group = 8 if registers > 6 else 4 if registers > 2 else registers
        yield min(left, lanes * group), group
        at += min(left, lanes * group)


def _heights(rows: int, most: int) -> Iterator[tuple[int, int]]:
    """(height, how many) of the tiles of so many rows: el_tile_height()."""
    whole = max(rows // most - 1, rows // most if rows % most == 0 else 0)
    if whole:
        yield most, whole
    left = rows - whole * most
    while left:
        height = (left + 1) // 2 if left > most else left
        yield height, 1
        left -= height


def _alike(start: int, step: int, size: int, tap: int, taps: int, count: int) -> list[tuple[int, int]]:
    """(positions, taps inside the map) of each run of an axis whose positions meet the same taps."""
    met = []
    for i in range(count):
        at = start + i * step
        low, high = (max(-at, 0), min(taps, size - at)) if tap > 0 else (max(at - size + 1, 0), min(taps, at + 1))
        met.append((low, max(high, low)))
    return [(len(list(run)), high - low) for (low, high), run in itertools.groupby(met)]


def _tiles(c: Counts, lines: int, rows: int, group: tuple[int, int], terms: int, begins: int, blocks: int) -> None:
    """Tiles of `rows` rows on each of `lines` lines; a sum begins so often, in so many blocks."""
    _, registers = group
    for height, many in _heights(rows, HEIGHTS[registers]):
        tiles = lines * many
        c["terms"] += tiles * terms
        c["terms*rows"] += tiles * terms * height
        c["terms*rows*registers"] += tiles * terms * height * registers
        c["begins"] += tiles * begins
        c["begins*rows"] += tiles * begins * height
        c["tiles"] += tiles * blocks
        c["tiles*rows"] += tiles * blocks * height
        c["tiles*rows*registers"] += tiles * blocks * height * registers
    c["runs"] += lines * blocks


def _product(c: Counts, v: list[tuple[int, int]], h: list[tuple[int, int]], depth: int, columns: int, whole: bool,
             fmt: str, lanes: int) -> None:  # fmt: skip
    """regions.h: positions of both axes that meet the same taps; of rows that are `whole` taps are contiguous."""
    size = SIZES[fmt]
    full = PANEL // size
    width = next(w for w in (full // 4, full // 2, full) if w >= min(columns, full))
    groups = list(_groups(columns, width, lanes))
    height = HEIGHTS[groups[0][1]]
    total = max(t for _, t in v) * max(t for _, t in h) * depth
    blocks = _ceil(total, min(BLOCK // (width * size), MOST_TERMS[fmt])) if total else 1
    for rows, taps_h in v:
        for along, taps_w in h:
            terms = taps_h * taps_w * depth
            pieces = taps_h if whole else taps_h * taps_w
            turned = along * _ceil(rows, height) < rows * _ceil(along, height)
            lines, length = (along, rows) if turned else (rows, along)
            times = _ceil(blocks * terms, total) if total else 1
            c["regions"] += blocks
            for group in groups:
                _tiles(c, lines, length, group, terms, pieces + times - 1, times)


def _planes(c: Counts, p: Planes, lanes: int) -> None:
    """planes.h: rows of a tile are channels of what is written, columns positions of a strip."""
    taps, blocks = p.k_h * p.k_w, _ceil(p.depth, p.some)
    most = HEIGHTS[next(_groups(FULL, FULL, lanes))[1]]
    for rows, n, strips in p.strips():
        registers = _ceil(rows * n, lanes)
        group = 8 if registers > 4 else 4 if registers > 2 else registers
        for height, many in _heights(p.columns, most):
            tiles = strips * many
            c["terms"] += tiles * p.depth * taps
            c["terms*rows"] += tiles * p.depth * taps * height
            c["terms*rows*registers"] += tiles * p.depth * taps * height * group
            c["begins"] += tiles * blocks * p.k_h
            c["tiles"] += tiles * blocks
            c["tiles*rows"] += tiles * blocks * height
            c["tiles*rows*registers"] += tiles * blocks * height * group
        c["lines"] += strips * blocks
        c["line elements"] += strips * p.depth * p.k_w * _ceil((rows + p.k_h - 1) * n, 8 * lanes)
    c["packed"] += p.columns * taps * blocks


def _forward(s: Sizes, c: Counts, fmt: str, lanes: int) -> None:
    ci, co = s["in_c"] // s["groups"], s["out_c"] // s["groups"]
    v = _alike(-s["pad_top"], s["stride_h"], s["in_h"], 1, s["k_h"], s["out_h"])
    h = _alike(-s["pad_left"], s["stride_w"], s["in_w"], 1, s["k_w"], s["out_w"])
    if _flat(s):
        v, h = [(1, 1)], [(s["out_h"] * s["out_w"], 1)]
    if fmt == "f16" and (planes := planes_of("conv2d_fwd", s, FULL)):
        _planes(c, planes, lanes)
    else:
        _product(c, v, h, ci, co, ci == s["in_pitch"], fmt, lanes)


def _phases(s: Sizes, axis: str, pad: str) -> Iterator[list[tuple[int, int]]]:
    stride = s[f"stride_{axis}"]
    for first in range(min(stride, s[f"in_{axis}"])):
        out, tap = divmod(first + s[pad], stride)
        taps = len(range(tap, s[f"k_{axis}"], stride))
        yield _alike(out, 1, s[f"out_{axis}"], -1, taps, len(range(first, s[f"in_{axis}"], stride)))


def _backward_x(s: Sizes, c: Counts, fmt: str, lanes: int) -> None:
    ci, co = s["in_c"] // s["groups"], s["out_c"] // s["groups"]
    if fmt == "f16" and (planes := planes_of("conv2d_bwd_x", s, FULL)):
        _planes(c, planes, lanes)
        return
    for v in _phases(s, "h", "pad_top"):
        for h in _phases(s, "w", "pad_left"):
            c["phases"] += 1
            if _flat(s):
                v, h = [(1, 1)], [(s["in_h"] * s["in_w"], 1)]
            if max(t for _, t in v) and max(t for _, t in h):
                _product(c, v, h, co, ci, co == s["out_pitch"], fmt, lanes)
            else:
                c["nothing"] += sum(n for n, _ in v) * sum(n for n, _ in h) * ci


def _flat(s: Sizes) -> bool:
    strides, pads = (s["stride_h"], s["stride_w"]), (s["pad_top"], s["pad_left"])
    ones = (s["k_h"], s["k_w"], *strides, *pads) == (1, 1, 1, 1, 0, 0)
    return ones and (s["in_h"], s["in_w"]) == (s["out_h"], s["out_w"])


def _reach(k: int, pad: int, stride: int, size: int, out: int) -> tuple[int, int]:
    """The first output whose tap k is inside the map, and the end."""
    first, last = _ceil(max(pad - k, 0), stride), size - 1 + pad - k
    return first, max(first, min(last // stride + 1, out) if last >= 0 else 0)


def _beats(rows: int, columns: int, full: int, lanes: int) -> int:
    """el_term_beats()"""
    return sum(
        4 * rows * registers + 4 * rows + 13 * _ceil(rows, HEIGHTS[registers])
        for _, registers in _groups(columns, full, lanes)
    )


def _rectangle(c: Counts, high: int, wide: int, outputs: int, inputs: int, fmt: str, lanes: int,
               joined: int = 1) -> None:  # fmt: skip
    """weights.h: a tap at so many outputs, or `joined` taps at one element of x."""
    if high <= 0 or wide <= 0:
        return
    full = PANEL // SIZES[fmt]
    turned = joined > 1 or _beats(inputs, outputs, full, lanes) < _beats(outputs, inputs, full, lanes)
    rows, columns = (inputs, joined * outputs) if turned else (outputs, inputs)
    lines, count = sorted((high, wide))
    some = min(count, LONGEST if fmt == "f16" else count)
    times = _ceil(count, some)
    chunks = times * _ceil(lines, max(1, LONGEST // some) if fmt == "f16" else lines)
    for group in _groups(columns, full, lanes):
        _tiles(c, 1, rows, group, lines * count, chunks, 1)
        for height, many in _heights(rows, HEIGHTS[group[1]]):
            c["ends"] += many * lines * times
            c["drains"] += many * max(chunks - 2, 0)
            c["drained"] += many * max(chunks - 2, 0) * height * group[1]
            c["updated"] += many * height * group[0]
    c["taps"] += 1


def _joint(s: Sizes, ci: int, co: int, fmt: str) -> tuple[int, int]:
    """el_joint_of(): taps that are taken together at an output, at an element of x."""
    whole = s["groups"] == 1 and s["in_pitch"] == ci and s["out_pitch"] == co
    if fmt != "f16" or s["stride_w"] != 1 or not whole or min(ci, co) < FULL // 8:
        return 1, 1

    def beats(x: int, y: int) -> int:
        total = 0
        for k in range(0, s["k_w"], x * y):
            inputs, outputs = min(x, s["k_w"] - k) * ci, min(y, s["k_w"] - k) * co
            turned = _beats(inputs, outputs, FULL, FULL // 8)
            straight = turned if outputs > co else _beats(co, inputs, FULL, FULL // 8)
            total += min(straight, turned)
        return total

    taps = range(2, s["k_w"] + 1)
    x = [(n, 1) for n in taps if n * ci <= FULL]
    y = [(1, n) for n in taps if n * co <= FULL]
    return min(
        [(1, 1), *(joint for n in taps for joint in (*x, *y) if max(joint) == n)], key=lambda joint: beats(*joint)
    )


def _joined(c: Counts, s: Sizes, high: int, first: int, taps: int, turned: int, ci: int, co: int, lanes: int) -> None:
    """el_joined(): taps of a window row, and each at the outputs that not all of them meet."""
    ends = [_reach(k, s["pad_left"], 1, s["in_w"], s["out_w"]) for k in range(first, first + taps)]
    begin, end = ends[-1 if turned else 0][0], ends[-1][1]
    stop = max(begin, min(end, s["out_w"] - taps + 1) if turned else end)
    _rectangle(c, high, stop - begin, co, ci if turned else taps * ci, "f16", lanes, taps if turned else 1)
    for back, (low, top) in enumerate(reversed(ends)):
        off = back * turned
        _rectangle(c, high, min(begin + off, top) - low, co, ci, "f16", lanes)
        _rectangle(c, high, top - max(stop + off, low), co, ci, "f16", lanes)


def _backward_w(s: Sizes, c: Counts, fmt: str, lanes: int) -> None:
    ci, co = s["in_c"] // s["groups"], s["out_c"] // s["groups"]
    if _flat(s):
        _rectangle(c, 1, s["out_h"] * s["out_w"], co, ci, fmt, lanes)
        return
    x, y = _joint(s, ci, co, fmt)
    for ky in range(s["k_h"]):
        top, bottom = _reach(ky, s["pad_top"], s["stride_h"], s["in_h"], s["out_h"])
        for kx in range(0, s["k_w"], x * y):
            taps = min(x * y, s["k_w"] - kx)
            if taps > 1:
                _joined(c, s, bottom - top, kx, taps, int(y > 1), ci, co, lanes)
            else:
                low, high = _reach(kx, s["pad_left"], s["stride_w"], s["in_w"], s["out_w"])
                _rectangle(c, bottom - top, high - low, co, ci, fmt, lanes)


_STEPS = {"conv2d_fwd": _forward, "conv2d_bwd_x": _backward_x, "conv2d_bwd_w": _backward_w}


def tiles(step: str, s: Sizes, fmt: str) -> dict[str, float]:
    """Of one call, for both lengths of vectors: {"16 terms": ..., "32 terms": ...}; none of other steps."""
    found: dict[str, float] = {}
    for register in REGISTERS if step in _STEPS else ():
        counts: Counts = Counter(dict.fromkeys(NAMES, 0))
        _STEPS[step](s, counts, fmt, register // SIZES[fmt])
        found |= {f"{register} {name}": float(n * s["groups"]) for name, n in counts.items()}
    return found
