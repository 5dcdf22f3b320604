"""Offsets in the arena: buffers whose lifetimes meet never share a byte.

Offset assignment is dynamic storage allocation, NP-hard in general; a few greedy orders and a short seeded search reach
the lower bound (the largest live set) on all but contrived graphs. What was reached is reported beside the bound.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from edgelearn.schedule import Buffer, Schedule

ALIGNMENT = 4  # bytes; every element type of the FP32 kernels
TRIES = 300  # fewer where there are more than a hundred buffers


@dataclass(frozen=True)
class Slot:
    """A buffer's place in the arena, in bytes."""

    buffer: Buffer
    offset: int
    size: int

    @property
    def end(self) -> int:
        return self.offset + self.size


@dataclass(frozen=True)
class Arena:
    """All slots, the arena's size, its lower bound and the step at which the live set is largest."""

    slots: tuple[Slot, ...]
    nbytes: int
    lower_bound: int
    peak_step: int

    def slot_of(self, tensor: str) -> Slot:
        """The slot that holds a tensor."""
        return next(s for s in self.slots if tensor in s.buffer.tensors)


def aligned(nbytes: int, alignment: int = ALIGNMENT) -> int:
    """`nbytes` rounded up."""
    return -(-nbytes // alignment) * alignment


def _meet(a: Buffer, b: Buffer) -> bool:
    return a.first <= b.last and b.first <= a.last


class _Placer:
    """First fit: each buffer at the lowest offset that no placed buffer of its lifetime covers."""

    def __init__(self, buffers: Sequence[Buffer]) -> None:
        self.sizes = {b.name: aligned(b.nbytes) for b in buffers}
        self.neighbours = {b.name: [c.name for c in buffers if c is not b and _meet(b, c)] for b in buffers}

    def place(self, order: Sequence[Buffer]) -> dict[str, int]:
        """Offsets by name, for buffers placed in the given order."""
        sizes, offsets = self.sizes, dict[str, int]()
        for name in (b.name for b in order):
            offset, size = 0, sizes[name]
            for start, other in sorted((offsets[n], n) for n in self.neighbours[name] if n in offsets):
                if offset + size <= start:
                    break
                offset = max(offset, start + sizes[other])
            offsets[name] = offset
        return offsets

    def height(self, offsets: dict[str, int]) -> int:
        """The arena's size with these offsets."""
        return max((offset + self.sizes[name] for name, offset in offsets.items()), default=0)


ORDERS: tuple[Callable[[Buffer], tuple[int, ...]], ...] = (
    lambda b: (-b.nbytes, b.first),
    lambda b: (b.first - b.last, -b.nbytes),
    lambda b: (-(b.last - b.first + 1) * b.nbytes, b.first),
    lambda b: (b.first, -b.nbytes),
    lambda b: (-b.last, -b.nbytes),
)


def plan_arena(schedule: Schedule) -> Arena:
    """Place all arena buffers of a schedule."""
    buffers = [b for b in schedule.buffers if b.nbytes]
    steps = range(-1, len(schedule.steps))
    loads = {k: sum(aligned(b.nbytes) for b in buffers if b.first <= k <= b.last) for k in steps}
    peak = max(loads, key=lambda k: (loads[k], -k))
    bound = loads[peak]
    placer = _Placer(buffers)
    best: dict[str, int] = {}
    best_height = -1
    for candidate in _candidates(buffers):
        offsets = placer.place(candidate)
        height = placer.height(offsets)
        if best_height < 0 or height < best_height:
            best, best_height = offsets, height
        if best_height == bound:
            break
    slots = tuple(Slot(b, best[b.name], aligned(b.nbytes)) for b in sorted(buffers, key=lambda b: best[b.name]))
    return Arena(slots, max(best_height, 0), bound, peak)


def _candidates(buffers: list[Buffer]) -> Iterator[list[Buffer]]:
    orders = [sorted(buffers, key=key) for key in ORDERS]
    yield from orders
    generator = random.Random(0)
    for _ in range(100 * TRIES // max(len(buffers), 100)):
        order = list(generator.choice(orders))
        for _ in range(1 + len(order) // 8):
            i, j = generator.randrange(len(order)), generator.randrange(len(order))
            order.insert(i, order.pop(j))
        yield order


def overlaps(arena: Arena) -> list[tuple[Slot, Slot]]:
    """Pairs of slots that are alive together and share bytes: empty, or the plan is wrong."""
    return [
        (a, b)
        for k, a in enumerate(arena.slots)
        for b in arena.slots[k + 1 :]
        if _meet(a.buffer, b.buffer) and a.offset < b.end and b.offset < a.end
    ]
