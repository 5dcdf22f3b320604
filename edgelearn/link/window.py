"""Frames go out in a window.

The board executes them in order and answers each; a frame whose answer does not come is sent again, and the board
answers again without executing again. After everything that was resent goes a POLL: its answer comes behind all others,
so what is then still open is lost and not merely late.
"""

from __future__ import annotations

import time
from collections import deque

from edgelearn.device.base import Device
from edgelearn.errors import BoardFailed, BoardReset, BoardSilent, DeviceError, InternalError
from edgelearn.link.diagnosis import Heard
from edgelearn.link.frames import Sent, Statistics, decode_frame, encode_frame
from edgelearn.wire import Ack, Command, Hello, Reply

FIRST_PATIENCE = 0.1  # seconds of silence before the first POLL; doubles up to MOST_PATIENCE
MOST_PATIENCE = 2.0
DOUBT = 3.0  # seconds without a frame after which the board is greeted again


class Window:
    """Frames to a board and their answers. `info` is what the board said of itself, None until it did."""

    def __init__(self, device: Device, *, timeout: float = 60.0) -> None:
        self.device = device
        self.timeout = timeout
        self.statistics = Statistics()
        self.info: Hello | None = None
        self.heard = Heard()
        self._received = bytearray()
        self._pending: deque[Sent] = deque()
        self._seq = 0
        self._poll: int | None = None  # which POLL, counted from the start, is on its way
        self._polls = 0
        self._recovering = False
        self._greeting = b""  # the frame that opened the session

    @property
    def _hello(self) -> Hello:
        if self.info is None:
            raise InternalError("the link was used before hello()")
        return self.info

    def _call(self, kind: int, payload: bytes = b"") -> bytes:
        return self._finish(self._post(kind, payload))

    def _post(self, kind: int, payload: bytes = b"") -> Sent:
        """Send as soon as the window has room and nothing is being recovered."""
        window = self._hello.window
        while self._recovering or (self._pending and (self._seq - self._pending[0].seq) & 0xFF >= window):
            self._pump()
        sent = Sent(self._seq, kind, encode_frame(kind, self._seq, payload), self._polls)
        self._seq = (self._seq + 1) & 0xFF
        self._pending.append(sent)
        self.statistics.frames += 1
        self.device.write(sent.frame)
        return sent

    def _finish(self, sent: Sent) -> bytes:
        while sent.answer is None:
            self._pump()
        kind, payload = sent.answer
        if kind == Reply.ACK and payload[1] != Ack.DONE:
            if payload[1] == Ack.FAILED:
                raise BoardFailed(f"{self.device.name} could not do {Command(sent.kind).name}")
            why = Ack(payload[1]).name.lower().replace("_", " ")
            raise DeviceError(f"{self.device.name} refused {Command(sent.kind).name}: {why}")
        return payload

    def _pump(self) -> None:
        """Handle what comes next; ask when nothing comes."""
        start = quiet = time.monotonic()
        patience, greeted = FIRST_PATIENCE, False
        while True:
            had = len(self._received)
            frames = self._receive(patience)
            if greeted and frames and frames[0][0] == Reply.HELLO:
                raise BoardReset(f"{self.device.name} was reset")
            for frame in frames:
                self._handle(*frame)
            if frames:
                return
            now = time.monotonic()
            if now - start > self.timeout:
                raise BoardSilent(
                    f"{self.device.name} is silent: no answer in {self.timeout:g} s",
                    hint="a sample that takes longer needs a longer timeout",
                )
            if self.device.lives_on and not greeted and now - start > DOUBT:
                # One that computes answers in order, what it was asked before first; one that was reset, this alone.
                greeted = True
                self.device.write(self._greeting)
            if len(self._received) != had:
                quiet = now  # a slow link is still at it
            elif now - quiet >= patience:
                self._send_poll()
                quiet = now
                patience = min(2 * patience, MOST_PATIENCE)

    def _receive(self, timeout: float) -> list[tuple[int, int, bytes]]:
        data = self.device.read(timeout)
        self._received += data
        if b"\0" not in data:
            self.heard.add(data, 0)
            return []
        *whole, rest = bytes(self._received).split(b"\0")
        self._received = bytearray(rest)
        frames = []
        for coded in whole:
            if not coded:
                continue
            frame = decode_frame(coded)
            if frame is None:
                self.statistics.damaged += 1
                self._recover()
            else:
                frames.append(frame)
        self.heard.add(data, len(frames))
        return frames

    def _handle(self, kind: int, seq: int, payload: bytes) -> None:
        if kind == Reply.ACK and len(payload) == 2 and payload[1] in (Ack.DAMAGED, Ack.GAP):
            self._recover()
        elif kind == Reply.ACK and len(payload) == 2 and payload[1] == Ack.POLLED:
            self._settle_poll(seq)
        else:
            self._settle(kind, seq, payload)

    def _settle(self, kind: int, seq: int, payload: bytes) -> None:
        """An answer; one that overtakes an older frame's says that the older one's is lost."""
        for place, sent in enumerate(self._pending):
            if sent.seq == seq and kind in (Reply.ACK, sent.kind | Reply.ACK, Reply.RESULT):
                sent.answer = (kind, payload)
                del self._pending[place]
                if place > 0:
                    self._recover()
                return

    def _settle_poll(self, seq: int) -> None:
        """Frames that were sent before the POLL and have no answer yet are lost."""
        if self._poll is None or seq != self._poll & 0xFF:
            return
        asked, self._poll, self._recovering = self._poll, None, False
        if any(sent.polls < asked for sent in self._pending):
            self._recover()

    def _recover(self) -> None:
        """Send everything open again, unless a POLL is on its way that will tell more."""
        if self._poll is not None or not self._pending:
            return
        self._recovering = True
        self.statistics.resends += len(self._pending)
        for sent in self._pending:
            sent.polls = self._polls
        self.device.write(b"\0" + b"".join(sent.frame for sent in self._pending))
        self._send_poll()

    def _send_poll(self) -> None:
        self._polls += 1
        self._poll = self._polls
        self.statistics.polls += 1
        self.device.write(b"\0" + encode_frame(Command.POLL, self._poll & 0xFF))
