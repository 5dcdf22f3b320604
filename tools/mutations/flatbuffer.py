"""Damages a TensorFlow Lite file inside its format: offsets still lead somewhere, and what is there has changed."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tools.mutations.binary import EVIL, MAGIC

__all__ = ["MAGIC", "mutate_flatbuffer"]

# The tables of a model as {field number: what it holds}: a letter of `struct` for a number, "[i" for a vector of
# numbers, "s" for text, a name for a table and "[name" for a vector of tables. "any" is a table of unknown numbers.
SCHEMA: dict[str, dict[int, str]] = {
    "model": {0: "I", 1: "[code", 2: "[graph", 4: "[buffer"},
    "code": {0: "b", 1: "s", 2: "i", 3: "i"},
    "graph": {0: "[tensor", 1: "[i", 2: "[i", 3: "[operator", 4: "s"},
    "tensor": {0: "[i", 1: "b", 2: "I", 3: "s", 4: "quantization", 5: "b", 7: "[i"},
    "quantization": {0: "[f", 1: "[f", 2: "[f", 3: "[q", 4: "b", 6: "i"},
    "operator": {0: "I", 1: "[i", 2: "[i", 3: "b", 4: "any"},
    "buffer": {0: "[B"},
    "any": dict.fromkeys(range(12), "i"),
}
FLOATS = (0.0, -1.0, 1e-30, 3e38, float("inf"), float("nan"), 0.5)
SMALL = (0, 1, 2, 3, 4, 5, 7, 127, 128, 255)
MOST_SITES = 200  # of one vector: a long one is weights


@dataclass(frozen=True)
class Site:
    """A place to change: a number (letter of `struct`), the length of a vector, a reference or an entry of a vtable."""

    kind: str
    at: int
    others: tuple[int, ...] = ()  # for a reference, the tables it could lead to; for an entry, its neighbours


def mutate_flatbuffer(content: bytes, other: bytes, generator: random.Random) -> bytes:
    """One to five places changed, as shapes, types, operands, options, scales and lengths are; `other` is not used."""
    data, groups = bytearray(content), _groups(content)
    for _ in range(generator.choice((1, 1, 1, 2, 5))):
        _change(data, generator.choice(groups[generator.choice(sorted(groups))]), generator)
    return bytes(data)


@cache
def _groups(content: bytes) -> dict[str, list[Site]]:
    """The places by kind of table and field: there are many more tensors than graphs, and each kind has its turn."""
    groups: dict[str, list[Site]] = {}
    for title, site in sites(content):
        groups.setdefault(title, []).append(site)
    return groups


def sites(content: bytes) -> Iterator[tuple[str, Site]]:
    """(kind of table and field, place) of everything that can be changed in a whole file."""
    todo, seen = [("model", struct.unpack_from("<I", content)[0])], set()
    while todo:
        name, table = todo.pop()
        if table in seen:
            continue
        seen.add(table)
        vtable = table - struct.unpack_from("<i", content, table)[0]
        (size,) = struct.unpack_from("<H", content, vtable)
        entries = tuple(range(vtable + 4, vtable + size, 2))
        for number, entry in enumerate(entries):
            (offset,) = struct.unpack_from("<H", content, entry)
            yield f"{name} vtable", Site("entry", entry, entries)
            kind = SCHEMA[name].get(number)
            if offset and kind:
                yield from _field(content, f"{name} {number}", kind, table + offset, todo)


def _field(content: bytes, title: str, kind: str, at: int, todo: list[tuple[str, int]]) -> Iterator[tuple[str, Site]]:
    if len(kind) == 1 and kind != "s":
        yield title, Site(kind, at)
        return
    target = at + struct.unpack_from("<I", content, at)[0]
    if kind in SCHEMA:
        todo.append((kind, target))
        return
    (count,) = struct.unpack_from("<I", content, target)
    yield f"{title} length", Site("length", target)
    first, item = target + 4, kind[1:] or "B"
    if item in SCHEMA:
        places = [first + 4 * k for k in range(count)]
        tables = tuple(place + struct.unpack_from("<I", content, place)[0] for place in places)
        todo += [(item, table) for table in tables]
        for place in places:
            yield f"{title} reference", Site("reference", place, tables)
    else:
        for k in range(min(count, MOST_SITES)):
            yield title, Site(item, first + k * struct.calcsize(item))


def _change(data: bytearray, site: Site, generator: random.Random) -> None:
    if site.kind == "entry":
        near = struct.unpack_from("<H", data, generator.choice(site.others))[0]
        struct.pack_into("<H", data, site.at, generator.choice((0, near, near)))
    elif site.kind == "reference":
        struct.pack_into("<I", data, site.at, (generator.choice(site.others) - site.at) & 0xFFFFFFFF)
    elif site.kind == "length":
        old = struct.unpack_from("<I", data, site.at)[0]
        struct.pack_into("<I", data, site.at, generator.choice((*EVIL, old + 1, max(old - 1, 0), 2 * old)) & 0xFFFFFFFF)
    elif site.kind == "f":
        struct.pack_into("<f", data, site.at, generator.choice(FLOATS))
    else:
        size = struct.calcsize(site.kind)
        old = int.from_bytes(data[site.at : site.at + size], "little")
        value = generator.choice((*EVIL, *SMALL, old + 1, old - 1, -old, 2 * old))
        data[site.at : site.at + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")
