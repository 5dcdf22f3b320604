"""What costs predict against what is counted: whole training steps, and kernels that are chosen for being cheaper."""

from __future__ import annotations

import pytest

from edgelearn import importers, kernels
from edgelearn.boards import load
from edgelearn.build.toolchain import find_compiler
from edgelearn.config import TrainConfig
from edgelearn.graph import Graph
from edgelearn.ops import OPS
from edgelearn.plan import make_plan
from edgelearn.predict import calls, select, table
from tests.support.cli import MODEL
from tools.bench import probe
from tools.bench.counting import Method, choose
from tools.bench.nets import ds_cnn, resnet8
from tools.record_costs.calls import arguments, parameters, shape_names
from tools.record_costs.shapes import convolutions, depthwise, shapes_of

WITHIN = 0.10
BOARDS = ("qemu-m4", "qemu-rv32")
NETS = {"demo": lambda: importers.load(MODEL), "resnet8": resnet8, "ds-cnn": ds_cnn}
Call = tuple[kernels.Kernel, str, kernels.Sizes]


def count(board_id: str, wanted: list[Call], method: Method | None = None) -> list[int]:
    """Instructions of kernel calls, or what another method counts."""
    board = load(board_id)
    types = parameters(find_compiler(board).path)
    made = [probe.call_of(arguments(types[k.name], k, step, sizes), k) for k, step, sizes in wanted]
    return [result.instructions or 0 for result in probe.run(board_id, made, count=method or choose(board).method)]


@pytest.mark.parametrize("board_id", BOARDS)
def test_whole_training_steps_are_predicted(board_id: str) -> None:
    total = {}
    for name, make in NETS.items():
        graph: Graph = make()
        config = TrainConfig(batch=4, momentum=0.9) if name == "demo" else TrainConfig()
        plan = make_plan(graph, config, load(board_id))
        rows = list(zip(plan.schedule.steps, plan.chosen, plan.sizes, strict=True))
        left = sum(OPS[s.node.op].macs(dict(z)) for s, _, z in rows if s.node.name in plan.unpredicted)
        assert left < 0.05 * plan.training_macs, plan.unpredicted  # kernels that came since costs were recorded
        steps = [(s, k, z) for s, k, z in rows if s.node.name not in plan.unpredicted]
        unique = {(k.name, *z.items()): (k, OPS[s.node.op].kernel, z) for s, k, z in steps}
        counted = dict(zip(unique, count(board_id, list(unique.values())), strict=True))
        exact = sum(counted[k.name, *z.items()] * calls(s.node.phase, config.batch) for s, k, z in steps)
        total[name] = plan.training_insn / exact - 1
    assert {name: error for name, error in total.items() if abs(error) > WITHIN} == {}


@pytest.mark.parametrize("board_id", BOARDS)
def test_kernels_are_chosen_by_what_they_cost(board_id: str) -> None:
    """Where the kernel that a board prefers is left, another one is cheaper: counted, not only predicted."""
    board = load(board_id)
    recorded = table(board)
    assert recorded is not None
    found: list[tuple[float, Call, Call]] = []
    for step in ("conv2d_fwd", "conv2d_bwd_x", "conv2d_bwd_w", "depthwise_conv2d_fwd", "depthwise_conv2d_bwd_w"):
        for sizes in depthwise() if step.startswith("depthwise") else convolutions():
            first, taken = kernels.select(step, "f32", board.kernels, sizes), select(board, step, "f32", sizes)
            if first != taken:
                costs = [recorded.predict(kernel, step, sizes, recorded.by) or 0 for kernel in (taken, first)]
                found.append((costs[0] / costs[1], (taken, step, sizes), (first, step, sizes)))
    assert found, "no shape leaves the preferred kernel"
    assert any(taken[0].isa in kernels.PORTABLE for _, taken, _ in found)
    found.sort(key=lambda item: item[0])
    clear = found[:8]
    method = Method.MODEL if recorded.by == "cycles" else None
    ours, theirs = (count(board_id, [item[k] for item in clear], method) for k in (1, 2))
    assert [(a, b, item[1:]) for a, b, item in zip(ours, theirs, clear, strict=True) if a >= b] == []


def test_every_signature_can_be_called() -> None:
    """Of the kernels that are recorded, so that a new one is; layers that shift have one kernel, and none to choose."""
    types = parameters(find_compiler(load("host")).path)
    usual = ("conv", "depthwise", "dense", "relu", "sgd", "add", "max_pool", "avg_pool", "batch_norm")
    for entry in kernels.TABLE:
        if not entry.symbol.endswith("f32__ref") or not entry.step.startswith(usual) or "_shift_" in entry.step:
            continue
        names = shape_names(types[entry.symbol])
        assert names == ("?",) or shapes_of(entry.step, names), entry.symbol
