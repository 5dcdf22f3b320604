"""Shift weights on a real task: the watch's network, tuned in 4 bits and tried on two people it has not met."""

from __future__ import annotations

from pathlib import Path

import torch

from edgelearn.shift import choose
from tools import compare_shift


def test_four_bits_know_as_much_of_strangers_as_floats(tmp_path: Path) -> None:
    torch.set_num_threads(1)  # small products: more threads only wait for one another
    source, out = compare_shift.TASKS["wearable"].model(), tmp_path / "shift.onnx"
    compare_shift.tune("wearable", 4, 0, out)
    plans = [compare_shift.plan_of(path, "qemu-m4", "wearable", int8=False) for path in (source, out)]
    before, after = (compare_shift.accuracy(plan, "wearable") for plan in plans)
    assert before > 0.87
    assert after > before - 0.01
    saved = [plan.model_flash for plan in plans]
    shifted = sum(plans[0].imported.tensors[n.inputs[1]].count for n in choose.pick(plans[0].imported, ()))
    assert saved[0] - saved[1] == shifted * 28 // 8  # 32 bits become 4
