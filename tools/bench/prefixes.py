"""What frozen layers cost in int8 and in float32: the forward pass of a sample through nets of which the last layer
trains, every kernel that the plan calls before the loss, with the weights and the factors that the plan has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np

from edgelearn import boards, importers
from edgelearn.calibrate import calibrate
from edgelearn.config import TrainConfig
from edgelearn.formats import F32, S8, U32
from edgelearn.graph import Graph, Phase, Tensor
from edgelearn.ops import OPS, Kind
from edgelearn.plan import Plan, make_plan
from tools.bench import probe
from tools.bench.cases import DEMO, Bench
from tools.bench.counting import Method
from tools.bench.nets import NETS as STEPS

SAMPLES = 2  # to find ranges with: weights are random, no sample is like another
FORMATS = MappingProxyType({"f32": False, "int8": True})


def _wearable() -> Graph:
    return importers.load(DEMO)


NETS: Mapping[str, Callable[[], Graph]] = MappingProxyType({"wearable": _wearable, **STEPS})


@cache
def _calibrated(name: str) -> Graph:
    graph = NETS[name]()
    seen = np.random.default_rng(4).normal(size=(SAMPLES, *graph.tensors[graph.inputs[0]].shape)).astype(np.float32)
    return graph.replace(meta={**graph.meta, "ranges": calibrate(graph, seen)})


def _operand(tensor: Tensor) -> np.ndarray:
    count = int(np.prod(tensor.shape))
    rng = np.random.default_rng(count)
    if tensor.data is not None:
        return np.asarray(tensor.data)
    if tensor.format is S8:
        return rng.integers(-128, 128, tensor.shape, np.int8)
    if tensor.format in (F32, U32):
        return rng.normal(size=tensor.shape).astype(tensor.format.dtype)
    return np.zeros(tensor.format.nbytes(count), np.uint8)


def plan_of(name: str, board: str, int8: bool) -> Plan:
    """The last layer of one of NETS trains, all others are frozen."""
    config = TrainConfig(train="last", batch=1, int8_prefix=int8)
    return make_plan(_calibrated(name), config, boards.load(board))


def calls(plan: Plan) -> Iterator[Bench]:
    """Each kernel call of a sample's way to the loss."""
    tensors = plan.graph.tensors
    for step, sizes, kernel in zip(plan.schedule.steps, plan.sizes, plan.chosen, strict=True):
        node, op = step.node, OPS[step.node.op]
        if node.phase is not Phase.FORWARD or kernel is None:
            continue
        lead: list[Any] = [dict(sizes)] if op.struct else list(sizes.values())
        operands = [_operand(tensors[n]) if n else None for n in (*node.inputs, *node.outputs)]
        if op.kind is Kind.PURE:
            operands += [None] * (len(op.formats) - len(node.outputs))
        args = (*lead, *op.scalars(node.attrs).values(), *operands)
        yield Bench(node.name, op.kernel, dict(sizes), args, op.macs(dict(sizes)), kernel=kernel, fmt=op.fmt.name)


def measure(board: str, method: Method, names: Iterable[str] = NETS) -> dict[str, dict[str, int]]:
    """{"net": {"macs", "f32", "int8"}}: multiply-accumulates, and what a board counts in either format."""
    counts: dict[str, dict[str, int]] = {}
    for name in names:
        for label, int8 in FORMATS.items():
            made = list(calls(plan_of(name, board, int8)))
            results = probe.run(board, [probe.call_of(b.args, b.kernel) for b in made if b.kernel], count=method)
            row = counts.setdefault(name, {"macs": sum(b.macs for b in made)})
            row[label] = sum(r.instructions or 0 for r in results)
    return counts


def show(counts: Mapping[str, Mapping[str, int]], unit: str) -> None:
    """A table: counts and MACs for each of them, and what int8 costs of float32; none without counts."""
    if not counts:
        return
    rate = f"MAC/{unit}"
    print(f"{'forward pass, last layer trains':34}{'f32':>14}{rate:>10}{'int8':>14}{rate:>10}{'int8/f32':>10}")
    for name, row in counts.items():
        real, integer = row["f32"], row["int8"]
        rates = f"{real:14,}{row['macs'] / real:10.3f}{integer:14,}{row['macs'] / integer:10.3f}"
        print(f"{name:34}{rates}{integer / real:10.2f}")
