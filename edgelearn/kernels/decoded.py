"""Layers that shift on cores with an FPU: weights decoded into scratch, and the instruction set's kernels for numbers.

The blocks of channels are those of firmware/kernels/shift/decoded.h.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from edgelearn.kernels import blk, mve, rvf, rvv, thumb, thumb_m4, xfvec
from edgelearn.kernels.base import Entry, Sizes

BYTES, GRAIN = 8192, 8  # EL_DECODED_BYTES, EL_DECODED_GRAIN
SIZE = {"f32": 4, "f16": 2}
LAYERS = ("conv2d", "depthwise_conv2d", "dense")
_WIDENED = (("thumb", "f16"), ("thumb_m4", "f16"))  # which convert weights once more than a plain kernel does
STEPS = {f"{layer}_{step}": f"{layer}_shift_{step}" for layer in LAYERS for step in ("fwd", "bwd_x")}


def _words(size: int) -> int:
    return -(-size // 4) * 4


def _channels(channels: int, terms: int, size: int) -> int:
    blocks = -(-channels * terms * size // BYTES)
    grains = -(-channels // (blocks * GRAIN))
    return min(channels, grains * GRAIN)


def _spans(whole: int, each: int) -> set[int]:
    """Sizes of blocks: all but the last one are alike."""
    return {min(each, whole), whole % each or each}


Blocks = tuple[int, list[Sizes]]  # bytes of scratch in front of the kernel's own, and the calls of it


def _conv2d_fwd(s: Sizes, size: int) -> Blocks:
    terms = s["k_h"] * s["k_w"] * (s["in_c"] // s["groups"])
    each = _channels(s["out_c"], terms, size) if s["groups"] == 1 else s["out_c"]
    return _words(each * terms * size), [{**s, "out_c": n} for n in _spans(s["out_c"], each)]


def _conv2d_bwd_x(s: Sizes, size: int) -> Blocks:
    channels, rows, positions = s["in_c"] // s["groups"], s["k_h"] * s["k_w"] * s["out_c"], s["in_h"] * s["in_w"]
    each = _channels(channels, rows, size) if s["groups"] == 1 else channels
    if each == channels or each * (rows + positions) >= channels * rows:
        return _words(channels * rows * size), [s]
    calls: list[Sizes] = [{**s, "in_c": n, "in_pitch": n} for n in _spans(channels, each)]
    return _words(each * rows * size) + _words(each * positions * size), calls


def _depthwise(s: Sizes, size: int) -> Blocks:
    return _words(s["k_h"] * s["k_w"] * s["out_c"] * size), [s]


def _dense_fwd(s: Sizes, size: int) -> Blocks:
    each = _channels(s["out"], s["in"], size)
    return _words(each * s["in"] * size), [{**s, "out": n} for n in _spans(s["out"], each)]


def _dense_bwd_x(s: Sizes, size: int) -> Blocks:
    each = _channels(s["in"], s["out"], size)
    return _words(each * s["out"] * size), [{**s, "in": n, "pitch": n} for n in _spans(s["in"], each)]


_BLOCKS: dict[str, Callable[[Sizes, int], Blocks]] = dict(
    zip(STEPS, (_conv2d_fwd, _conv2d_bwd_x, _depthwise, _depthwise, _dense_fwd, _dense_bwd_x), strict=True)
)


def _decoded(entry: Entry) -> Entry:
    """The row of the same step with weights that are codes."""
    blocks_of, size = _BLOCKS[entry.step], SIZE[entry.fmt]

    def scratch(s: Sizes) -> int:
        own, calls = blocks_of(s, size)
        return own + max(entry.scratch(call) for call in calls)

    def supports(s: Sizes) -> bool:
        return all(entry.takes(call) for call in blocks_of(s, size)[1])

    source = f"kernels/{entry.isa}/shift{'' if entry.fmt == 'f32' else '_f16'}.c"
    return replace(entry, step=STEPS[entry.step], source=source, scratch=scratch, supports=supports, pitched=False)


def _layers(tables: Sequence[Sequence[Entry]]) -> Iterator[Entry]:
    for table in tables:
        yield from (e for e in table if e.step in STEPS and e.fmt in SIZE and (e.isa, e.fmt) not in _WIDENED)


_FLOATS = tuple(_layers([m.TABLE for m in (blk, thumb, thumb_m4, rvf, mve, rvv, xfvec)]))
TABLE: tuple[Entry, ...] = tuple(map(_decoded, _FLOATS))


def _needs() -> Iterator[tuple[str, tuple[str, ...]]]:
    """What each file calls: the kernels for numbers, and the plain ones for weights that are no halves."""
    for source in dict.fromkeys(entry.source for entry in TABLE):
        called = {a.source for a, b in zip(_FLOATS, TABLE, strict=True) if b.source == source}
        plain = {f"kernels/ref/{layer}_shift_f16.c" for layer in LAYERS}
        yield source, tuple(sorted(called | (plain if source.endswith("_f16.c") else set())))


NEEDS = dict(_needs())
