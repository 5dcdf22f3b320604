"""What a kernel call takes on a board, predicted from its shape by a table that `tools/record_costs` fitted.

A table is `boards/costs/<board>.json`: for each kernel and each thing that was counted, factors of a few numbers that a
shape has, see `traits.py`. Boards without a table have no predictions, and take kernels in the order that they prefer.
"""

from __future__ import annotations

import functools

import msgspec

from edgelearn.boards import Board
from edgelearn.costs import step_sizes
from edgelearn.graph import Graph, Node, Phase
from edgelearn.kernels import Kernel, Sizes, implementations
from edgelearn.ops import OPS
from edgelearn.share import boards_dir
from edgelearn.traits import traits_of

INSN = "insn"


class Fitted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kernel's factors, and how far off they are, as shares of the count: at worst and as a rule (the median), for
    shapes that they were not fitted to.
    """

    factors: dict[str, float]
    worst: float
    median: float


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was recorded for a board: `kernels[symbol][count]`, where a count is "insn", "cycles" or "beats".

    `by` is the count that kernels are chosen by: modelled cycles where the core has a model, beats where an instruction
    may work on several vector registers, else instructions.
    """

    compiler: str
    by: str
    kernels: dict[str, dict[str, Fitted]]

    def predict(self, kernel: Kernel, step: str, sizes: Sizes, count: str = INSN) -> float | None:
        """What one call takes; None where this kernel was not recorded."""
        fitted = self.kernels.get(kernel.name, {}).get(count)
        if fitted is None:
            return None
        values = traits_of(kernel, step, sizes)
        return sum(factor * values[name] for name, factor in fitted.factors.items())

    def median(self, kernel: Kernel) -> float:
        """How far predictions of what kernels are chosen by are off as a rule; 0 where this one was not recorded."""
        fitted = self.kernels.get(kernel.name, {}).get(self.by)
        return fitted.median if fitted else 0.0


def table(board: Board) -> Table | None:
    """What was recorded of a board's core, one hart of several; None where nothing was."""
    return _read(board.costs or board.id)


@functools.cache
def _read(board_id: str) -> Table | None:
    path = boards_dir() / "costs" / f"{board_id}.json"
    return msgspec.json.decode(path.read_bytes(), type=Table) if path.is_file() else None


def predict(board: Board, kernel: Kernel, step: str, sizes: Sizes) -> float | None:
    """Instructions of one call; None where nothing is known of this kernel on this board, or harts may divide it."""
    recorded = table(board) if board.harts == 1 else None
    return recorded.predict(kernel, step, sizes) if recorded else None


def select(board: Board, step: str, fmt: str, sizes: Sizes, most: int | None = None) -> Kernel:
    """The kernel that a plan takes: of those of the board that can compute this shape the one that takes least.

    The one that the board prefers is left only where something was recorded for it, and where the difference is more
    than what predictions are off as a rule. What harts divide is chosen for one of them, so that their number does not
    change a bit. With `most` only kernels count that want no more bytes of scratch; if there
    is none, those that want least.
    """
    found = implementations(step, fmt, board.kernels, sizes)
    if most is not None:
        least = min(kernel.scratch for kernel in found)
        found = [kernel for kernel in found if kernel.scratch <= max(most, least)]
    recorded, best = table(board), found[0]
    cost = recorded.predict(best, step, sizes, recorded.by) if recorded else None
    if recorded is None or cost is None:
        return best
    doubt = recorded.median(best)
    for kernel in found[1:]:
        other = recorded.predict(kernel, step, sizes, recorded.by)
        margin = 1 + (doubt + recorded.median(kernel) if best is found[0] else 0.0)
        if other is not None and other * margin < cost:
            best, cost = kernel, other
    return best


def calls(phase: Phase, batch: int) -> float:
    """How often a node runs for one sample."""
    return 1 / batch if phase is Phase.UPDATE else 1.0


def node_insn(board: Board, graph: Graph, node: Node) -> float:
    """Predicted instructions of a node for one sample; 0 where its kernel was not recorded."""
    op, sizes = OPS[node.op], step_sizes(graph, node)
    kernel = select(board, op.kernel, op.fmt.name, sizes)
    batch = int(graph.meta.get("batch", 1))
    return (predict(board, kernel, op.kernel, sizes) or 0.0) * calls(node.phase, batch)
