"""Numbers of a kernel call's shape that its instructions may grow with: what costs are fitted to."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

from edgelearn.kernels import Kernel, Sizes
from edgelearn.kernels.runs import runs
from edgelearn.kernels.tiles import tiles

TILES = ((1, 4), (2, 8), (3, 4), (4, 4), (5, 4), (6, 4), (6, 8), (7, 4), (7, 8), (7, 16), (7, 32))  # rows, columns
WIDTHS = (2, 4, 8, 16, 32)  # elements of vectors and unrolled loops
ROOM = 4096  # bytes of packed operands at once
Traits = dict[str, float]
Pairs = Iterator[tuple[str, float]]
Family = Callable[[str, Sizes, int], Pairs]


def _ceil(a: float, b: int) -> int:
    return -int(-a // b)


@functools.lru_cache(65536)
def _inside(size: int, out: int, k: int, stride: int, pad: int) -> int:
    """Pairs of an output and a tap along one axis that read the map, not its padding."""
    return sum(min(size + pad - o * stride, k) - max(pad - o * stride, 0) for o in range(out)
               if min(size + pad - o * stride, k) > max(pad - o * stride, 0))  # fmt: skip


def _taps(s: Sizes) -> int:
    """Pairs of a position of the output and a tap inside the map."""
    height = _inside(s["in_h"], s["out_h"], s["k_h"], s["stride_h"], s["pad_top"])
    return height * _inside(s["in_w"], s["out_w"], s["k_w"], s["stride_w"], s["pad_left"])


def _whole(size: int, out: int, k: int, stride: int, pad: int) -> int:
    """Outputs along one axis whose windows are inside the map."""
    return max(0, min(out - 1, (size + pad - k) // stride) - _ceil(pad, stride) + 1)


def _edges(s: Sizes) -> int:
    """Outputs whose windows reach into the padding."""
    height = _whole(s["in_h"], s["out_h"], s["k_h"], s["stride_h"], s["pad_top"])
    return s["out_h"] * s["out_w"] - height * _whole(s["in_w"], s["out_w"], s["k_w"], s["stride_w"], s["pad_left"])


def _window(s: Sizes) -> Traits:
    """What every window has: positions of the output, of the input, pairs with a tap, all pairs, rows, taps."""
    outputs, taps, edges = s["out_h"] * s["out_w"], s["k_h"] * s["k_w"], _edges(s)
    return {
        "1": 1, "outputs": outputs, "inputs": s["in_h"] * s["in_w"], "taps": _taps(s), "windows": outputs * taps,
        "rows": s["out_h"], "kernel": taps, "lines": s["out_h"] * s["k_h"],
        "edges": edges, "edge windows": edges * taps, "ends": s["out_h"] * (s["out_w"] % 4),
        "end windows": s["out_h"] * (s["out_w"] % 4) * taps,
    }  # fmt: skip


def _products(name: str, terms: float, rows: int, columns: int, times: int) -> Pairs:
    """`times` products of so many rows and columns over `terms`, in tiles: tiles, and terms of tiles."""
    for height, width in TILES:
        tiles = times * _ceil(rows, height) * _ceil(columns, width)
        yield f"{name} {height}x{width}", tiles
        yield f"{name} {height}x{width} terms", tiles * terms
    for height in (2, 4, 5, 7):
        yield f"{name} rows left of {height}", times * (rows % height) * columns * terms
    for width in WIDTHS[1:3]:
        yield f"{name} left of {width}", times * rows * (columns % width)
        yield f"{name} left of {width} terms", times * rows * (columns % width) * terms
    for width in WIDTHS:
        yield f"{name} /{width}", times * rows * _ceil(columns, width)
        yield f"{name} /{width} terms", times * rows * _ceil(columns, width) * terms


def _phases(s: Sizes, co: int, ci: int, groups: int) -> Pairs:
    """The products that the gradient of x consists of: positions that are a stride apart meet the same taps."""
    for first_row in range(min(s["stride_h"], s["in_h"])):
        rows = len(range(first_row, s["in_h"], s["stride_h"]))
        high = len(range((first_row + s["pad_top"]) % s["stride_h"], s["k_h"], s["stride_h"]))
        for first in range(min(s["stride_w"], s["in_w"])):
            columns = len(range(first, s["in_w"], s["stride_w"]))
            wide = len(range((first + s["pad_left"]) % s["stride_w"], s["k_w"], s["stride_w"]))
            yield "phases", 1
            yield "positions of phases*taps", rows * columns * high * wide
            yield from _products("dx", high * wide * co, rows * columns, ci, groups)
            yield from _products("row of dx", high * wide * co, columns, ci, groups * rows)


def _summed(pairs: Pairs) -> Pairs:
    total: Traits = {}
    for name, value in pairs:
        total[name] = total.get(name, 0) + value
    yield from total.items()


def _conv2d(step: str, s: Sizes, scratch: int) -> Pairs:
    own = _window(s)
    yield from own.items()
    groups, ci, co = s["groups"], s["in_c"] // s["groups"], s["out_c"] // s["groups"]
    for trait in ("outputs", "inputs", "taps", "windows", "kernel", "lines", "edges", "edge windows"):
        yield f"{trait}*in", own[trait] * s["in_c"]
        yield f"{trait}*out", own[trait] * s["out_c"]
    for trait in ("taps", "windows", "kernel"):
        yield f"{trait}*in*out", own[trait] * s["in_c"] * co
    if step.endswith("bwd_w"):
        yield from _products("dw", own["outputs"], co, s["k_h"] * s["k_w"] * ci, groups)
        yield from _products("row of dw", own["outputs"], co, s["k_w"] * ci, groups * s["k_h"])
        yield from _products("dw inside", own["taps"] / own["kernel"], co, ci, groups * int(own["kernel"]))
    elif step.endswith("bwd_x"):
        terms = own["taps"] / own["inputs"] * co
        yield from _products("dx inside", terms, int(own["inputs"]), ci, groups)
        yield from _products(
            "row of dx inside", terms, _ceil(s["in_w"], s["stride_w"]), ci, groups * s["in_h"] * s["stride_w"]
        )
        yield from _summed(_phases(s, co, ci, groups))
    else:
        yield from _products("y", own["kernel"] * ci, int(own["outputs"]), co, groups)
        yield from _products("row of y", own["kernel"] * ci, s["out_w"], co, groups * s["out_h"])
    if scratch:
        blocks = _ceil(own["kernel"] * s["in_c"] * co * 4, ROOM)
        yield "blocks", blocks
        yield "blocks of y", blocks * own["outputs"] * s["out_c"]
        yield "blocks of windows", blocks * own["windows"] * s["in_c"]
        yield "blocks of dx", blocks * own["inputs"] * s["in_c"]


def _channels(step: str, s: Sizes, scratch: int) -> Pairs:
    """Depthwise convolutions and pools: each channel alone."""
    own = _window(s)
    own["runs"] = s["out_h"] * _ceil(s["out_w"], 4)
    own["runs of taps"] = own["runs"] * own["kernel"]
    own["runs of lines"] = own["runs"] * s["k_h"]
    for trait, value in own.items():
        yield trait, value
        yield f"{trait}*c", value * s["out_c"]
        for width in WIDTHS:
            yield f"{trait}*c/{width}", value * _ceil(s["out_c"], width)
        for width in WIDTHS[1:3]:
            yield f"{trait}*c left of {width}", value * (s["out_c"] % width)


def _dense(step: str, s: Sizes, scratch: int) -> Pairs:
    n, m = s["in"], s["out"]
    yield from {"1": 1, "in": n, "out": m, "in*out": n * m}.items()
    for width in WIDTHS:
        a, b = _ceil(n, width), _ceil(m, width)
        yield from {f"in/{width}": a, f"out/{width}": b, f"in/{width}*out": a * m, f"in*out/{width}": n * b}.items()
        yield from {f"in left of {width}*out": n % width * m, f"in*out left of {width}": n * (m % width)}.items()
    yield from {"in/4*out/4": _ceil(n, 4) * _ceil(m, 4), "in/8*out/4": _ceil(n, 8) * _ceil(m, 4)}.items()


def _rows(step: str, s: Sizes, scratch: int) -> Pairs:
    rows, channels = s["rows"], s["channels"]
    yield from {"1": 1, "rows": rows, "channels": channels, "all": rows * channels}.items()
    for width in WIDTHS:
        yield f"rows*channels/{width}", rows * _ceil(channels, width)
        yield f"rows/{width}*channels", _ceil(rows, width) * channels
        yield f"channels/{width}", _ceil(channels, width)
        yield f"all/{width}", _ceil(rows * channels, width)
    yield "rows left of 4*channels", rows % 4 * channels
    yield "rows*channels left of 4", rows * (channels % 4)
    yield "rows/4*channels/4", _ceil(rows, 4) * _ceil(channels, 4)
    yield "rows/128*channels", _ceil(rows, 128) * channels


def _count(step: str, s: Sizes, scratch: int) -> Pairs:
    """One number of elements, or none: a call that is always the same."""
    yield "1", 1
    for value in s.values():
        yield "count", value
        for width in WIDTHS:
            yield f"count/{width}", _ceil(value, width)


_FAMILIES: dict[frozenset[str], Family] = {
    frozenset(("in", "out")): _dense,
    frozenset(("in", "out", "pitch")): _dense,
    frozenset(("rows", "channels")): _rows,
    frozenset(("rows", "channels", "pitch")): _rows,
    frozenset(("count",)): _count,
    frozenset(("classes",)): _count,
    frozenset(("every",)): _count,
    frozenset(): _count,
}


def known(sizes: Sizes) -> bool:
    """Whether calls with these shape arguments have traits."""
    return "k_h" in sizes or frozenset(sizes) in _FAMILIES


def traits(step: str, sizes: Sizes, scratch: int = 0) -> Traits:
    """The numbers of one call, by name; `scratch` is what its kernel wants."""
    family: Family
    if "k_h" in sizes:
        family = _conv2d if step.startswith("conv2d") else _channels
    else:
        family = _FAMILIES[frozenset(sizes)]
    return dict(family(step, sizes, scratch))


# What a convolution on RISC-V vectors grows with besides its tiles.
_BESIDES = (
    "1", "kernel", "rows", "outputs", "inputs", "kernel*in", "kernel*out", "kernel*in*out", "lines", "outputs*out",
    "inputs*in",
)  # fmt: skip


def traits_of(kernel: Kernel, step: str, sizes: Sizes) -> Traits:
    """The numbers of a call of one kernel; those of floats on RISC-V vectors are what its loops count."""
    vectors = kernel.isa == "rvv" and not kernel.name.endswith("s8__rvv")
    if vectors and step.startswith("depthwise"):
        return runs(step, sizes)
    found = traits(step, sizes, kernel.scratch)
    if vectors and step.startswith("conv2d"):
        fmt = kernel.name.partition("__")[0].rpartition("_")[2]
        return {name: found[name] for name in _BESIDES if name in found} | tiles(step, sizes, fmt)
    return found
