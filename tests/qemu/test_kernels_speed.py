"""What a training step of the demo network costs, in multiply-accumulates an executed instruction."""

from __future__ import annotations

import shutil

import pytest

from edgelearn import boards
from tools.bench import probe
from tools.bench.cases import training_step
from tools.bench.counting import choose

STEP, CONVOLUTION = 0.45, 0.44  # measured: 0.49, 0.45 to 0.57


@pytest.mark.parametrize("board", ["qemu-m7", "qemu-rv32"])
def test_training_step(board: str) -> None:
    loaded = boards.load(board)
    assert loaded.emulator is not None
    if not all(shutil.which(p) for p in (loaded.emulator.program, loaded.build.compilers[0])):
        pytest.skip(f"no compiler or emulator for {board}")
    steps = list(training_step(board))
    calls = [probe.call_of(bench.args, bench.kernel) for bench in steps if bench.kernel]
    counts = [result.instructions or 0 for result in probe.run(board, calls, count=choose(loaded).method)]
    for bench, count in zip(steps, counts, strict=True):
        if bench.step.startswith("conv2d"):
            assert bench.macs / count >= CONVOLUTION, bench.name
    total = sum(bench.share * count for bench, count in zip(steps, counts, strict=True))
    assert sum(bench.macs for bench in steps) / total >= STEP
