"""Every board boots, answers, trains the same numbers as numpy, and ends; over both carriers."""

from __future__ import annotations

import numpy as np
import pytest

from edgelearn.device import open_device
from edgelearn.device.child import ChildDevice
from edgelearn.errors import DeviceError
from edgelearn.link import Link, encode_frame
from edgelearn.wire import Command, Hyper, Schedule
from tests.qemu.images import BOARDS, CARRIERS, EMULATED, MODELLED, image_of
from tests.support.linear import LinearModel


@pytest.mark.parametrize(
    ("board", "carrier"), [*((b, c) for b in BOARDS for c in CARRIERS), *((b, "uart") for b in MODELLED)]
)
def test_trains_like_numpy(board: str, carrier: str) -> None:
    model = LinearModel(batch=3)
    image = image_of(board, carrier, batch=3)
    with open_device(image) as device:
        link = Link(device)
        info = link.hello(model.hash)
        assert (info.input_bytes, info.target_bytes, info.output_bytes, info.batch) == (24, 4, 12, 3)
        assert info.params_bytes == info.state_bytes == model.params.nbytes
        assert info.stack_bytes == image.ram.stack
        hyper = Hyper(lr=0.1, schedule=Schedule.COSINE, warmup=4, total=20, min_lr_ratio=0.1)
        link.configure(hyper)
        samples = model.samples(61)
        for k, (result, (x, t)) in enumerate(zip(link.train_many(samples), samples, strict=True)):
            lr = hyper.lr_at(k // 3)
            correct = int(model.output(x).argmax()) == int.from_bytes(t, "little")
            loss = model.train(x, t, lr)
            assert result.ok
            assert result.loss == pytest.approx(loss, rel=1e-5)
            assert result.lr == pytest.approx(lr, rel=1e-5)
            assert result.correct == correct
            assert (result.step, result.samples, result.updated) == ((k + 1) // 3, k + 1, k % 3 == 2)
        assert link.flush().updated
        model.update(hyper.lr_at(20))
        assert not link.flush().updated
        np.testing.assert_allclose(np.frombuffer(link.read("params"), "<f4"), model.params, rtol=2e-5, atol=1e-6)
        x, t = samples[0]
        before = link.read("params")
        np.testing.assert_allclose(link.infer(x), model.output(x), rtol=2e-5, atol=1e-6)
        assert link.evaluate(x, t).predicted == int(model.output(x).argmax())
        assert link.read("params") == before
        status = link.status()
        assert (status.step, status.samples, status.in_batch, status.skipped) == (21, 61, 0, 0)
        assert status.stack_used < image.ram.stack or image.ram.stack == 0
        assert (status.damaged, status.gaps, status.duplicates, status.overruns) == (0, 0, 0, 0)
        assert (link.statistics.resends, link.statistics.damaged) == (0, 0)
        link.reset()
        assert link.read("params") == model.initial.tobytes()
        assert link.status().samples == 0
        assert isinstance(device, ChildDevice)
        device.write(encode_frame(Command.EXIT, link._seq))
        assert device.wait(5.0) == 0


@pytest.mark.parametrize("board", BOARDS)
def test_weights_and_counters_come_back(board: str) -> None:
    """What was saved and restored trains on bit by bit."""
    image = image_of(board)
    samples = LinearModel().samples(40)
    with open_device(image) as device:
        link = Link(device)
        link.hello()
        link.configure(Hyper(lr=0.05))
        list(link.train_many(samples[:20]))
        params, state, status = link.read("params"), link.read("state"), link.status()
        first = [r.loss for r in link.train_many(samples[20:])]
        last = link.read("params")
    with open_device(image) as device:
        link = Link(device)
        link.hello()
        link.configure(Hyper(lr=0.05))
        link.write("params", params)
        link.write("state", state)
        link.restore_counters(status)
        assert [r.loss for r in link.train_many(samples[20:])] == first
        assert link.read("params") == last
        again = link.status()
        assert (again.step, again.samples) == (40, 40)


@pytest.mark.parametrize("board", BOARDS)
def test_a_loss_that_is_not_finite_changes_nothing(board: str) -> None:
    model = LinearModel()
    with open_device(image_of(board)) as device:
        link = Link(device)
        link.hello()
        samples = model.samples(3)
        link.train(*samples[0])
        before = link.read("params"), link.read("state")
        for bad in (np.nan, np.inf):
            x = np.frombuffer(samples[1][0], "<f4").copy()
            x[2] = bad
            result = link.train(x.tobytes(), samples[1][1])
            assert not result.ok
            assert (result.step, result.samples) == (1, 1)
        assert (link.read("params"), link.read("state")) == before
        status = link.status()
        assert (status.skipped, status.samples) == (2, 1)
        assert link.train(*samples[2]).ok


@pytest.mark.parametrize("board", [*EMULATED, *MODELLED])
def test_instructions_are_counted_exactly(board: str) -> None:
    """The same work costs the same, and twice the work about twice as much."""
    counts = []
    for hold in (1000, 2000):
        model = LinearModel(hold=hold)
        with open_device(image_of(board, hold=hold), count_instructions=True) as device:
            link = Link(device)
            link.hello()
            (sample,) = model.samples(1)
            seen = [link.evaluate(*sample).spent for _ in range(4)]
        assert max(seen) - min(seen) <= 1, "a timer tick is less than an instruction, and may fall between two"
        counts.append(seen[3])
    assert 1000 * 3 <= counts[1] - counts[0] <= 1000 * 12
    with open_device(image_of(board)) as device:
        link = Link(device)
        link.hello()
        assert link.status().spent == 0


@pytest.mark.parametrize("board", EMULATED)
def test_a_stale_image_is_refused(board: str) -> None:
    with open_device(image_of(board)) as device, pytest.raises(DeviceError, match="stale") as caught:
        Link(device).hello("00" * 8)
    assert LinearModel().hash.hex() in caught.value.message
