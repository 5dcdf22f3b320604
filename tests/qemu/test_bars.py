"""Kernels reach what tools/bench/bars.toml asks of them, and are no slower than when they were recorded."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgelearn import boards
from edgelearn.build.toolchain import find_compiler, outdated
from edgelearn.errors import ToolError
from edgelearn.harts import HANDOVER
from edgelearn.ops import OPS, Kind
from edgelearn.ops.scaling import OVERFLOW
from tools.bench import bars, counting, harts, nets, probe
from tools.bench.__main__ import RECORD
from tools.bench.cases import step_of
from tools.bench.together import executed

BOARDS = ("qemu-m4", "qemu-m55", "qemu-m7", "qemu-rv32", "qemu-rv32v")
MACS = {"resnet8": 37_062_528, "ds-cnn": 7_650_304, "mobilenet": 21_971_328}  # of a training step, by hand


def _loaded(board: str) -> boards.Board:
    """Skips where the board's tools are not installed."""
    loaded = boards.load(board)
    try:
        find_compiler(loaded)
    except ToolError as error:
        pytest.skip(error.message)
    if reason := outdated(loaded) or counting.choose(loaded).reason:
        pytest.skip(reason)
    return loaded


@pytest.mark.parametrize("board", BOARDS)
def test_bars(board: str) -> None:
    loaded = _loaded(board)
    recorded = json.loads((RECORD / f"{board}.json").read_text())
    same = recorded["compiler"] == find_compiler(loaded).version
    figures = {fmt: bars.measure(board, fmt) for fmt in bars.formats(board)}
    for fmt, found in figures.items():
        assert bars.problems(board, fmt, found, recorded["bars"][fmt] if same else {}) == []
    if bars.ratios(board)[0]:
        assert bars.ratio_problems(board, figures["f32"], figures["f16"]) == []
    for found in figures.values():
        steps = {name: found[f"step {name}"].macs for name in nets.NETS if f"step {name}" in found}
        assert steps in (MACS, {})


def test_halves_are_counted_with_every_weight_updated() -> None:
    """An update that a gradient which is not finite leaves out would take next to nothing."""
    _loaded("qemu-m55")
    plan = nets.plan_of("ds-cnn", "qemu-m55", "fp16")
    steps = [bench for bench in step_of(plan) if bench.kernel is not None]
    updates = [b for b, s in zip(steps, plan.schedule.steps, strict=True) if OPS[s.node.op].kind is Kind.STEP]
    results = probe.run("qemu-m55", [probe.call_of(b.args, b.kernel) for b in updates if b.kernel])
    weights = 0
    for bench, result in zip(updates, results, strict=True):
        if bench.step == "finite_step":
            assert next(reversed(result.arrays.values()))[OVERFLOW] == 0, bench.name
        if bench.step == "sgd_step":
            before, after = bench.args[-1], result.arrays[len(bench.args) - 1]
            assert np.mean(before != after) > 0.3, bench.name  # small gradients do not always move a half
            weights += after.size
    assert weights == 22_604


def test_harts_that_run_together_execute_what_each_does_alone() -> None:
    """In an emulator with a thread a hart, of the image that the board gets. ReLUs cost what the data says."""
    _loaded("qemu-rv32x8")
    plan = nets.plan_of("ds-cnn", "qemu-rv32x8")
    steps = list(harts.steps_of(plan))
    alone = harts.each_hart(steps, 8)
    alone[0] += HANDOVER // 2 * sum(len(step.parts) > 1 for step in steps)
    together = executed(plan)
    assert len(together) == 8
    for one, other in zip(together, alone, strict=True):
        assert one == pytest.approx(other, rel=0.01)
    whole, longest = sum(step.whole for step in steps), sum(step.busiest for step in steps)
    assert max(together) <= longest
    assert whole / longest >= bars.bars("qemu-rv32x8", bars.HARTS)["step ds-cnn"]


TABLE = {"qemu-m7": {"f32": {"layers": {"conv": {"fwd": 0.8}}, "steps": {"net": 0.5}}}}


def test_a_figure_below_its_bar_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "_table", lambda: TABLE)
    good = {"conv fwd": bars.Figure(1000, 1200), "step net": bars.Figure(1000, 1100)}
    assert bars.problems("qemu-m7", "f32", good, {}) == []
    bad = {"conv fwd": bars.Figure(1000, 1300), "step net": bars.Figure(1000, 1100)}
    assert bars.problems("qemu-m7", "f32", bad, {"step net": {"count": 1080}}) == [
        "qemu-m7 f32: conv fwd: 0.769 MAC/insn, the bar is 0.8",
        "qemu-m7 f32: step net takes 1,100, recorded are 1,080",
    ]


def test_what_was_short_and_is_no_more_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = {"conv fwd": 0.7, "step other": 0.3}
    monkeypatch.setattr(bars, "_table", lambda: {"qemu-m7": {"f32": {**TABLE["qemu-m7"]["f32"], "short": waiting}}})
    found = {"conv fwd": bars.Figure(1000, 1300), "step net": bars.Figure(1000, 1100)}
    other = "qemu-m7 f32: step other has no bar that it could be short of"
    assert bars.problems("qemu-m7", "f32", found, {}) == [other]
    assert bars.problems("qemu-m7", "f32", {**found, "conv fwd": bars.Figure(1000, 1100)}, {}) == [
        other,
        "qemu-m7 f32: conv fwd: 0.909 MAC/insn reaches its bar, 0.8, and is not short any more",
    ]
