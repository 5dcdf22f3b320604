"""Which steps a board with several harts divides among them, and into which parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edgelearn import kernels
from edgelearn.boards import Board
from edgelearn.memory import aligned
from edgelearn.ops import Op
from edgelearn.ops.parts import Parts

WORTH = 512  # multiply-accumulates or elements: waking all harts and waiting for them takes some 200 instructions


def _work(op: Op, sizes: Mapping[str, int]) -> int:
    if op.struct:
        return op.macs(dict(sizes)) or sizes["in_h"] * sizes["in_w"] * sizes["in_c"]
    return op.macs(dict(sizes)) or sizes.get("count", sizes.get("rows", 0) * sizes.get("channels", 0))


def divide(op: Op, sizes: Mapping[str, int], kernel: kernels.Kernel, board: Board) -> tuple[kernels.Kernel, Parts]:
    """The parts of one step, () where one hart computes it alone; the kernel's scratch is then that of all parts.

    Only ways that the kernel chosen for the whole step supports are taken, so that the bits are those of one hart.
    """
    entry = kernels.find(op.kernel, op.fmt.name, kernel.isa)
    if board.harts == 1 or op.split is None or entry is None or _work(op, sizes) < WORTH:
        return kernel, ()
    for way in op.split(sizes, board.harts):
        if len(way) > 1 and all(entry.takes(part.sizes) for part in way):
            scratch = max(aligned(entry.scratch(part.sizes)) for part in way)
            return replace(kernel, scratch=scratch * len(way)), way
    return kernel, ()
