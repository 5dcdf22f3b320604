"""The tiles that firmware/kernels/rvv cuts a convolution into: what its instructions grow with.

Numbers of a call, by name, for each count of lanes that a register may have: terms of tiles, weighed with rows and with
registers, beginnings of sums, tiles and their rows. They repeat the loops of regions.h, scatter.h and weights.h.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator

from edgelearn.kernels.base import Sizes

PANEL, BLOCK, SCATTERED, LONGEST = (
    128,
    8192,
    6144,
    64,
)  # bytes of a row, of a block, of a scattered one; terms of halves
HEIGHTS = {1: 7, 2: 7, 4: 7, 8: 3}  # rows of a tile, at most, by the registers of a row
SIZES = {"f32": 4, "f16": 2}
REGISTERS = (16, 32)  # bytes of one
MOST_TERMS = {"f32": 2**31 - 1, "f16": 72}

NAMES = (
    "terms", "terms*rows", "terms*rows*registers", "begins", "begins*rows", "tiles", "tiles*rows",
    "tiles*rows*registers", "runs", "regions", "lines", "line elements", "phases", "nothing", "ends", "drains",
    "drained", "updated", "taps",
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


def _scatter(c: Counts, rows: list[tuple[int, int]], read: int, wide: int, taps: int, depth: int, columns: int,
             lanes: int) -> None:  # fmt: skip
    """scatter.h: rows of a tile are positions that are read."""
    width = taps * columns
    total = max(t for _, t in rows) * depth
    blocks = _ceil(total, min(SCATTERED // (2 * width), MOST_TERMS["f16"])) if total else 1
    for lines, taps_h in rows:
        times = _ceil(blocks * taps_h * depth, total) if total else 1
        for group in _groups(width, PANEL // 4, lanes):
            _tiles(c, lines, read, group, taps_h * depth, taps_h + times - 1, times)
        c["lines"] += lines * blocks
        c["line elements"] += lines * blocks * wide * columns


def scatters(s: Sizes, columns: int, depth: int) -> bool:
    """Whether taps of a window row are columns, in halves: el_scatters()."""
    whole = s["groups"] == 1 and s["in_pitch"] == s["in_c"] and s["out_pitch"] == s["out_c"]
    narrow = 2 * columns <= PANEL // 4 and 2 * columns * s["k_w"] <= PANEL
    return whole and narrow and depth >= 8 and s["stride_w"] == 1 and s["k_w"] > 1


def _forward(s: Sizes, c: Counts, fmt: str, lanes: int) -> None:
    ci, co = s["in_c"] // s["groups"], s["out_c"] // s["groups"]
    v = _alike(-s["pad_top"], s["stride_h"], s["in_h"], 1, s["k_h"], s["out_h"])
    h = _alike(-s["pad_left"], s["stride_w"], s["in_w"], 1, s["k_w"], s["out_w"])
    if _flat(s):
        v, h = [(1, 1)], [(s["out_h"] * s["out_w"], 1)]
    if fmt == "f16" and scatters(s, co, ci):
        _scatter(c, v, s["in_w"], s["out_w"], s["k_w"], ci, co, lanes)
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
    if fmt == "f16" and s["stride_h"] == 1 and scatters(s, ci, co):
        (v,) = _phases(s, "h", "pad_top")
        _scatter(c, v, s["out_w"], s["in_w"], s["k_w"], co, ci, lanes)
        return
    for v in _phases(s, "h", "pad_top"):
        for h in _phases(s, "w", "pad_left"):
            c["phases"] += 1
            if _flat(s):
                v, h = [(1, 1)], [(s["in_h"] * s["in_w"], 1)]
            if max(t for _, t in v) and max(t for _, t in h):
                _product(c, v, h, co, ci, False, fmt, lanes)
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


def _rectangle(c: Counts, high: int, wide: int, outputs: int, inputs: int, fmt: str, lanes: int) -> None:
    """weights.h: a tap at so many outputs."""
    if high <= 0 or wide <= 0:
        return
    full = PANEL // SIZES[fmt]
    turned = _beats(inputs, outputs, full, lanes) < _beats(outputs, inputs, full, lanes)
    rows, columns = (inputs, outputs) if turned else (outputs, inputs)
    lines, count = sorted((high, wide))
    some = min(count, LONGEST if fmt == "f16" else count)
    times = _ceil(count, some)
    chunks = times * _ceil(lines, max(1, LONGEST // some) if fmt == "f16" else lines)
    for group in _groups(columns, full, lanes):
        _tiles(c, 1, rows, group, lines * count, chunks, 1)
        for height, many in _heights(rows, HEIGHTS[group[1]]):
            c["ends"] += many * lines * times
            c["drains"] += many * (chunks - 1)
            c["drained"] += many * (chunks - 1) * height * group[0]
            c["updated"] += many * height * group[0]
    c["taps"] += 1


def _backward_w(s: Sizes, c: Counts, fmt: str, lanes: int) -> None:
    ci, co = s["in_c"] // s["groups"], s["out_c"] // s["groups"]
    if _flat(s):
        _rectangle(c, 1, s["out_h"] * s["out_w"], co, ci, fmt, lanes)
        return
    joined = fmt == "f16" and scatters(s, max(ci, co), ci) and 2 * ci * s["k_w"] <= PANEL
    ends = [_reach(k, s["pad_left"], s["stride_w"], s["in_w"], s["out_w"]) for k in range(s["k_w"])]
    first, end = ends[0][0], max(ends[0][0], ends[-1][1])
    for ky in range(s["k_h"]):
        top, bottom = _reach(ky, s["pad_top"], s["stride_h"], s["in_h"], s["out_h"])
        if joined:
            _rectangle(c, bottom - top, end - first, co, s["k_w"] * ci, fmt, lanes)
        for low, high in ends:
            if joined:
                _rectangle(c, bottom - top, min(first, high) - low, co, ci, fmt, lanes)
                _rectangle(c, bottom - top, high - max(end, low), co, ci, fmt, lanes)
            else:
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
