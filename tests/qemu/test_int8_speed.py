"""Int8 layers reach their marks, and frozen layers cost less in int8 than in float32."""

from __future__ import annotations

import shutil

import pytest

from edgelearn import boards, kernels
from tools.bench import prefixes, probe
from tools.bench.cases import single_kernels
from tools.bench.counting import choose

# MAC an instruction of what a plan chooses; measured on qemu-m33: .97, .89, .28, .70; on qemu-m55: 4.9, 4.8, 1.1, 5.9
MARKS = {
    "qemu-m33": {
        "conv 3x3, 16>32, 32x32": 0.93, "pointwise 64>64, 25x5": 0.86, "depthwise 3x3, 64, 25x5": 0.27,
        "dense 640>128": 0.68,
    },
    "qemu-m55": {
        "conv 3x3, 16>32, 32x32": 4.7, "pointwise 64>64, 25x5": 4.7, "depthwise 3x3, 64, 25x5": 1.08,
        "dense 640>128": 5.7,
    },
}  # fmt: skip
# What whole frozen nets take in int8 of what they take in float32, at most; measured: .84, .78; .59, .57, .64
SHARES = {
    "qemu-m33": {"wearable": 0.88, "ds-cnn": 0.82},
    "qemu-m55": {"wearable": 0.62, "ds-cnn": 0.60, "mobilenet": 0.67},
}


@pytest.mark.parametrize("board", MARKS)
def test_marks(board: str) -> None:
    loaded = boards.load(board)
    assert loaded.emulator is not None
    if not all(shutil.which(p) for p in (loaded.emulator.program, loaded.build.compilers[0])):
        pytest.skip(f"no compiler or emulator for {board}")
    method = choose(loaded).method
    benches = {b.name.removesuffix(" fwd int8"): b for b in single_kernels() if b.fmt == "s8"}
    wanted = [benches[name] for name in MARKS[board]]
    chosen = [kernels.select(b.step, b.fmt, loaded.kernels, b.sizes) for b in wanted]
    calls = [probe.call_of(b.args, k) for b, k in zip(wanted, chosen, strict=True)]
    for bench, mark, result in zip(wanted, MARKS[board].values(), probe.run(board, calls, count=method), strict=True):
        assert result.instructions
        assert bench.macs / result.instructions >= mark, bench.name
    for name, row in prefixes.measure(board, method, SHARES[board]).items():
        assert row["int8"] < SHARES[board][name] * row["f32"], name
