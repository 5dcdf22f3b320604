"""Which memory each of the model's arrays lies in, on boards that have several.

The main memory is filled first: everything where there is room; else whole arrays move out, as few bytes as possible;
else the arena is split, buffer by buffer, over what the memories have left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from edgelearn.boards import Board
from edgelearn.memory import BANK, Arena, aligned, plan_arena
from edgelearn.schedule import Schedule


@dataclass(frozen=True)
class Places:
    """The memory of each array by its name, the arena, and the memory of each of its banks."""

    arrays: Mapping[str, str]
    arena: Arena
    banks: tuple[str, ...]

    def used(self, sizes: Mapping[str, int]) -> dict[str, int]:
        """Bytes of the model in each memory, for arrays of these sizes."""
        found: dict[str, int] = {}
        for name, memory in self.arrays.items():
            found[memory] = found.get(memory, 0) + sizes[name]
        for memory, nbytes in zip(self.banks, self.arena.banks, strict=True):
            found[memory] = found.get(memory, 0) + aligned(nbytes, BANK)
        return found


def rooms(board: Board) -> dict[str, int]:
    """What each memory has left for the model, the main one first."""
    return {m.name: m.size - (board.runtime_ram + board.stack if m == board.ram else 0) for m in board.rams}


def place(schedule: Schedule, board: Board, sizes: Mapping[str, int]) -> Places:
    """Places for arrays of these sizes and the schedule's arena; all in the main memory where they fit nowhere."""
    room, arena = rooms(board), plan_arena(schedule)
    main = board.ram.name
    together = Places(dict.fromkeys(sizes, main), arena, (main,))
    if len(room) == 1 or sum(together.used(sizes).values()) <= room[main]:
        return together
    for arrays, left in _moves(room, sizes):
        whole = next((name for name, free in left.items() if aligned(arena.nbytes, BANK) <= free), None)
        if whole:
            return Places(arrays, arena, (whole,))
    for arrays, left in _moves(room, sizes):
        split = plan_arena(schedule, list(left.values()))
        if not split.over:
            return Places(arrays, split, tuple(left))
    return together


def _moves(room: Mapping[str, int], sizes: Mapping[str, int]) -> Iterator[tuple[dict[str, str], dict[str, int]]]:
    """Every way to lay whole arrays into the memories, the fewest bytes outside the main one first; what is left."""
    main = next(iter(room))
    ways = []
    for memories in product(room, repeat=len(sizes)):
        arrays = dict(zip(sizes, memories, strict=True))
        left = {m: aligned(free - BANK + 1, BANK) for m, free in room.items()}
        for name, memory in arrays.items():
            left[memory] -= sizes[name]
        outside = sum(sizes[name] for name, memory in arrays.items() if memory != main)
        if min(left.values()) >= 0 and all(memory == main for name, memory in arrays.items() if not sizes[name]):
            ways.append((outside, arrays, left))
    yield from ((arrays, left) for _, arrays, left in sorted(ways, key=lambda way: way[0]))
