"""The learning rate: the device's course is the formula's, at every step."""

from __future__ import annotations

import math

import pytest

from edgelearn.device import open_device
from edgelearn.link import Link
from edgelearn.wire import Hyper, Schedule
from tests.qemu.images import image_of
from tests.support.linear import LinearModel


@pytest.mark.parametrize("schedule", list(Schedule))
@pytest.mark.parametrize(
    ("warmup", "total", "decay", "ratio"),
    [(0, 0, 0, 0.0), (5, 20, 8, 0.1), (0, 20, 20, 0.0), (7, 7, 3, 0.5), (5, 10, 9, 0.2)],
)
def test_device_and_formula_agree(schedule: Schedule, warmup: int, total: int, decay: int, ratio: float) -> None:
    hyper = Hyper(lr=0.3, schedule=schedule, warmup=warmup, total=total, decay=decay, min_lr_ratio=ratio)
    with open_device(image_of("host")) as device:
        link = Link(device)
        link.hello()
        link.configure(hyper)
        for step, result in enumerate(link.train_many(LinearModel().samples(25))):
            assert result.lr == pytest.approx(hyper.lr_at(step), rel=1e-5, abs=1e-7)


def test_corner_points() -> None:
    assert Hyper(lr=1, warmup=4).lr_at(0) == 0.25
    assert Hyper(lr=1, warmup=4).lr_at(3) == 1
    cosine = Hyper(lr=1, schedule=Schedule.COSINE, warmup=10, total=20, min_lr_ratio=0.2)
    assert cosine.lr_at(10) == 1
    assert math.isclose(cosine.lr_at(15), 0.6)
    assert math.isclose(cosine.lr_at(20), 0.2)
    assert math.isclose(cosine.lr_at(999), 0.2)
    stable = Hyper(lr=1, schedule=Schedule.WSD, total=100, decay=10)
    assert (stable.lr_at(50), stable.lr_at(90)) == (1, 1)
    assert math.isclose(stable.lr_at(95), 0.5)
    linear = Hyper(lr=2, schedule=Schedule.LINEAR, total=10)
    assert [linear.lr_at(k) for k in (0, 5, 10)] == [2, 1, 0]


def test_adam_corrections_follow_the_power() -> None:
    with open_device(image_of("host")) as device:
        link = Link(device)
        link.hello()
        link.configure(Hyper(momentum=0.9, beta2=0.999))
        list(link.train_many(LinearModel().samples(30)))
        status = link.status()
        assert status.bias1 == pytest.approx(1 - 0.9**30, rel=1e-6)
        assert status.bias2 == pytest.approx(1 - 0.999**30, rel=3e-5)
