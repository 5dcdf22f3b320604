"""Shapes that kernels are counted for: small, odd, strided, grouped, and some of a size that layers have."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np

from edgelearn.kernels import Sizes

MOST_MACS, MOST_ELEMENTS = 150_000, 10_000  # of a shape that is drawn; of one of its maps
CHANNELS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64)
KERNELS = ((1, 1), (1, 1), (3, 3), (3, 3), (3, 3), (1, 5), (1, 3), (5, 5), (2, 2), (7, 3), (10, 4))
COUNT = 192  # shapes of a convolution


def window(h: int, w: int, ci: int, co: int, k: tuple[int, int], stride: tuple[int, int], pad: tuple[int, int],
           groups: int = 1) -> dict[str, int]:  # fmt: skip
    """The fields of el_window."""
    return {
        "in_h": h, "in_w": w, "in_c": ci, "out_h": (h + 2 * pad[0] - k[0]) // stride[0] + 1,
        "out_w": (w + 2 * pad[1] - k[1]) // stride[1] + 1, "out_c": co, "k_h": k[0], "k_w": k[1],
        "stride_h": stride[0], "stride_w": stride[1], "pad_top": pad[0], "pad_left": pad[1], "groups": groups,
        "count_pad": 0, "in_pitch": ci, "out_pitch": co,
    }  # fmt: skip


# Layers of the nets that are trained most, in maps of their own size or a part of them.
LAYERS = (
    window(1, 128, 6, 16, (1, 5), (1, 2), (0, 2)), window(1, 64, 16, 32, (1, 5), (1, 2), (0, 2)),
    window(32, 32, 3, 16, (3, 3), (1, 1), (1, 1)), window(16, 16, 16, 16, (3, 3), (1, 1), (1, 1)),
    window(16, 16, 16, 32, (3, 3), (2, 2), (1, 1)), window(8, 8, 32, 32, (3, 3), (1, 1), (1, 1)),
    window(8, 8, 32, 64, (3, 3), (2, 2), (1, 1)), window(6, 6, 64, 64, (3, 3), (1, 1), (1, 1)),
    window(16, 16, 16, 32, (1, 1), (2, 2), (0, 0)), window(8, 8, 32, 64, (1, 1), (2, 2), (0, 0)),
    window(25, 5, 64, 64, (1, 1), (1, 1), (0, 0)), window(30, 10, 1, 64, (10, 4), (2, 2), (4, 1)),
    window(6, 6, 128, 128, (1, 1), (1, 1), (0, 0)), window(12, 12, 16, 64, (1, 1), (1, 1), (0, 0)),
)  # fmt: skip


def _maps(rng: np.random.Generator, depthwise: bool) -> Iterator[dict[str, int]]:
    while True:
        k = KERNELS[rng.integers(len(KERNELS))]
        if depthwise and k == (1, 1):
            k = (3, 3)
        side = int(2 ** rng.uniform(0.5, 5))
        h, w = (1, 4 * side) if k[0] == 1 and k[1] > 1 else (side, max(1, int(side * 2 ** rng.uniform(-1, 1))))
        pad = (k[0] // 2, k[1] // 2) if rng.random() < 0.75 else (0, 0)
        if h + 2 * pad[0] < k[0] or w + 2 * pad[1] < k[1]:
            continue
        steps = 2 if rng.random() < 0.3 else 1
        ci, co = (int(c) for c in rng.choice(CHANNELS, 2))
        s = window(h, w, ci, ci if depthwise else co, k, (1 if h == 1 else steps, steps), pad, ci if depthwise else 1)
        positions = s["out_h"] * s["out_w"]
        macs = positions * k[0] * k[1] * ci * (1 if depthwise else co)
        largest = max(h * w * ci, positions * s["out_c"], k[0] * k[1] * ci * (1 if depthwise else co))
        if macs <= MOST_MACS and largest <= MOST_ELEMENTS:
            yield s


def _drawn(depthwise: bool, count: int) -> list[dict[str, int]]:
    maps = _maps(np.random.default_rng(7), depthwise)
    return [next(maps) for _ in range(count)]


@functools.cache
def convolutions() -> tuple[Sizes, ...]:
    """Also with groups."""
    grouped = [window(6, 9, 8, 12, (3, 3), (2, 1), (1, 1), 4), window(7, 8, 16, 16, (3, 3), (1, 1), (1, 1), 2)]
    return (*LAYERS, *grouped, *_drawn(False, COUNT - len(LAYERS) - len(grouped)))


@functools.cache
def depthwise() -> tuple[Sizes, ...]:
    """One output channel for each of the input's; its windows have one group."""
    layers = [
        window(25, 5, 64, 64, (3, 3), (1, 1), (1, 1)),
        window(1, 64, 32, 32, (1, 5), (1, 2), (0, 2)),
        window(12, 12, 16, 16, (3, 3), (1, 1), (1, 1)),
        window(12, 12, 32, 32, (3, 3), (2, 2), (1, 1)),
        window(6, 6, 128, 128, (3, 3), (1, 1), (1, 1)),
        window(3, 3, 128, 128, (3, 3), (1, 1), (1, 1)),
    ]
    return (*layers, *({**s, "groups": 1} for s in _drawn(True, COUNT // 2)))


@functools.cache
def pools() -> tuple[Sizes, ...]:
    """Windows beside one another, over one another, and of the whole map."""
    found = []
    for h, w, c in ((6, 6, 3), (8, 8, 16), (5, 7, 4), (12, 12, 8), (10, 8, 32), (4, 5, 7), (25, 5, 64), (8, 8, 64)):
        found += [window(h, w, c, c, (2, 2), (2, 2), (0, 0)), window(h, w, c, c, (h, w), (1, 1), (0, 0))]
        found.append(window(h, w, c, c, (3, 3), (2, 2), (1, 1)))
    for w, c in ((13, 5), (16, 32), (40, 12), (64, 24)):
        found += [window(1, w, c, c, (1, 2), (1, 2), (0, 0)), window(1, w, c, c, (1, w), (1, 1), (0, 0))]
    return tuple(found)


def _two(first: str, second: str, count: int, most: int) -> tuple[Sizes, ...]:
    rng = np.random.default_rng(count)
    pairs = [2 ** rng.uniform(0, 9, 2) for _ in range(40 * count)]
    return tuple([{first: int(a), second: int(b)} for a, b in pairs if int(a) * int(b) <= most][:count])


COUNTS = (1, 2, 3, 7, 8, 10, 15, 33, 64, 100, 130, 256, 333, 511, 640, 1000, 1024, 1500, 2048, 3001, 4096)
DENSE = (*_two("in", "out", 40, 10_000), {"in": 640, "out": 128}, {"in": 32, "out": 7}, {"in": 64, "out": 10})
ROWS = (*_two("rows", "channels", 32, 6_000), {"rows": 64, "channels": 32}, {"rows": 256, "channels": 16})


def shapes_of(step: str, names: tuple[str, ...]) -> tuple[Sizes, ...]:
    """The shapes for a step whose C signature begins with these shape arguments; none where it has no traits."""
    if names == ("s",):
        families = {"conv2d": convolutions, "depthwise": depthwise, "max_pool2d": pools, "avg_pool2d": pools}
        return next((make() for name, make in families.items() if step.startswith(name)), ())
    by_names: dict[tuple[str, ...], tuple[Sizes, ...]] = {
        ("in", "out"): DENSE,
        ("in", "out", "pitch"): tuple({**s, "pitch": s["in"]} for s in DENSE),
        ("rows", "channels"): ROWS,
        ("rows", "channels", "pitch"): tuple({**s, "pitch": s["channels"]} for s in ROWS),
        ("count",): tuple({"count": n} for n in COUNTS),
        ("classes",): tuple({"classes": n} for n in (1, 2, 3, 5, 7, 10, 12, 20, 35, 50, 100)),
        ("every",): ({"every": 100},) * 4,
        (): ({},) * 4,
    }
    return by_names.get(names, ())
