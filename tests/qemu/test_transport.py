"""The link carries every byte: a megabyte each way on every board and carrier, and nothing lost under noise."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest

from edgelearn import boards
from edgelearn.device import open_device
from edgelearn.link import Link
from edgelearn.wire import Hyper
from tests.qemu.images import BOARDS, EMULATED, MODELLED, image_of
from tests.support.linear import LinearModel
from tests.support.noise import NoisyDevice

MEGABYTE = 1 << 20
SLOW = 1 << 15  # bytes for UARTs that QEMU feeds one byte at a time
SPOILED = {"flip": 0.03, "lose": 0.03, "repeat": 0.03, "insert": 0.03}


def _one_of_each_machine() -> list[str]:
    """A board for each machine that QEMU models: its UART and HAL are the same whatever core it has."""
    found = {}
    for board in map(boards.load, reversed(EMULATED)):
        if board.emulator and "uart" in board.link.carriers:
            found[board.emulator.args[:2]] = board.id  # -M and its name come first
    return list(found.values())


def _payloads(total: int, largest: int) -> Iterator[bytes]:
    """Random bytes, and the runs that COBS finds hardest; lengths from nothing to the most there can be."""
    rng = random.Random(5)
    sent = 0
    while sent < total:
        size = rng.choice((largest, largest, largest, rng.randrange(largest + 1)))
        kind = rng.randrange(4)
        yield (bytes(size), b"\xff" * size, rng.randbytes(size), rng.randbytes(size))[kind]
        sent += size


@pytest.mark.parametrize(
    ("board", "carrier", "total"),
    [
        *((b, "pipe", MEGABYTE) for b in BOARDS),
        *((b, "uart", MEGABYTE) for b in ("host", *_one_of_each_machine())),
        *((b, "uart", SLOW) for b in MODELLED),
    ],
)
def test_every_byte_each_way(board: str, carrier: str, total: int) -> None:
    with open_device(image_of(board, carrier)) as device:
        link = Link(device)
        most = link.hello().max_payload
        sent = list(_payloads(total, most))
        count = 0
        for there, back in zip(sent, link.echo_many(sent), strict=True):
            assert there == back
            count += len(back)
        assert count >= total
        status = link.status()
        assert (status.damaged, status.gaps, status.overruns) == (0, 0, 0)
        assert link.statistics.damaged == 0


@pytest.mark.parametrize(
    ("board", "carrier"), [*((b, "pipe") for b in BOARDS), *((b, "uart") for b in (*EMULATED, *MODELLED))]
)
def test_noise_loses_nothing_and_trains_nothing_twice(board: str, carrier: str) -> None:
    """Bytes flip, frames vanish, come twice and are stuffed with rubbish, both ways; the weights come out the same."""
    count = 80 if carrier == "pipe" else 50
    model = LinearModel(inputs=150)
    samples = model.samples(count)
    with open_device(image_of(board, carrier, inputs=150)) as inner:
        device = NoisyDevice(inner, 7, **SPOILED)
        link = Link(device, timeout=20)
        link.hello(model.hash)
        link.configure(Hyper(lr=0.001))
        results = list(link.train_many(samples))
        blob = link.read("params")
        device.quiet()
        status = link.status()
        assert link.read("params") == blob
    assert all(device.done.values()), "the noise was noise"
    assert link.statistics.resends > 0
    assert status.damaged > 0
    assert [r.samples for r in results] == list(range(1, count + 1))
    assert (status.samples, status.step) == (count, count)
    for result, sample in zip(results, samples, strict=True):
        assert result.loss == pytest.approx(model.train(*sample, 0.001), rel=1e-4)
    np.testing.assert_allclose(np.frombuffer(blob, "<f4"), model.params, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("board", [*BOARDS, *MODELLED])
def test_rubbish_before_the_first_word(board: str) -> None:
    """A board that heard noise, or half a session of somebody else, answers the next HELLO."""
    with open_device(image_of(board)) as device:
        device.write(random.Random(3).randbytes(5000))
        first = Link(device)
        first.hello()
        first.train(*LinearModel().samples(1)[0])
        device.write(b"\x05half a frame")
        second = Link(device)
        second.hello()
        assert second.status().samples == 1
        assert second.train(*LinearModel().samples(1)[0]).samples == 2


def test_a_slow_sample_is_waited_for() -> None:
    """The host asks while the board computes; nothing is executed twice for it, and nothing resent."""
    hold = 300_000_000
    with open_device(image_of("qemu-m4", hold=hold)) as device:
        link = Link(device, timeout=60)
        link.hello()
        results = list(link.train_many(LinearModel().samples(3)))
        assert [r.samples for r in results] == [1, 2, 3]
        assert link.statistics.polls > 0
        assert link.statistics.resends == 0
        assert link.status().samples == 3
