"""Offsets in the arena: buffers whose lifetimes meet never share a byte.

Offset assignment is dynamic storage allocation, NP-hard in general; a few greedy orders and a short seeded search reach
the lower bound (the largest live set) on all but contrived graphs. What was reached is reported beside the bound.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from edgelearn.schedule import Buffer, Schedule

ALIGNMENT = 4  # bytes; every element type of the FP32 kernels
BANK = 16  # bytes: alignment of each bank
ENDLESS = 1 << 62  # room of a bank that is as large as it has to be
TRIES = 300  # fewer where there are more than a hundred buffers


Places = dict[str, tuple[int, int]]  # bank and offset in it, by a buffer's name


@dataclass(frozen=True)
class Slot:
    """A buffer's place in the arena, in bytes; `bank` is the part of the arena that it lies in."""

    buffer: Buffer
    offset: int
    size: int
    bank: int = 0

    @property
    def end(self) -> int:
        return self.offset + self.size


@dataclass(frozen=True)
class Arena:
    """All slots, the arena's size, its lower bound and the step at which the live set is largest.

    An arena over several memories is addressed as if they followed one another: bank k starts at `starts[k]`. `over` is
    what does not fit the rooms that were given.
    """

    slots: tuple[Slot, ...]
    nbytes: int
    lower_bound: int
    peak_step: int
    starts: tuple[int, ...] = (0,)
    over: int = 0

    @property
    def banks(self) -> tuple[int, ...]:
        """Bytes of each bank."""
        return tuple(b - a for a, b in zip(self.starts, (*self.starts[1:], self.nbytes), strict=True))

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
        lives = [(c.name, c.first, c.last) for c in buffers]
        self.neighbours = {
            b.name: [name for name, first, last in lives if first <= b.last and b.first <= last and name != b.name]
            for b in buffers
        }

    def place(self, order: Sequence[Buffer], rooms: Sequence[int], most: int = ENDLESS) -> Places | None:
        """Bank and offset by name, for buffers placed in the given order, each in the first bank with room.

        None as soon as one ends at `most` or behind it, in an arena of one bank.
        """
        taken: list[dict[str, tuple[int, int]]] = [{} for _ in rooms]  # start and end by name, in each bank
        places: Places = {}
        for name in (b.name for b in order):
            size = self.sizes[name]
            for bank, room in enumerate(rooms):
                near = taken[bank]
                offset = self._lowest(size, sorted([near[n] for n in self.neighbours[name] if n in near]))
                if offset + size <= room:
                    break
            if offset + size >= most:
                return None
            taken[bank][name] = offset, offset + size
            places[name] = bank, offset
        return places

    @staticmethod
    def _lowest(size: int, taken: Sequence[tuple[int, int]]) -> int:
        offset = 0
        for start, end in taken:
            if offset + size <= start:
                break
            if end > offset:
                offset = end
        return offset

    def heights(self, places: Places, banks: int) -> list[int]:
        """The size of each bank with these offsets."""
        found = [0] * banks
        for name, (bank, offset) in places.items():
            found[bank] = max(found[bank], offset + self.sizes[name])
        return found


ORDERS: tuple[Callable[[Buffer], tuple[int, ...]], ...] = (
    lambda b: (-b.nbytes, b.first),
    lambda b: (b.first - b.last, -b.nbytes),
    lambda b: (-(b.last - b.first + 1) * b.nbytes, b.first),
    lambda b: (b.first, -b.nbytes),
    lambda b: (-b.last, -b.nbytes),
)


def plan_arena(schedule: Schedule, rooms: Sequence[int] = (ENDLESS,)) -> Arena:
    """Place all arena buffers of a schedule, in banks with so many bytes of room each, the first one preferred."""
    buffers = [b for b in schedule.buffers if b.nbytes]
    steps = range(-1, len(schedule.steps))
    loads = {k: sum(aligned(b.nbytes) for b in buffers if b.first <= k <= b.last) for k in steps}
    peak = max(loads, key=lambda k: (loads[k], -k))
    bound = loads[peak]
    placer = _Placer(buffers)
    best: Places = {}
    score: tuple[int, int] | None = None
    for candidate in _candidates(buffers):
        places = placer.place(candidate, rooms, score[1] if score and len(rooms) == 1 and not score[0] else ENDLESS)
        if places is None:
            continue
        heights = placer.heights(places, len(rooms))
        over = sum(max(0, height - room) for height, room in zip(heights, rooms, strict=True))
        if score is None or (over, sum(heights)) < score:
            best, score = places, (over, sum(heights))
        if score == (0, bound) or (score[0] == 0 and len(rooms) > 1):
            break
    heights = placer.heights(best, len(rooms))
    starts = [0, *accumulate(aligned(height, BANK) for height in heights)]
    where = {name: starts[bank] + offset for name, (bank, offset) in best.items()}
    ordered = sorted(buffers, key=lambda b: where[b.name])
    slots = tuple(Slot(b, where[b.name], aligned(b.nbytes), best[b.name][0]) for b in ordered)
    return Arena(slots, starts[-2] + heights[-1], bound, peak, tuple(starts[:-1]), score[0] if score else 0)


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
