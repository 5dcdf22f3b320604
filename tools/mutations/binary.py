"""Damages the bytes of a file in the ways that files get damaged, and in some that need malice."""

from __future__ import annotations

import random

EVIL = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFF, 0x10000, 4)
MAGIC = b"TFL3"  # at byte 4 of every TensorFlow Lite file


def mutate(content: bytes, generator: random.Random) -> bytes:
    """One damaged copy: bits and bytes changed, words replaced, stretches moved, removed or cut off."""
    data = bytearray(content)
    # Structure stands at both ends of a model file; weights, in between, are much larger and less interesting.
    spots = [generator.randrange(len(data)), generator.randrange(min(len(data), 600)), -1 - generator.randrange(600)]
    for _ in range(generator.choice((1, 1, 2, 5, 20))):
        place = generator.choice(spots) % len(data)
        kind = generator.randrange(6)
        if kind == 0:
            data[place] ^= 1 << generator.randrange(8)
        elif kind == 1:
            data[place] = generator.randrange(256)
        elif kind == 2 and place + 4 <= len(data):
            data[place : place + 4] = generator.choice(EVIL).to_bytes(4, "little")
        elif kind == 3:
            other = generator.randrange(len(data))
            size = generator.randrange(1, 32)
            data[place : place + size] = data[other : other + size]
        elif kind == 4:
            del data[place : place + generator.randrange(1, 8)]
        elif generator.random() < 0.2:
            del data[place:]
        spots = [generator.randrange(len(data)) if generator.random() < 0.5 else s for s in spots] if data else spots
        if not data:
            break
    return _with_magic(data, content)


def splice(content: bytes, other: bytes, generator: random.Random) -> bytes:
    """The beginning of one file and the end of another, or one with a stretch of the other in it."""
    cut, start = generator.randrange(len(content)), generator.randrange(len(other))
    if generator.random() < 0.5:
        return _with_magic(bytearray(content[:cut] + other[start:]), content)
    size = generator.randrange(1, 400)
    return _with_magic(bytearray(content[:cut] + other[start : start + size] + content[cut + size :]), content)


def _with_magic(data: bytearray, content: bytes) -> bytes:
    """A TensorFlow Lite file without its magic is refused at the first look."""
    if content[4:8] == MAGIC:
        data[4:8] = MAGIC
    return bytes(data)
