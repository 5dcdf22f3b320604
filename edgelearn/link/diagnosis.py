"""What is wrong with a port that does not answer, told from what came through it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from edgelearn.device.base import Device
from edgelearn.device.port import RATES, PortDevice
from edgelearn.errors import BoardSilent
from edgelearn.link.frames import decode_frame

KEPT = 256  # bytes of what came
PROBE = 0.4  # seconds for an answer at another rate
TEXT = 0.9  # the share of printable characters from which on something is text, and not a wrong rate
LEAST_TEXT = 8  # characters
QUOTED = 40
LOAD = "edgelearn flash loads the image"


@dataclass
class Heard:
    """What came while a board was asked for its name."""

    count: int = 0
    frames: int = 0
    start: bytearray = field(default_factory=bytearray)

    def add(self, data: bytes, frames: int) -> None:
        """More bytes, and how many good frames they completed."""
        self.count += len(data)
        self.frames += frames
        self.start += data[: KEPT - len(self.start)]

    @property
    def text(self) -> str:
        """A line that a program of another kind says; "" if it is not text."""
        shown = bytes(self.start)
        good = sum(32 <= b < 127 or b in b"\t\r\n" for b in shown)
        if len(shown) < LEAST_TEXT or good < TEXT * len(shown):
            return ""
        lines = [line.strip() for line in shown.decode("ascii", "replace").splitlines()]
        return max(lines, key=len)[:QUOTED]


def explain_silence(
    device: Device, heard: Heard, greeting: bytes, timeout: float, *, probe: bool = True
) -> BoardSilent:
    """The error for a board that did not answer `greeting`; `probe`: asks again at other rates, where there are any."""
    name = device.name
    if heard.text:
        return BoardSilent(f"{name} runs another program, which says '{heard.text}'", hint=LOAD)
    if heard.frames:
        return BoardSilent(
            f"{name} sends frames, but no answer to ours in {timeout:g} s",
            hint="another program may be talking to the board: close it, then reset the board",
        )
    rate = device.baud if isinstance(device, PortDevice) else None
    if probe and isinstance(device, PortDevice) and rate is not None:
        right = _answering_rate(device, greeting)
        if right:
            text = f"{name} does not answer at {rate:,} baud, but at {right:,} it does"
            error = BoardSilent(text, hint=f"--baud {right}")
            error.rate = right
            return error
    if heard.count:
        what = f"{heard.count:,} bytes came from {name}{f' at {rate:,} baud' if rate else ''}, none of them is a frame"
        tried = "no usual baud rate makes frames of them" if rate else "they are not edgelearn's"
        return BoardSilent(what, hint=f"{tried}: another program runs on the board; {LOAD}")
    return BoardSilent(
        f"{name} is silent: no answer in {timeout:g} s",
        hint="check that the image runs on the board and that port and baud rate are right",
    )


def _answering_rate(device: PortDevice, greeting: bytes) -> int | None:
    """The rate at which a board answers; afterwards the port has its old one."""
    before = device.baud
    try:
        for rate in RATES:
            if rate != before and device.set_baud(rate) and _answers(device, greeting):
                return rate
        return None
    finally:
        device.set_baud(before or RATES[0])


def _answers(device: Device, greeting: bytes) -> bool:
    received = bytearray()
    device.write(greeting)
    end = time.monotonic() + PROBE
    while (left := end - time.monotonic()) > 0:
        received += device.read(left)
        if any(decode_frame(coded) for coded in bytes(received).split(b"\0") if coded):
            return True
    return False
