"""A device whose link is bad on purpose: bytes flip, vanish and appear, whole writes are lost or come twice."""

from __future__ import annotations

import random

from edgelearn.device import Device


class NoisyDevice(Device):
    """Wraps a device; probabilities are per frame-sized piece, both ways. `quiet()` ends the noise."""

    def __init__(self, inner: Device, seed: int, *, flip: float, lose: float, repeat: float, insert: float) -> None:
        self.inner, self.name = inner, inner.name
        self.random = random.Random(seed)
        self.chances = {"flip": flip, "lose": lose, "repeat": repeat, "insert": insert}
        self.done = dict.fromkeys(self.chances, 0)
        self._held = bytearray()
        super().__init__()

    def quiet(self) -> None:
        self.chances = dict.fromkeys(self.chances, 0.0)

    def _hits(self, kind: str) -> bool:
        hit = self.random.random() < self.chances[kind]
        self.done[kind] += hit
        return hit

    def _spoil(self, data: bytes) -> bytes:
        """Frame by frame, so that long writes suffer as often as short ones."""
        out = bytearray()
        for piece in data.split(b"\0"):
            frame = bytearray(piece + b"\0")
            if self._hits("lose"):
                continue
            if self._hits("flip"):
                frame[self.random.randrange(len(frame))] ^= 1 << self.random.randrange(8)
            if self._hits("insert"):
                at = self.random.randrange(len(frame) + 1)
                frame[at:at] = self.random.randbytes(self.random.randrange(1, 40))
            out += frame * (2 if self._hits("repeat") else 1)
        return bytes(out[:-1]) if out else b""

    def read(self, timeout: float) -> bytes:
        data = self.inner.read(timeout)
        self._held += data
        whole, zero, rest = bytes(self._held).rpartition(b"\0")
        if not zero:
            return b""
        self._held = bytearray(rest)
        return self._spoil(whole + b"\0")

    def write(self, data: bytes) -> None:
        self.inner.write(self._spoil(data))

    def spent(self, ticks: int) -> int:
        return self.inner.spent(ticks)

    def _shut(self) -> None:
        self.inner.close()
