"""How one call of a kernel is divided into parts that several harts compute at the same time.

Each part is an ordinary call: other shape arguments, and operands that begin elsewhere. Parts write different elements,
and every element is summed in the same order as by the whole call, so that the result does not depend on the number of
parts. A rule gives the ways in which a call can be divided, the one that seems most even first; which is best depends
on the kernel, see `harts.py`. A part that takes some channels of a map has a pitch (`el_window`), which not every
kernel knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

Sizes = Mapping[str, int]
Unit = int | str  # how many elements an operand moves on for one of what is divided: a number, or a size of the call


@dataclass(frozen=True)
class Part:
    """Shape arguments of one part, and the elements of each operand in front of those that it touches."""

    sizes: dict[str, int]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


Parts = tuple[Part, ...]
Split = Callable[[Sizes, int], list[Parts]]

BITS = 32  # elements: a mask's parts begin at a whole word


def spans(total: int, parts: int, grain: int = 1) -> list[tuple[int, int]]:
    """At most `parts` ranges that cover [0, total), as even as multiples of `grain` allow."""
    grains = -(-total // grain)
    parts = min(parts, grains)
    ends = [min(grains * k // parts * grain, total) for k in range(1, parts + 1)]
    return list(zip([0, *ends[:-1]], ends, strict=True))


def _moved(units: Sequence[Unit], sizes: Sizes, first: int) -> tuple[int, ...]:
    return tuple(first * (sizes[u] if isinstance(u, str) else u) for u in units)


def along(key: str, inputs: Sequence[Unit], outputs: Sequence[Unit], grain: int = 1) -> Split:
    """Divides the size `key`: elements, rows, a dense layer's outputs."""

    def split(s: Sizes, parts: int) -> list[Parts]:
        return [
            tuple(
                Part({**s, key: last - first}, _moved(inputs, s, first), _moved(outputs, s, first))
                for first, last in spans(s[key], parts, grain)
            )
        ]

    return split


def elements(inputs: int, outputs: int = 1) -> Split:
    """Divides an elementwise call; masks among the operands move along."""
    return along("count", (1,) * inputs, (1,) * outputs, BITS)


def of_two(s: Sizes, parts: int) -> list[Parts]:
    """Two operands of which the second repeats in every row of the first; a map that does not repeat is one row."""
    if s["rows"] > 1:
        return along("rows", ("channels", 0), ("channels",))(s, parts)
    return along("channels", (1, 1), (1,), BITS)(s, parts)


def some_inputs(s: Sizes, parts: int) -> list[Parts]:
    """dense_bwd_x: elements of dx, which are columns of w. Operands dy, w."""
    return [way for grain in (16, 4) for way in along("in", (0, 1), (1,), grain)(s, parts)]


def some_columns(s: Sizes, parts: int) -> list[Parts]:
    """bias_bwd: channels of rows that are a pitch apart. Operand dy."""
    return [_channels(s, parts, ("channels",), (1,), (1,))]


@dataclass(frozen=True)
class _Axis:
    """One spatial axis of a window, by its names in `el_window`."""

    size: str
    out: str
    kernel: str
    stride: str
    pad: str


_ROWS = _Axis("in_h", "out_h", "k_h", "stride_h", "pad_top")
_COLUMNS = _Axis("in_w", "out_w", "k_w", "stride_w", "pad_left")


def _steps(s: Sizes, axis: _Axis) -> tuple[int, int]:
    """Elements of x and of y from one row, or column, to the next."""
    if axis is _COLUMNS:
        return s["in_pitch"], s["out_pitch"]
    return s["in_w"] * s["in_pitch"], s["out_w"] * s["out_pitch"]


def _axis(s: Sizes) -> _Axis | None:
    """What can be divided in space: rows, or the columns of a map that is one row high."""
    if s["out_h"] > 1:
        return _ROWS
    return _COLUMNS if s["in_h"] == 1 and s["out_w"] > 1 else None


def _flat(s: Sizes) -> Sizes:
    """A 1 x 1 convolution does not care for the map's shape: one long row divides most evenly."""
    plain = all(s[key] == 1 for key in ("k_h", "k_w", "stride_h", "stride_w"))
    if not plain or s["pad_top"] or s["pad_left"]:
        return s
    positions = s["in_h"] * s["in_w"]
    return {**s, "in_h": 1, "in_w": positions, "out_h": 1, "out_w": positions}


def _then(ways: Parts, split: Callable[[Sizes], Parts]) -> Parts:
    """Each part divided again, in another direction."""
    return tuple(
        Part(b.sizes, _sum(a.inputs, b.inputs), _sum(a.outputs, b.outputs)) for a in ways for b in split(a.sizes)
    )


def _sum(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(map(sum, zip(a, b, strict=True)))


def _mixtures(s: Sizes, parts: int, space: Callable[[int], Parts], channels: Callable[..., Parts]) -> list[Parts]:
    """`space(n)` divides in n, `channels(sizes, n)` each of those again: every mixture of the two."""
    ways = [channels(s, parts), space(parts)]
    for rows in (n for n in range(2, parts) if parts % n == 0):
        ways.append(_then(space(rows), partial(channels, n=parts // rows)))
    return ways


def _outputs_in_space(s: Sizes, parts: int, *, weights: int) -> Parts:
    """Rows of y, each part with the rows of x that its windows meet."""
    axis = _axis(s)
    if axis is None:
        return ()
    x_step, y_step = _steps(s, axis)
    found = []
    for first, last in spans(s[axis.out], parts):
        start = first * s[axis.stride] - s[axis.pad]
        if start >= s[axis.size]:
            return ()  # windows that see nothing but padding
        skip = max(start, 0)
        end = min((last - 1) * s[axis.stride] - s[axis.pad] + s[axis.kernel], s[axis.size])
        sizes = {**s, axis.out: last - first, axis.size: max(end - skip, 1), axis.pad: skip - start}
        found.append(Part(sizes, (skip * x_step, *[0] * weights), (first * y_step,)))
    return tuple(found)


def _inputs_in_space(s: Sizes, parts: int) -> Parts:
    """Rows of dx, each part with the rows of dy whose windows meet them."""
    axis = _axis({**s, "out_h": s["in_h"], "out_w": s["in_w"]})
    if axis is None or (s[axis.kernel] < s[axis.stride] and s[axis.pad]):
        return ()
    x_step, y_step = _steps(s, axis)
    found = []
    # Rows that no window meets are the last of a part: in front of its first it would need a negative padding.
    for first, last in spans(s[axis.size], parts, s[axis.stride] if s[axis.kernel] < s[axis.stride] else 1):
        skip = max(-(-(first + s[axis.pad] - s[axis.kernel] + 1) // s[axis.stride]), 0)
        end = min((last - 1 + s[axis.pad]) // s[axis.stride] + 1, s[axis.out])
        if end <= skip:
            return ()  # rows that no window meets at all
        pad = first + s[axis.pad] - skip * s[axis.stride]
        sizes = {**s, axis.size: last - first, axis.out: end - skip, axis.pad: pad}
        found.append(Part(sizes, (skip * y_step, 0), (first * x_step,)))
    return tuple(found)


def _channels(s: Sizes, parts: int, keys: Sequence[str], inputs: Sequence[int], outputs: Sequence[int]) -> Parts:
    """Some channels of a map; `inputs` and `outputs` say how far an operand moves for one channel."""
    return tuple(
        Part({**s, **dict.fromkeys(keys, last - first)}, _moved(inputs, s, first), _moved(outputs, s, first))
        for first, last in spans(s[keys[0]], parts, 4 if s[keys[0]] >= 4 * parts else 1)
    )


def _ranked(ways: Sequence[Parts], key: Callable[[Sizes], float]) -> list[Parts]:
    """The ways that exist, least work of the busiest part first."""
    return sorted(filter(None, ways), key=lambda way: max(key(part.sizes) for part in way))


def _window(s: Sizes) -> int:
    return s["k_h"] * s["k_w"] * s["in_c"] // s["groups"]


# Instructions of a product: for a multiply-accumulate, an element of weights that is packed, one of a map that is read,
# and one of a window that leaves the map, which is gathered for each _GATHERED_FOR columns.
_MAC, _PACKED, _READ, _GATHERED, _GATHERED_FOR = 1.8, 2.5, 0.4, 3.5, 8


def _cost(positions: int, terms: int, columns: int) -> float:
    return positions * terms * columns * _MAC + terms * columns * _PACKED + positions * terms * _READ


def _inside(s: Sizes, axis: _Axis) -> int:
    """Positions of an axis whose windows lie within the map."""
    last = (s[axis.size] + s[axis.pad] - s[axis.kernel]) // s[axis.stride]
    return max(min(last, s[axis.out] - 1) - -(-s[axis.pad] // s[axis.stride]) + 1, 0)


def _cost_forward(s: Sizes) -> float:
    positions, terms = s["out_h"] * s["out_w"], _window(s)
    beside = positions - _inside(s, _ROWS) * _inside(s, _COLUMNS)
    gathered = beside * terms * -(-s["out_c"] // _GATHERED_FOR) * _GATHERED
    return _cost(positions, terms, s["out_c"]) + gathered


def _cost_backward_x(s: Sizes) -> float:
    taps = -(-s["k_h"] // s["stride_h"]) * -(-s["k_w"] // s["stride_w"])
    return _cost(s["in_h"] * s["in_w"], taps * s["out_c"], s["in_c"])


def _cost_backward_w(s: Sizes) -> float:
    positions, rows = s["out_h"] * s["out_w"], s["out_c"]
    # Tiles are four rows high, and all parts pack what they share.
    return positions * ((-(-rows // 4) * 4 * _window(s)) * _MAC + (rows + _window(s)) * _PACKED)


def positions(s: Sizes, parts: int) -> list[Parts]:
    """Positions of y alone, for kernels that know no pitch. Operand x."""
    return list(filter(None, [_outputs_in_space(_flat(s), parts, weights=0)]))


def conv_forward(s: Sizes, parts: int, each: int = 1) -> list[Parts]:
    """conv2d: positions of y, or output channels, or both. Operands x, w, and so many with a number each channel."""
    space = partial(_outputs_in_space, _flat(s), weights=1 + each)

    def channels(sizes: Sizes, n: int) -> Parts:
        return _channels(sizes, n, ("out_c",), (0, _window(s), *(1,) * each), (1,))

    return _ranked(_mixtures(s, parts, space, channels) if s["groups"] == 1 else [space(parts)], _cost_forward)


def conv_backward_x(s: Sizes, parts: int) -> list[Parts]:
    """conv2d_bwd_x: positions of dx, or input channels, or both. Operands dy, w."""
    space = partial(_inputs_in_space, _flat(s))
    if s["groups"] != 1:
        return _ranked([space(parts)], _cost_backward_x)
    return _ranked(_mixtures(s, parts, space, _input_channels), _cost_backward_x)


def _input_channels(s: Sizes, n: int) -> Parts:
    return _channels(s, n, ("in_c",), (0, 1), (1,))


def conv_backward_w(s: Sizes, parts: int) -> list[Parts]:
    """conv2d_bwd_w: some output channels of some input channels, in any mixture. Operands x, dy."""
    if s["groups"] != 1:
        return []
    ways: list[Parts] = []
    for inputs in range(1, parts + 1) if s["in_c"] % 4 == 0 else (1,):
        for first, last in ((4, 4), (1, 4)):
            rows = spans(s["out_c"], parts // inputs, first)
            columns = spans(s["in_c"], inputs, last)
            way = tuple(
                Part({**s, "out_c": o_end - o, "in_c": c_end - c}, (c, o), (o * _window(s) + c,))
                for o, o_end in rows
                for c, c_end in columns
            )
            if way not in ways:
                ways.append(way)
    return _ranked(ways, _cost_backward_w)


def _depthwise(s: Sizes, parts: int, space: Callable[[int], Parts], operands: int) -> list[Parts]:
    """Channels, which no operand shares, positions, or both."""
    if s["in_c"] != s["out_c"]:
        return list(filter(None, [space(parts)]))

    def channels(sizes: Sizes, n: int) -> Parts:
        return _channels(sizes, n, ("in_c", "out_c"), (1,) * operands, (1,))

    ways = [*_mixtures(s, parts, space, channels), *(channels(s, n) for n in (parts // 2, parts // 4) if n > 1)]
    return _ranked(ways, lambda p: p["out_h"] * p["out_w"] * p["in_h"] * p["in_w"] * p["in_c"])


def _undivided(parts: int) -> Parts:
    return ()


def depthwise_forward(s: Sizes, parts: int, each: int = 1) -> list[Parts]:
    """depthwise_conv2d. Operands x, w, and so many with a number each channel."""
    return _depthwise(s, parts, partial(_outputs_in_space, s, weights=1 + each), operands=2 + each)


def depthwise_backward_x(s: Sizes, parts: int) -> list[Parts]:
    """depthwise_conv2d_bwd_x. Operands dy, w."""
    return _depthwise(s, parts, partial(_inputs_in_space, s), operands=2)


def pool_forward(s: Sizes, parts: int) -> list[Parts]:
    """avg_pool2d: channels, or positions of y. Operand x."""
    return _depthwise(s, parts, partial(_outputs_in_space, s, weights=0), operands=1)


def pool_backward(s: Sizes, parts: int) -> list[Parts]:
    """avg_pool2d_bwd: channels. Operand dy."""
    return _depthwise(s, parts, _undivided, operands=1)


def depthwise_backward_w(s: Sizes, parts: int) -> list[Parts]:
    """depthwise_conv2d_bwd_w. Operands x, dy."""
    return _depthwise(s, parts, _undivided, operands=2)
