"""A board in this process, on a pseudo-terminal: it greets and counts, and misbehaves in every way that boards do."""

from __future__ import annotations

import os
import select
import struct
import termios
import threading
import tty
from pathlib import Path

from edgelearn.link import PROTOCOL, decode_frame, encode_frame
from edgelearn.wire import HELLO_REPLY, STATUS, Ack, Command, Reply, Status

HASH = bytes.fromhex("0123456789abcdef")
SPEEDS = {getattr(termios, name): int(name[1:]) for name in dir(termios) if name[1:].isdigit() and name[0] == "B"}
FRESH = Status(0, 0, 0, 0, 0.0, 0.0, 0.0, 0.01, 0.0, 0.0, 512, 1000, 0, 0, 0, 0)


def hello_reply(nonce: int, *, protocol: int = PROTOCOL, plan: bytes = HASH, labels: bool = True) -> bytes:
    """What a board of 100 weights says of itself."""
    first = (protocol, nonce, plan, 480, 4, 24, 4, 12, 400, 0, 1, 0 if labels else 1, 4096)
    count = len(HELLO_REPLY.removeprefix("<II8s")) + 3
    return struct.pack(HELLO_REPLY, *first, *[0] * (count - len(first)))


class FakeBoard:
    """`port` is a path that stays while the board comes and goes. Each STATUS answers with `trained` more samples."""

    def __init__(self, folder: Path, *, baud: int | None = None, protocol: int = PROTOCOL, plan: bytes = HASH) -> None:
        self.port = folder / "ttyBOARD"
        self.baud, self.protocol, self.plan = baud, protocol, plan
        self.says = b""  # instead of an answer
        self.silent = False
        self.labels = True
        self.status = FRESH
        self.trained = 10
        self.commands: list[int] = []
        self._nonce = 0
        self._lock = threading.Lock()
        self._master = -1
        self._stop = threading.Event()
        self.plug()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def plug(self) -> None:
        """A new terminal behind the same path."""
        with self._lock:
            self._master, slave = os.openpty()
            tty.setraw(slave)
            self._slave = slave
            self.port.unlink(missing_ok=True)
            self.port.symlink_to(os.ttyname(slave))
            self.reset_state()

    def unplug(self) -> None:
        """The port is gone."""
        with self._lock:
            self.port.unlink(missing_ok=True)
            os.close(self._slave)
            os.close(self._master)
            self._master = -1

    def reset_state(self) -> None:
        """As the board is behind its reset button: no session, and counters at zero."""
        self._nonce, self.status = 0, FRESH

    def close(self) -> None:
        """For good."""
        self._stop.set()
        self._thread.join()
        if self._master >= 0:
            self.unplug()

    def _serve(self) -> None:
        received = b""
        while not self._stop.is_set():
            with self._lock:
                if self._master < 0 or not select.select([self._master], [], [], 0.01)[0]:
                    continue
                received += os.read(self._master, 4096)
                *frames, received = received.split(b"\0")
                for coded in filter(None, frames):
                    self._answer(coded)

    def _answer(self, coded: bytes) -> None:
        if self.silent:
            return
        if self.says:
            os.write(self._master, self.says)
            return
        if self.baud is not None and SPEEDS[termios.tcgetattr(self._master)[4]] != self.baud:
            os.write(self._master, b"\xf8\x80\x07\xc0")  # what a UART makes of bits that are too long or too short
            return
        frame = decode_frame(coded)
        if frame is None:
            return
        kind, seq, payload = frame
        self.commands.append(kind)
        if kind == Command.HELLO:
            self._nonce = struct.unpack("<II", payload)[1]
            reply = hello_reply(self._nonce, protocol=self.protocol, plan=self.plan, labels=self.labels)
            os.write(self._master, encode_frame(Reply.HELLO, seq, reply))
        elif self._nonce == 0:
            return
        elif kind == Command.POLL:
            os.write(self._master, encode_frame(Reply.ACK, seq, bytes((0, Ack.POLLED))))
        elif kind == Command.STATUS:
            os.write(self._master, encode_frame(Reply.STATUS, seq, self._count()))

    def _count(self) -> bytes:
        s = self.status
        s = Status(**{**vars(s), "samples": s.samples + self.trained, "step": s.step + self.trained})
        s.ticks += 1000
        if s.samples:
            s.last_loss = s.mean_loss = 2.0 / (1 + s.samples / 10)
            s.accuracy = 1 - 1 / (1 + s.samples / 10)
        self.status = s
        values = [v for k, v in vars(s).items() if k != "spent"]
        return struct.pack(STATUS, *values)
