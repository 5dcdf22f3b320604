"""Which steps a board with several harts divides among them, and into which parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from edgelearn import kernels
from edgelearn.boards import Board
from edgelearn.memory import aligned
from edgelearn.ops import Op
from edgelearn.ops.parts import Parts
from edgelearn.predict import table

HANDOVER = 150  # instructions of el_harts_run beside its part: a store for each hart, a wait, the way there and back
WORTH = 512  # multiply-accumulates or elements that are worth it, where nothing was recorded of a kernel


def _work(op: Op, sizes: Mapping[str, int]) -> int:
    if "in_h" in sizes:
        return op.macs(dict(sizes)) or sizes["in_h"] * sizes["in_w"] * sizes["in_c"]
    return op.macs(dict(sizes)) or sizes.get("count", sizes.get("rows", 0) * sizes.get("channels", 0))


def divide(op: Op, sizes: Mapping[str, int], kernel: kernels.Kernel, board: Board) -> tuple[kernels.Kernel, Parts]:
    """The parts of one step, () where one hart computes it alone; the kernel's scratch is then that of all parts.

    Only ways that the kernel chosen for the whole step supports are taken, so that the bits are those of one hart: of
    these the first one whose largest part is predicted to take least, or no more than predictions are off as a rule.
    """
    entry = kernels.find(op.kernel, op.fmt.name, kernel.isa)
    if board.harts == 1 or op.split is None or entry is None:
        return kernel, ()
    ways = [w for w in op.split(sizes, board.harts) if len(w) > 1 and all(entry.takes(part.sizes) for part in w)]
    recorded = table(board)
    alone = recorded.predict(kernel, op.kernel, sizes) if recorded else None
    if not ways:
        taken: Parts = ()
    elif recorded and alone is not None:
        costs = [_largest(way, lambda s: recorded.predict(entry.bind(s), op.kernel, s) or 0.0) for way in ways]
        best = next(k for k, cost in enumerate(costs) if cost <= min(costs) * (1 + recorded.median(kernel)))
        taken = ways[best] if costs[best] + HANDOVER < alone else ()
    else:
        taken = ways[0] if _work(op, sizes) >= WORTH else ()
    if not taken:
        return kernel, ()
    scratch = max(aligned(entry.scratch(part.sizes)) for part in taken)
    return replace(kernel, scratch=scratch * len(taken)), taken


def _largest(way: Parts, cost: Callable[[Mapping[str, int]], float]) -> float:
    """What the part that costs most does; equal ones are asked for once."""
    return max(cost(dict(sizes)) for sizes in {tuple(part.sizes.items()) for part in way})
