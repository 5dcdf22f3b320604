"""The host's side of the framed link. PROTOCOL.md is the table that this module is tested against.

Frames go out in a window. The board executes them in order and answers each; a frame whose answer does not come is
sent again, and the board answers again without executing again. After everything that was resent goes a POLL: its
answer comes behind all others, so what is then still open is lost and not merely late.
"""

from __future__ import annotations

import secrets
import struct
import time
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from cobs import cobs

from edgelearn.device.base import Device
from edgelearn.errors import DeviceError, InputError, InternalError
from edgelearn.wire import (
    RESET,
    Ack,
    Command,
    Hello,
    Hyper,
    Op,
    Reply,
    Result,
    Space,
    Status,
    unpack_result,
    unpack_status,
)

PROTOCOL = 1
FIRST_PATIENCE = 0.1  # seconds of silence before the first POLL; doubles up to MOST_PATIENCE
MOST_PATIENCE = 2.0
Sample = tuple[bytes, bytes] | int  # the sample and its target as they travel, or the slot of a kept one

DATA_HEAD = 4
WRITE_HEAD = 8


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


class _Sent:
    """A frame under way; `answer` is (reply type, payload) once it came."""

    __slots__ = ("answer", "frame", "kind", "polls", "seq")

    def __init__(self, seq: int, kind: int, frame: bytes, polls: int) -> None:
        self.seq, self.kind, self.frame = seq, kind, frame
        self.polls = polls  # POLLs that had been sent before it
        self.answer: tuple[int, bytes] | None = None


class Link:
    """A session with a board. `hello` comes first; `timeout` is the longest silence while a sample is computed."""

    def __init__(self, device: Device, *, timeout: float = 60.0) -> None:
        self.device = device
        self.timeout = timeout
        self.statistics = Statistics()
        self.info: Hello | None = None
        self._received = bytearray()
        self._frames: deque[tuple[int, int, bytes]] = deque()
        self._pending: deque[_Sent] = deque()
        self._seq = 0
        self._poll: int | None = None  # which POLL, counted from the start, is on its way
        self._polls = 0
        self._recovering = False
        self._nonce = 0

    # Session

    def hello(self, expected_hash: bytes | str | None = None, *, timeout: float = 10.0) -> Hello:
        """Open a session: numbers start anew on both sides. DeviceError if the board runs another plan."""
        self._pending.clear()
        self._poll = None
        self._recovering = False
        self._nonce = secrets.randbelow((1 << 32) - 1) + 1
        self._seq = secrets.randbelow(256)
        frame = b"\0" + encode_frame(Command.HELLO, self._seq, struct.pack("<II", PROTOCOL, self._nonce))
        payload = self._greet(frame, timeout)
        self._seq = (self._seq + 1) & 0xFF
        self.info = Hello.unpack(payload)
        self._check(self.info, expected_hash)
        return self.info

    def _greet(self, frame: bytes, timeout: float) -> bytes:
        """The board may still be starting, and what comes before its UART is up is lost: repeat."""
        start = time.monotonic()
        patience = FIRST_PATIENCE
        while time.monotonic() - start < timeout:
            self.device.write(frame)
            until = time.monotonic() + patience
            patience = min(2 * patience, MOST_PATIENCE)
            while (left := until - time.monotonic()) > 0:
                for kind, _, payload in self._receive(left):
                    if (
                        kind == Reply.HELLO
                        and len(payload) >= 8
                        and self._nonce == int.from_bytes(payload[4:8], "little")
                    ):
                        return payload
        raise DeviceError(
            f"{self.device.name} is silent: no answer in {timeout:g} s",
            hint="check that the image runs on the board and that port and baud rate are right",
        )

    def _check(self, info: Hello, expected_hash: bytes | str | None) -> None:
        if info.protocol != PROTOCOL:
            raise DeviceError(f"{self.device.name} speaks protocol {info.protocol}, this edgelearn speaks {PROTOCOL}")
        wanted = expected_hash.hex() if isinstance(expected_hash, bytes) else expected_hash
        if wanted is not None and info.hash.hex() != wanted:
            raise DeviceError(
                f"the image on {self.device.name} is stale: it was built from plan {info.hash.hex()}, not {wanted}",
                hint="build and load the image again",
            )

    @property
    def _hello(self) -> Hello:
        if self.info is None:
            raise InternalError("the link was used before hello()")
        return self.info

    def close(self) -> None:
        """Tell the board to stop, as far as it still listens, and close the device."""
        try:
            if self.info is not None:
                self.device.write(b"\0" + encode_frame(Command.EXIT, self._seq))
        except DeviceError:
            pass
        finally:
            self.device.close()

    # Commands

    def configure(self, hyper: Hyper) -> None:
        """Set optimizer and schedule; counters and weights stay."""
        self._call(Command.CONFIG, hyper.pack())

    def train(self, sample: bytes, target: bytes) -> Result:
        """Train on one sample."""
        return self._run(Op.TRAIN, sample, target)

    def evaluate(self, sample: bytes, target: bytes) -> Result:
        """Loss and prediction of one sample; nothing changes."""
        return self._run(Op.EVAL, sample, target)

    def infer(self, sample: bytes) -> np.ndarray:
        """The output for one sample, float32, in device layout."""
        self._run(Op.INFER, sample, b"")
        return np.frombuffer(self.read("output"), "<f4").copy()

    def train_many(self, samples: Iterable[Sample]) -> Iterator[Result]:
        """Train on (sample, target) pairs or kept slots, one Result each, in order.

        The next sample travels while one is computed.
        """
        return self._many(Op.TRAIN, samples)

    def evaluate_many(self, samples: Iterable[Sample]) -> Iterator[Result]:
        """Evaluate samples in the same way."""
        return self._many(Op.EVAL, samples)

    def flush(self) -> Result:
        """Update with an incomplete batch; its samples keep the weight they have in a full one."""
        return self._result(self._finish(self._post(Command.FLUSH)))

    def status(self) -> Status:
        """Counters, running loss and accuracy, stack and link errors."""
        payload = self._call(Command.STATUS)
        status = unpack_status(payload)
        status.insn = self.device.instructions(status.ticks)
        return status

    def reset(self) -> None:
        """Weights as built, optimizer state and counters zero."""
        self._call(Command.RESET, struct.pack(RESET, 3, 0, 0, 0, 0.0, 0.0))

    def restore_counters(self, status: Status) -> None:
        """Go on where `status` was taken: with `params` and `state` written back, training continues bit by bit."""
        fields = (2, status.step, status.samples, status.in_batch, status.bias1, status.bias2)
        self._call(Command.RESET, struct.pack(RESET, *fields))

    def read(self, space: str) -> bytes:
        """All bytes of `params`, `state` or `output`."""
        number, size = self._space(space)
        step = self._hello.max_payload
        sent = [
            self._post(Command.READ, struct.pack("<III", number, at, min(step, size - at)))
            for at in range(0, size, step)
        ]
        return b"".join(self._finish(s) for s in sent)

    def write(self, space: str, data: bytes) -> None:
        """Replace all bytes of `params` or `state`."""
        number, size = self._space(space)
        if len(data) != size:
            raise InputError(f"{space} holds {size} bytes on {self.device.name}, {len(data)} were given")
        self._write_at(number, 0, data)

    def keep(self, slot: int, sample: bytes, target: bytes) -> None:
        """Put a sample into one of the board's `store_slots`; `train_many` then takes the slot's number for it."""
        info = self._hello
        self._check_sample(sample, target, info.target_bytes)
        if not 0 <= slot < info.store_slots:
            raise InputError(f"{self.device.name} keeps {info.store_slots} samples, there is no slot {slot}")
        self._write_at(Space.STORE, slot * (info.input_bytes + info.target_bytes), sample + target)

    def _write_at(self, space: int, offset: int, data: bytes) -> None:
        step = self._hello.max_payload - WRITE_HEAD
        sent = [
            self._post(Command.WRITE, struct.pack("<II", space, offset + at) + data[at : at + step])
            for at in range(0, len(data), step)
        ]
        for s in sent:
            self._finish(s)

    def echo_many(self, payloads: Iterable[bytes]) -> Iterator[bytes]:
        """Send payloads there and back, for tests of the link."""
        return (payload for payload in self._stream((Command.ECHO, p) for p in payloads))

    # Samples

    def _space(self, space: str) -> tuple[int, int]:
        info = self._hello
        sizes = {"params": info.params_bytes, "state": info.state_bytes, "output": info.output_bytes}
        if space not in sizes:
            raise InternalError(f"there is no memory '{space}'")
        return Space[space.upper()], sizes[space]

    def _check_sample(self, sample: bytes, target: bytes, target_bytes: int) -> None:
        if (len(sample), len(target)) != (self._hello.input_bytes, target_bytes):
            raise InputError(
                f"a sample has {len(sample)} bytes and its target {len(target)};"
                f" {self.device.name} wants {self._hello.input_bytes} and {target_bytes}"
            )

    def _commands(self, op: Op, samples: Iterable[Sample]) -> Iterator[tuple[int, bytes]]:
        for sample in samples:
            if isinstance(sample, int):
                yield Command.RUN, struct.pack("<II", op, sample)
            else:
                yield from ((Command.DATA, chunk) for chunk in self._chunks(op, *sample))

    def _chunks(self, op: Op, sample: bytes, target: bytes) -> Iterator[bytes]:
        self._check_sample(sample, target, 0 if op is Op.INFER else self._hello.target_bytes)
        data = sample + target
        step = self._hello.max_payload - DATA_HEAD
        for at in range(0, max(len(data), 1), step):
            code = op if at + step >= len(data) else Op.NONE
            yield struct.pack("<I", at | code << 28) + data[at : at + step]

    def _run(self, op: Op, sample: bytes, target: bytes) -> Result:
        sent = [self._post(Command.DATA, chunk) for chunk in self._chunks(op, sample, target)]
        for s in sent[:-1]:
            self._finish(s)
        return self._result(self._finish(sent[-1]))

    def _many(self, op: Op, samples: Iterable[Sample]) -> Iterator[Result]:
        for payload in self._stream(self._commands(op, samples), only=Reply.RESULT):
            yield self._result(payload)

    def _stream(self, commands: Iterable[tuple[int, bytes]], only: int | None = None) -> Iterator[bytes]:
        """Answers in order, each as soon as it is there, while the window stays full."""
        sent: deque[_Sent] = deque()
        for kind, payload in commands:
            sent.append(self._post(kind, payload))
            while sent and sent[0].answer is not None:
                yield from self._take(sent.popleft(), only)
        while sent:
            yield from self._take(sent.popleft(), only)

    def _take(self, sent: _Sent, only: int | None) -> Iterator[bytes]:
        payload = self._finish(sent)
        if only is None or (sent.answer is not None and sent.answer[0] == only):
            yield payload

    def _result(self, payload: bytes) -> Result:
        result = unpack_result(payload)
        result.insn = self.device.instructions(result.ticks)
        return result

    # Window

    def _call(self, kind: int, payload: bytes = b"") -> bytes:
        return self._finish(self._post(kind, payload))

    def _post(self, kind: int, payload: bytes = b"") -> _Sent:
        """Send as soon as the window has room and nothing is being recovered."""
        window = self._hello.window
        while self._recovering or (self._pending and (self._seq - self._pending[0].seq) & 0xFF >= window):
            self._pump()
        sent = _Sent(self._seq, kind, encode_frame(kind, self._seq, payload), self._polls)
        self._seq = (self._seq + 1) & 0xFF
        self._pending.append(sent)
        self.statistics.frames += 1
        self.device.write(sent.frame)
        return sent

    def _finish(self, sent: _Sent) -> bytes:
        while sent.answer is None:
            self._pump()
        kind, payload = sent.answer
        if kind == Reply.ACK and payload[1] != Ack.DONE:
            why = Ack(payload[1]).name.lower().replace("_", " ")
            raise DeviceError(f"{self.device.name} refused {Command(sent.kind).name}: {why}")
        return payload

    def _pump(self) -> None:
        """Handle what comes next; ask when nothing comes."""
        start = quiet = time.monotonic()
        patience = FIRST_PATIENCE
        while True:
            had = len(self._received)
            frames = self._receive(patience)
            for frame in frames:
                self._handle(*frame)
            if frames:
                return
            now = time.monotonic()
            if now - start > self.timeout:
                raise DeviceError(
                    f"{self.device.name} is silent: no answer in {self.timeout:g} s",
                    hint="a sample that takes longer needs a longer timeout",
                )
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
