"""Frames of the link: bytes between two zero bytes, and what became of those under way."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from cobs import cobs


def encode_frame(kind: int, seq: int, payload: bytes = b"") -> bytes:
    """COBS(type, seq, payload, CRC-32) and the zero byte."""
    body = bytes((kind, seq)) + payload
    return bytes(cobs.encode(body + struct.pack("<I", zlib.crc32(body)))) + b"\0"


def decode_frame(coded: bytes) -> tuple[int, int, bytes] | None:
    """(type, seq, payload) of what stood between two zero bytes; None if it is damaged."""
    try:
        body = cobs.decode(coded)
    except cobs.DecodeError:
        return None
    if len(body) < 6 or zlib.crc32(body[:-4]) != int.from_bytes(body[-4:], "little"):
        return None
    return body[0], body[1], body[2:-4]


@dataclass
class Statistics:
    """What went wrong on the way, and was put right."""

    frames: int = 0
    resends: int = 0
    damaged: int = 0
    polls: int = 0


class Sent:
    """A frame under way; `answer` is (reply type, payload) once it came."""

    __slots__ = ("answer", "frame", "kind", "polls", "seq")

    def __init__(self, seq: int, kind: int, frame: bytes, polls: int) -> None:
        self.seq, self.kind, self.frame = seq, kind, frame
        self.polls = polls  # POLLs that had been sent before it
        self.answer: tuple[int, bytes] | None = None
