"""Whole training steps: the nets of MLPerf Tiny (Banbury et al., 2021) with norms folded into their convolutions, all
weights trained by SGD at batch 1, so that every gradient goes into its weight at once; in halves it is looked at first.

Weights are random: what a kernel does depends on shapes alone, but for the share of ReLUs that are open.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from edgelearn import boards
from edgelearn.config import TrainConfig
from edgelearn.graph import Graph
from edgelearn.plan import Plan, make_plan
from tests.support.nets import Net
from tools.bench import probe
from tools.bench.cases import Bench, step_of
from tools.bench.counting import Method

Precision = Literal["fp32", "fp16", "mixed"]
EVEN = (0, 0, 1, 1)  # of "same" padding at stride 2 on an even map


def resnet8() -> Graph:
    """Image classification: 77,706 weights, 12,501,632 MACs forward."""
    net = Net((32, 32, 3), "resnet8")
    net.conv(16, (3, 3), pads=(1, 1, 1, 1))
    start = net.relu()
    for channels, stride in ((16, 1), (32, 2), (64, 2)):
        steps, pads = (stride, stride), (1, 1, 1, 1) if stride == 1 else EVEN
        net.conv(channels, (3, 3), steps, pads)
        net.relu()
        end = net.conv(channels, (3, 3), pads=(1, 1, 1, 1))
        other = start if stride == 1 else net.conv(channels, (1, 1), steps, x=start)
        net.add("add", other, x=end)
        start = net.relu()
    net.mean()
    net.dense(10)
    return net.graph()


def ds_cnn() -> Graph:
    """Keyword spotting: 22,604 weights, 2,656,768 MACs forward."""
    net = Net((49, 10, 1), "ds-cnn")
    net.conv(64, (10, 4), (2, 2), (4, 1, 5, 1))
    net.relu()
    for _ in range(4):
        _separable(net, 64, 1, (1, 1, 1, 1))
    net.mean()
    net.dense(12)
    return net.graph()


def mobilenet() -> Graph:
    """Visual wake words, MobileNetV1 with a quarter of the channels: 7,489,664 MACs forward."""
    net = Net((96, 96, 3), "mobilenet")
    net.conv(8, (3, 3), (2, 2), EVEN)
    net.relu()
    for out, stride in ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5, (256, 2), (256, 1)):
        _separable(net, out, stride, (1, 1, 1, 1) if stride == 1 else EVEN)
    net.mean()
    net.dense(2)
    return net.graph()


def _separable(net: Net, out: int, stride: int, pads: tuple[int, int, int, int]) -> None:
    net.depthwise((3, 3), (stride, stride), pads)
    net.relu()
    net.conv(out, (1, 1))
    net.relu()


NETS: Mapping[str, Callable[[], Graph]] = MappingProxyType(
    {"resnet8": resnet8, "ds-cnn": ds_cnn, "mobilenet": mobilenet}
)


@functools.cache
def plan_of(name: str, board: str, precision: Precision = "fp32") -> Plan:
    """The training step of one of NETS on a board."""
    return make_plan(NETS[name](), TrainConfig(batch=1, lr=0.01, precision=precision), boards.load(board))


@dataclass(frozen=True)
class Step:
    """A training step: MACs of its forward and backward passes, what it counts, and what each kernel counts of it."""

    macs: int
    count: int
    kernels: Mapping[str, int]


def measure(name: str, board: str, method: Method, precision: Precision = "fp32") -> Step:
    """Equal calls are made once, because their counts are equal."""
    groups: dict[object, list[Bench]] = {}
    for bench in step_of(plan_of(name, board, precision)):
        if bench.kernel is not None:
            shapes = tuple(np.shape(a) if isinstance(a, np.ndarray) else a is None for a in bench.args)
            groups.setdefault((bench.kernel.name, *bench.sizes.items(), shapes), []).append(bench)
    calls = [probe.call_of(same[0].args, same[0].kernel) for same in groups.values() if same[0].kernel]
    counts: Counter[str] = Counter()
    for same, call, result in zip(groups.values(), calls, probe.run(board, calls, count=method), strict=True):
        counts[call[0]] += (result.instructions or 0) * len(same)
    macs = sum(bench.macs for same in groups.values() for bench in same)
    return Step(macs, counts.total(), dict(counts.most_common()))
