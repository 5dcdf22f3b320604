"""What the frames of the link mean: numbers, layouts, and the types that they become. No input or output here."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag


class Command(IntEnum):
    """Frame types, host to board."""

    HELLO = 0x01
    CONFIG = 0x02
    DATA = 0x03
    READ = 0x04
    WRITE = 0x05
    RESET = 0x06
    STATUS = 0x07
    FLUSH = 0x08
    ECHO = 0x09
    POLL = 0x0A
    EXIT = 0x0B
    RUN = 0x0C
    SAVE = 0x0D
    RESTORE = 0x0E
    SAMPLE = 0x0F


class Reply(IntEnum):
    """Frame types, board to host."""

    ACK = 0x80
    HELLO = 0x81
    RESULT = 0x83
    READ = 0x84
    STATUS = 0x87
    ECHO = 0x89


class Ack(IntEnum):
    """Code in an ACK."""

    DONE = 0
    DAMAGED = 1
    GAP = 2
    POLLED = 3
    BAD_COMMAND = 4
    BAD_ARGUMENT = 5
    FAILED = 6


class Op(IntEnum):
    """What the last chunk of a sample asks for."""

    NONE = 0
    TRAIN = 1
    EVAL = 2
    INFER = 3
    OFFER = 4
    LEARN = 5
    KEEP = 6


class Space(IntEnum):
    """Memories that READ and WRITE reach."""

    PARAMS = 0
    STATE = 1
    OUTPUT = 2
    STORE = 3
    REPLAY = 4
    INPUT = 5
    TARGET = 6
    KEPT = 7


class Source(IntEnum):
    """Where a board takes samples from by itself."""

    SENSOR = 0
    SET = 1


NO_LABEL = 0xFFFFFFFF  # in SAMPLE: the board says the label


class Feature(IntFlag):
    """What a board's program was built with, and what it found in its flash."""

    HAS_STORE = 1
    HAS_SENSOR = 2
    HAS_SET = 4
    IS_RESTORED = 8
    WAS_FOREIGN = 16
    WAS_DAMAGED = 32
    IS_VOLATILE = 64


class Schedule(IntEnum):
    """Course of the learning rate after the warm-up."""

    CONSTANT = 0
    LINEAR = 1
    COSINE = 2
    WSD = 3


HELLO_REPLY = "<II8sIIIIIIIIIIIIIIII"
CONFIG = "<fffffffIIII"
RESET = "<IIIIff"
RESULT = "<HHIfIffIQ"
STATUS = "<IIIIffffffIQIIIIIIIIIffIf"

NOT_FINITE = 1  # status in a RESULT
UPDATED, CORRECT, KEPT, SKIPPED = 1, 2, 4, 8  # flags in a RESULT


@dataclass(frozen=True)
class Hello:
    """What a board says of itself."""

    protocol: int
    nonce: int
    hash: bytes
    max_payload: int
    window: int
    input_bytes: int
    target_bytes: int
    output_bytes: int
    params_bytes: int
    state_bytes: int
    batch: int
    target_kind: int
    stack_bytes: int
    store_slots: int
    sample_format: int
    replay_bytes: int
    features: int = 0  # bits of Feature
    saved_step: int = 0  # of the weights in its flash; 0: there are none
    counter_hz: int = 0  # clock cycles a second where its counter counts them

    @classmethod
    def unpack(cls, payload: bytes) -> Hello:
        """From the payload of a HELLO reply; of another protocol only its number is sure."""
        size = struct.calcsize(HELLO_REPLY)
        return cls(*struct.unpack(HELLO_REPLY, payload[:size].ljust(size, b"\0")))


@dataclass(frozen=True)
class Hyper:
    """Settings of optimizer and schedule. Steps are updates, not samples."""

    lr: float = 0.01
    momentum: float = 0.9  # beta 1 of Adam
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    clip_norm: float = 0.0  # 0: no limit
    schedule: Schedule = Schedule.CONSTANT
    warmup: int = 0
    total: int = 0
    decay: int = 0  # WSD only
    min_lr_ratio: float = 0.0

    def pack(self) -> bytes:
        """The payload of CONFIG."""
        reals = (self.lr, self.momentum, self.beta2, self.epsilon, self.weight_decay, self.clip_norm)
        return struct.pack(CONFIG, *reals, self.min_lr_ratio, self.schedule, self.warmup, self.total, self.decay)

    def lr_at(self, step: int) -> float:
        """The learning rate of the update after `step` updates, as the board computes it."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        start = self.warmup
        if self.schedule is Schedule.WSD:
            start = max(start, self.total - self.decay)
        way = 1.0 if step >= self.total else max(step - start, 0) / (self.total - start or 1)
        span = 1.0 - self.min_lr_ratio
        if self.schedule is Schedule.CONSTANT:
            return self.lr
        if self.schedule is Schedule.COSINE:
            return self.lr * (self.min_lr_ratio + span * 0.5 * (1.0 + math.cos(math.pi * way)))
        return self.lr * (1.0 - span * way)


@dataclass
class Result:
    """What one sample did. `spent` is what it took in the board's unit, transport excluded; 0 where nobody counts."""

    ok: bool  # False: the loss was not finite and nothing was changed
    updated: bool
    correct: bool
    predicted: int
    loss: float
    step: int
    lr: float
    grad_norm: float
    samples: int
    ticks: int
    spent: int = 0
    kept: bool = False  # its latents were taken up into the replay memory
    skipped: bool = False  # an update was left out, a gradient was not finite


@dataclass
class Status:
    """The state of a run and of the link."""

    step: int
    samples: int
    in_batch: int
    skipped: int  # samples whose loss was not finite
    last_loss: float
    mean_loss: float  # of about the last 100 trained samples, as is accuracy
    accuracy: float
    lr: float
    bias1: float
    bias2: float
    stack_used: int
    ticks: int
    damaged: int
    gaps: int
    duplicates: int
    overruns: int
    replay_kept: int = 0  # latents in the replay memory
    replayed: int = 0  # of them trained on again
    saves: int = 0  # ever made into the board's flash
    saved_step: int = 0  # of the latest; 0: there is none
    best_step: int = 0
    best_score: float = 0.0  # the loss of the best
    grad_norm: float = 0.0  # of the last update, before clipping; 0: not computed
    left_out: int = 0  # updates, because a gradient in half precision was not finite
    loss_scale: float = 0.0  # 0: gradients are float32
    spent: int = 0


def unpack_result(payload: bytes) -> Result:
    """From the payload of a RESULT."""
    status, flags, *rest = struct.unpack(RESULT, payload)
    result = Result(status != NOT_FINITE, bool(flags & UPDATED), bool(flags & CORRECT), *rest)
    result.kept, result.skipped = bool(flags & KEPT), bool(flags & SKIPPED)
    return result


def unpack_status(payload: bytes) -> Status:
    """From the payload of a STATUS reply."""
    return Status(*struct.unpack(STATUS, payload))
