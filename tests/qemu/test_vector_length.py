"""One image, two lengths of vectors: kernels give the same bits wherever no sum goes across lanes."""

from __future__ import annotations

import numpy as np
import pytest

from edgelearn import boards
from edgelearn.build.toolchain import find_compiler, outdated
from edgelearn.errors import ToolError
from tests.support.kernel_cases import all_cases
from tests.support.run_kernels import calls_of
from tools.bench import probe

BOARDS = ("qemu-rv32v", "qemu-rv32v256")
# A dense layer's sums run along the lanes.
BY_LENGTH = {("dense_fwd", "f32"), ("dense_fwd", "f16")}


def test_the_same_bits() -> None:
    described = [boards.load(name) for name in BOARDS]
    assert described[0].build == described[1].build
    assert described[0].kernels == described[1].kernels
    try:
        find_compiler(described[0])
    except ToolError as error:
        pytest.skip(error.message)
    if reason := outdated(described[0]):
        pytest.skip(reason)
    pairs = [
        (case, entry)
        for case, entry in calls_of(all_cases(), described[0].kernels)
        if entry.isa == "rvv" and (entry.step, entry.fmt) not in BY_LENGTH
    ]
    assert {"conv2d_bwd_w", "conv2d_fwd", "depthwise_conv2d_fwd", "dense_bwd_x", "relu_fwd"} <= {
        e.step for _, e in pairs
    }
    calls = [probe.call_of(case.args, entry.bind(case.sizes)) for case, entry in pairs]
    short, long = (probe.run(board, calls) for board in BOARDS)
    for (case, entry), one, other in zip(pairs, short, long, strict=True):
        for k in case.want:
            where = f"{entry.symbol} {case.name}"
            np.testing.assert_array_equal(one.arrays[k].view(np.uint8), other.arrays[k].view(np.uint8), where)
