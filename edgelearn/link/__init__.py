"""The host's side of the framed link. PROTOCOL.md is the table that this package is tested against."""

from __future__ import annotations

import math
import secrets
import struct
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from edgelearn.device.base import Device
from edgelearn.errors import BoardFailed, DeviceError, InputError, InternalError
from edgelearn.link.diagnosis import Heard, explain_silence
from edgelearn.link.frames import Sent, decode_frame, encode_frame
from edgelearn.link.window import FIRST_PATIENCE, MOST_PATIENCE, Window
from edgelearn.wire import (
    NO_LABEL,
    RESET,
    Command,
    Feature,
    Hello,
    Hyper,
    Op,
    Reply,
    Result,
    Source,
    Space,
    Status,
    unpack_result,
    unpack_status,
)

__all__ = ["PROTOCOL", "Link", "Sample", "decode_frame", "encode_frame"]

PROTOCOL = 3


@dataclass(frozen=True)
class Own:
    """A sample that the board takes itself: `argument` is the label for a sensor, the index for a set in flash."""

    source: Source
    argument: int = NO_LABEL


# The sample and its target as they travel, the slot of a kept one, or one of the board's own.
Sample = tuple[bytes, bytes] | int | Own


WHICH = ("latest", "best")
FORGET = 2
DATA_HEAD = 4
WRITE_HEAD = 8


class Link(Window):
    """A session with a board. `hello` comes first; `timeout` is the longest silence while a sample is computed."""

    def __init__(self, device: Device, *, timeout: float = 60.0) -> None:
        super().__init__(device, timeout=timeout)
        self._nonce = 0

    # Session

    def hello(self, expected_hash: bytes | str | None = None, *, timeout: float = 10.0, diagnose: bool = True) -> Hello:
        """Open a session: numbers start anew on both sides. DeviceError if the board runs another plan, BoardSilent if
        none answers; `diagnose` then finds out why, which takes seconds and may change the port's rate meanwhile.
        """
        self._pending.clear()
        self._poll = None
        self._recovering = False
        self._nonce = secrets.randbelow((1 << 32) - 1) + 1
        self._seq = secrets.randbelow(256)
        frame = b"\0" + encode_frame(Command.HELLO, self._seq, struct.pack("<II", PROTOCOL, self._nonce))
        payload = self._greet(frame, timeout, diagnose)
        self._greeting = frame
        self._seq = (self._seq + 1) & 0xFF
        self.info = Hello.unpack(payload)
        self._check(self.info, expected_hash)
        self.device.counter_hz = self.info.counter_hz
        return self.info

    def _greet(self, frame: bytes, timeout: float, diagnose: bool) -> bytes:
        """The board may still be starting, and what comes before its UART is up is lost: repeat."""
        start = time.monotonic()
        patience = FIRST_PATIENCE
        self.heard = Heard()
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
        raise explain_silence(self.device, self.heard, frame, timeout, probe=diagnose)

    def _check(self, info: Hello, expected_hash: bytes | str | None) -> None:
        if info.protocol != PROTOCOL:
            raise DeviceError(
                f"{self.device.name} speaks protocol {info.protocol}, this edgelearn speaks {PROTOCOL}",
                hint="build and load the image again",
            )
        wanted = expected_hash.hex() if isinstance(expected_hash, bytes) else expected_hash
        if wanted is not None and info.hash.hex() != wanted:
            raise DeviceError(
                f"the image on {self.device.name} is stale: it was built from plan {info.hash.hex()}, not {wanted}",
                hint="build and load the image again",
            )

    def close(self) -> None:
        """Tell the board to stop, if it is ours and as far as it still listens, and close the device."""
        try:
            if self.info is not None and not self.device.lives_on:
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
        return self.run_many(Op.TRAIN, samples)

    def evaluate_many(self, samples: Iterable[Sample]) -> Iterator[Result]:
        """Evaluate samples in the same way."""
        return self.run_many(Op.EVAL, samples)

    def run_many(self, op: Op, samples: Iterable[Sample]) -> Iterator[Result]:
        """Any operation on samples in the same way."""
        for payload in self._stream(self._commands(op, samples), only=Reply.RESULT):
            yield self._result(payload)

    def sense(self, op: Op, label: int | None = None) -> Result:
        """An operation on the next sample of the board's sensor; without a label the board itself says it.

        BoardFailed if the sensor has none now, or nobody says the label of one to learn from.
        """
        (result,) = self.run_many(op, [Own(Source.SENSOR, NO_LABEL if label is None else label)])
        return result

    def take(self, label: int | None = None) -> None:
        """The next sample of the board's sensor into the model's input, where `read` finds it; nothing is learned."""
        self._call(Command.SAMPLE, struct.pack("<III", Op.NONE, Source.SENSOR, NO_LABEL if label is None else label))

    def flush(self) -> Result:
        """Update with an incomplete batch; its samples keep the weight they have in a full one."""
        return self._result(self._finish(self._post(Command.FLUSH)))

    def status(self) -> Status:
        """Counters, running loss and accuracy, stack and link errors."""
        payload = self._call(Command.STATUS)
        status = unpack_status(payload)
        status.spent = self.device.spent(status.ticks)
        return status

    def reset(self) -> None:
        """Weights as built, optimizer state and counters zero."""
        self._call(Command.RESET, struct.pack(RESET, 3, 0, 0, 0, 0.0, 0.0))

    def restore_counters(self, status: Status) -> None:
        """Go on where `status` was taken: with `params` and `state` written back, training continues bit by bit."""
        fields = (2, status.step, status.samples, status.in_batch, status.bias1, status.bias2)
        self._call(Command.RESET, struct.pack(RESET, *fields))

    def save(self, score: float | None = None) -> None:
        """Save weights, state and counters in the board's flash.

        `score` is a loss on held-out samples, by which the best save is known; without one it is the running mean.
        DeviceError if the board has no flash for it, or the flash failed.
        """
        self._stored(Command.SAVE, struct.pack("<If", score is not None, math.nan if score is None else score), "save")

    def forget(self) -> None:
        """Forget all that was saved; weights in RAM stay."""
        self._stored(Command.SAVE, struct.pack("<If", FORGET, 0.0), "forget what it saved")

    def restore(self, which: str = "latest") -> None:
        """Weights, state, counters and settings as they were saved: the `latest` or the `best`.

        DeviceError if nothing was saved; nothing has changed then.
        """
        self._stored(Command.RESTORE, struct.pack("<I", WHICH.index(which)), f"restore the {which} save")

    def _stored(self, kind: Command, payload: bytes, what: str) -> None:
        if not self._hello.features & Feature.HAS_STORE:
            raise DeviceError(
                f"the program on {self.device.name} saves nothing", hint="build it with --save-every, for example 100"
            )
        try:
            self._call(kind, payload)
        except BoardFailed:
            raise BoardFailed(f"{self.device.name} could not {what}") from None

    def read(self, space: str, at: int = 0, count: int | None = None) -> bytes:
        """All bytes of `params`, `state`, `output`, `replay`, or of the last sample's `input` and `target`; or `count`
        bytes from `at` on, also of what a sensor has `kept`.
        """
        number, size = self._space(space)
        end = size if count is None else at + count
        step = self._hello.max_payload
        sent = [
            self._post(Command.READ, struct.pack("<III", number, start, min(step, end - start)))
            for start in range(at, end, step)
        ]
        return b"".join(self._finish(s) for s in sent)

    def write(self, space: str, data: bytes, at: int | None = None) -> None:
        """Replace all bytes of `params`, `state` or `replay`, or those from `at` on that `data` covers."""
        number, size = self._space(space)
        if at is None and len(data) != size:
            raise InputError(f"{space} holds {size} bytes on {self.device.name}, {len(data)} were given")
        self._write_at(number, at or 0, data)

    def keep(self, slot: int, sample: bytes, target: bytes) -> None:
        """Put a sample into one of the board's `store_slots`; `train_many` then takes the slot's number for it."""
        info = self._hello
        self._check_sample(sample, target, info.target_bytes)
        if not 0 <= slot < info.store_slots:
            raise InputError(f"{self.device.name} keeps {info.store_slots} samples, there is no slot {slot}")
        self._write_at(Space.STORE, slot * (info.input_bytes + info.target_bytes), sample + target)

    def keep_latents(self, slot: int, sample: bytes, target: bytes) -> None:
        """Send a sample and put its latents into a slot, on a board whose store holds latents."""
        for kind, payload in (
            *self._commands(Op.NONE, [(sample, target)]),
            (Command.RUN, struct.pack("<II", Op.KEEP, slot)),
        ):
            self._call(kind, payload)

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
        sizes = {
            "params": info.params_bytes,
            "state": info.state_bytes,
            "output": info.output_bytes,
            "replay": info.replay_bytes,
            "input": info.input_bytes,
            "target": info.target_bytes,
            "kept": 0,  # as many as the plan says; reads name it
            "store": 0,  # slots have the length that the plan says; reads name it
        }
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
            elif isinstance(sample, Own):
                yield Command.SAMPLE, struct.pack("<III", op, sample.source, sample.argument)
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

    def _stream(self, commands: Iterable[tuple[int, bytes]], only: int | None = None) -> Iterator[bytes]:
        """Answers in order, each as soon as it is there, while the window stays full."""
        sent: deque[Sent] = deque()
        for kind, payload in commands:
            sent.append(self._post(kind, payload))
            while sent and sent[0].answer is not None:
                yield from self._take(sent.popleft(), only)
        while sent:
            yield from self._take(sent.popleft(), only)

    def _take(self, sent: Sent, only: int | None) -> Iterator[bytes]:
        payload = self._finish(sent)
        if only is None or (sent.answer is not None and sent.answer[0] == only):
            yield payload

    def _result(self, payload: bytes) -> Result:
        result = unpack_result(payload)
        result.spent = self.device.spent(result.ticks)
        return result
