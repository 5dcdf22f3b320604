"""Latent replay: which samples' latents a board keeps, in which bytes, and which it trains on again.

Latents are what crosses the cut between frozen and trained layers (L. Pellegrini et al., "Latent Replay for Real-Time
Continual Learning", IROS 2020). `Reservoir` takes the decisions of firmware/src/replay.c with the same integers, so
that the host knows at any time what the board keeps.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgelearn.formats import F16, S8
from edgelearn.graph import Graph, Quant, Tensor
from edgelearn.memory import aligned
from edgelearn.ops.quantized.convert import dequantized, quant_between, quantized
from edgelearn.verdict import class_count

HEAD = "<IIII"  # state of the generator, slots in use, latents replayed, ratio
CLASS = "<IHH"  # samples offered, of them held, whether it was ever among the largest
SCALE = "<fi"  # scale and zero point
LABEL = "<I"
_DTYPES: dict[str, np.dtype[Any]] = {
    "integers": np.dtype("i1"),
    "s8": np.dtype("i1"),
    "f16": np.dtype("<f2"),
    "f32": np.dtype("<f4"),
}
WORD = 0xFFFFFFFF


@dataclass(frozen=True)
class Latents:
    """The tensors of a graph's cut, and the bytes that a copy of them takes in a replay memory.

    A float tensor is kept in `kind`, s8, f16 or f32; one that is int8 anyway stays as it is.
    """

    tensors: tuple[Tensor, ...]
    kind: str
    classes: int

    @classmethod
    def of(cls, graph: Graph, kind: str) -> Latents:
        """Those of a graph with a cut; without one there is nothing to keep."""
        names = graph.meta.get("cut", ())
        return cls(tuple(graph.tensors[n] for n in names), kind, class_count(graph))

    def kept_as(self, tensor: Tensor) -> str:
        """`integers`, s8, f16 or f32; halves stay halves where they are not rounded to int8."""
        if tensor.format is F16 and self.kind == "f32":
            return F16.name
        return "integers" if tensor.format is S8 else self.kind

    @property
    def rounded(self) -> tuple[Tensor, ...]:
        """Float tensors that are kept as int8, each with a scale."""
        return tuple(t for t in self.tensors if self.kept_as(t) == "s8")

    def _size(self, tensor: Tensor) -> int:
        return tensor.count * _DTYPES[self.kept_as(tensor)].itemsize

    @property
    def nbytes_kept(self) -> int:
        """One copy: the tensors, each padded to 4 bytes."""
        return sum(aligned(self._size(t)) for t in self.tensors)

    @property
    def slot_bytes(self) -> int:
        """One slot: a copy and its label."""
        return self.nbytes_kept + struct.calcsize(LABEL)

    @property
    def head_bytes(self) -> int:
        """What stands in front of the slots."""
        records = self.classes * struct.calcsize(CLASS) + len(self.rounded) * struct.calcsize(SCALE)
        return struct.calcsize(HEAD) + records

    def nbytes(self, slots: int, *, stored: bool = False) -> int:
        """A replay memory of so many slots; for none only its head, and only where `stored` latents have scales."""
        return self.head_bytes + slots * self.slot_bytes if slots or (stored and self.rounded) else 0

    def place(self, slot: int) -> tuple[int, int]:
        """Offset and length of a slot, its label left out."""
        return self.head_bytes + slot * self.slot_bytes, self.nbytes_kept

    def pack_head(self, reservoir: Reservoir, quants: Mapping[str, Quant], ratio: int) -> bytes:
        """What stands in front of the slots, as the board has it."""
        head = struct.pack(HEAD, reservoir.random, reservoir.kept, reservoir.replayed, ratio)
        classes = zip(reservoir.seen, reservoir.held, reservoir.full, strict=True)
        scales = (quants[t.name] for t in self.rounded)
        return b"".join(
            (
                head,
                *(struct.pack(CLASS, *record) for record in classes),
                *(struct.pack(SCALE, q.scale[0], q.zero_point[0]) for q in scales),
            )
        )

    def keep(self, values: Mapping[str, np.ndarray], quants: Mapping[str, Quant]) -> bytes:
        """A slot's bytes, without its label, for the values of the cut."""
        parts = []
        for tensor in self.tensors:
            kept, value = self.kept_as(tensor), values[tensor.name]
            with np.errstate(over="ignore"):
                stored = quantized(quants[tensor.name], value) if kept == "s8" else value.astype(_DTYPES[kept])
            parts.append(stored.tobytes().ljust(aligned(stored.nbytes), b"\0"))
        return b"".join(parts)

    def recall(self, data: bytes, quants: Mapping[str, Quant]) -> dict[str, np.ndarray]:
        """The values of the cut that a slot's bytes stand for."""
        values, at = {}, 0
        for tensor in self.tensors:
            kept = self.kept_as(tensor)
            stored = np.frombuffer(data, _DTYPES[kept], tensor.count, at).reshape(tensor.shape)
            real = dequantized(quants[tensor.name], stored) if kept == "s8" else stored
            values[tensor.name] = real if kept == "integers" else real.astype(np.float32)
            at += aligned(self._size(tensor))
        return values

    def apart(self, one: bytes, other: bytes, quants: Mapping[str, Quant]) -> float:
        """How far two copies are from each other: in steps of what is kept as int8, in parts of the largest value
        elsewhere.
        """
        worst = 0.0
        ours, theirs = self.recall(one, quants), self.recall(other, quants)
        for tensor in self.tensors:
            a, b = (v[tensor.name].astype(np.float64) for v in (ours, theirs))
            kept = self.kept_as(tensor)
            unit = {"s8": quants[tensor.name].scale[0] if kept == "s8" else 1.0, "integers": 1.0}
            most = float(np.abs(a).max(initial=1e-6))
            worst = max(worst, float(np.abs(a - b).max(initial=0)) / unit.get(kept, most))
        return worst


def calibrate(latents: Latents, seen: Iterable[Mapping[str, np.ndarray]]) -> dict[str, Quant]:
    """A scale and zero point for each float tensor that is kept as int8: the range of what was seen, and zero in it."""
    low = {t.name: 0.0 for t in latents.rounded}
    high = dict(low)
    for values in seen:
        for name in low:
            low[name] = min(low[name], float(values[name].min()))
            high[name] = max(high[name], float(values[name].max()))
    return {name: quant_between(low[name], high[name]) for name in low}


@dataclass
class Reservoir:
    """A memory of `slots` labels that gives each class its share, by the decisions of the board.

    While there is room everything is taken up. Then a class that has never been among the largest takes a place of the
    largest one, and any other class takes a place of its own with the chance that a reservoir of its places gives
    (A. Chrysakis, M.-F. Moens, "Online Continual Learning from Imbalanced Data", ICML 2020).
    """

    slots: int
    classes: int
    random: int
    labels: list[int] = field(default_factory=list)
    replayed: int = 0
    seen: list[int] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    full: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = (self.random * 0x9E3779B1 + 0x85EBCA6B) & WORD or 1
        self.seen, self.held, self.full = ([0] * self.classes for _ in range(3))

    @property
    def kept(self) -> int:
        """Slots in use."""
        return len(self.labels)

    def _below(self, count: int) -> int:
        """0 .. count-1, by Marsaglia's xorshift."""
        x = self.random
        x ^= x << 13 & WORD
        x ^= x >> 17
        x ^= x << 5 & WORD
        self.random = x
        return x * count >> 32

    def _any_of(self, label: int) -> int:
        places = [k for k, held in enumerate(self.labels) if held == label]
        return places[self._below(len(places))]

    def _place_for(self, label: int) -> int | None:
        if self.kept < self.slots:
            return self.kept
        most = max(self.held)
        self.full = [int(f or h == most) for f, h in zip(self.full, self.held, strict=True)]
        if self.full[label]:
            return self._any_of(label) if self._below(self.seen[label]) < self.held[label] else None
        return self._any_of(self.held.index(most))

    def offer(self, label: int) -> int | None:
        """The slot that a sample of a class gets, or None."""
        self.seen[label] += 1
        slot = self._place_for(label)
        if slot is None:
            return None
        if slot < self.kept:
            self.held[self.labels[slot]] -= 1
            self.labels[slot] = label
        else:
            self.labels.append(label)
        self.held[label] += 1
        return slot

    def draw(self, besides: int | None) -> int | None:
        """A slot to train on, any but `besides` with the same chance; None if there is none."""
        count = self.kept - (besides is not None)
        if count <= 0:
            return None
        slot = self._below(count)
        self.replayed += 1
        return slot + (besides is not None and slot >= besides)

    def draws(self, count: int, besides: int | None) -> Iterator[int]:
        """Up to `count` slots, those that follow one new sample."""
        for _ in range(count):
            slot = self.draw(besides)
            if slot is None:
                return
            yield slot
