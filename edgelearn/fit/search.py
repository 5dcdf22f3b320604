"""Searches for the settings that are worth most within RAM, flash and a budget of multiply-accumulates or instructions.

Bounds come first and leave out what can't fit or can't be better than what is there; what remains is planned, so that
every row of the answer is a plan that was made. Recomputation is looked at only for what does not fit without.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from edgelearn import methods
from edgelearn.boards import Board
from edgelearn.config import TrainConfig
from edgelearn.costs import node_macs
from edgelearn.errors import InputError
from edgelearn.fit.candidates import DEAREST_RECOMPUTE, RECOMPUTE, THRIFTY, Chain, chains, thinned
from edgelearn.fit.sketch import Sketch, Weigh, sketch
from edgelearn.graph import Graph
from edgelearn.importance import Importance, weight_macs
from edgelearn.passes.dequantize import is_quantized
from edgelearn.plan import Plan, make_plan
from edgelearn.predict import node_insn, table

INTEGERS = "; with --data samples.npz the frozen part is tried in int8, too, which takes less"
PLACES = 12  # of a chain that are looked at before it is halved where it stops fitting
TIGHT = 4  # settings that are halved between to find what fits with recomputation
EFFORT = 3_500  # what the searches for recomputation may come to together, see Sketch.effort
APART = 1.12  # rows need at least so many times the RAM of one another
WORTH = 1e-3  # of the gain of all: what is worth less more than another plan is worth the same
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Budget:
    """Bytes, None for all that the board has, and the cost of one training sample, in multiply-accumulates or in
    instructions.
    """

    ram: int | None = None
    flash: int | None = None
    macs: float | None = None
    insn: float | None = None

    @property
    def cost(self) -> float | None:
        """The limit of one training sample, None for any."""
        return self.macs if self.insn is None else self.insn

    @property
    def unit(self) -> str:
        """What a cost is counted in."""
        return "MACs" if self.insn is None else "insn"


@dataclass(frozen=True)
class Row:
    """One plan that was made. `gain` is a share of what training everything is worth, `cost` of one training sample."""

    config: TrainConfig
    plan: Plan
    gain: float
    cost: float

    @property
    def weights(self) -> int:
        """Trained weights."""
        return sum(t.count for t, _ in self.plan.params.tensors)


@dataclass(frozen=True)
class Fit:
    """The frontier, least RAM first: no plan that was made needs less RAM than a row and is worth as much.

    `pick` is the row that is worth most. `tried` settings were looked at, `made` of them planned. `base` are the
    settings that rows are changes of; `thrifty` says that nothing fitted with the user's own optimizer and batch.
    `proxy`: gains are shares of the weight gradients' multiply-accumulates, because nothing was measured.
    """

    rows: tuple[Row, ...]
    base: TrainConfig
    budget: Budget
    thrifty: bool
    proxy: bool
    tried: int
    made: int

    @property
    def unit(self) -> str:
        """What the costs of rows are counted in."""
        return self.budget.unit

    @property
    def pick(self) -> Row:
        return self.rows[-1]


def search(
    graph: Graph,
    config: TrainConfig,
    board: Board,
    budget: Budget,
    importance: Importance | None = None,
    *,
    weigh: Weigh | None = None,
    progress: Progress = lambda done, total: None,
) -> Fit:
    """The frontier of an imported graph on a board; InputError says what is least where nothing fits.

    `weigh` gives the cost of a node for one sample, in the unit of the budget: by default its multiply-accumulates, or
    with a budget of instructions what is predicted for the board.
    """
    weigh = weigh or (node_macs if budget.insn is None else _predicted(board))
    values = importance.tensors if importance else {k: float(v) for k, v in weight_macs(graph, config).items()}
    total = sum(max(value, 0.0) for value in values.values()) or 1.0
    shares = {name: value / total for name, value in values.items()}
    own = _Search(graph, config, board, budget, shares, weigh, progress)
    own.run(chains(graph, config, importance))
    thrifty = not own.found and config != (lean := config.with_changes(**THRIFTY))
    if thrifty:
        second = _Search(graph, lean, board, budget, shares, weigh, progress)
        second.sketches, second.made = [], own.made
        second.run(chains(graph, lean, importance))
        own = second
    if not own.found:
        raise own.nothing()
    frontier = pareto(own.found)
    return Fit(tuple(frontier), config, budget, thrifty, importance is None, len(own.sketches), own.made)


def _predicted(board: Board) -> Weigh:
    """Instructions of a node; InputError where nothing was recorded."""
    if board.harts > 1 or table(board) is None:
        raise InputError(
            f"nothing was recorded of what kernels cost on {board.id}", where="--max-insn", hint="--max-macs"
        )
    return partial(node_insn, board)


def pareto(rows: Iterable[Row]) -> list[Row]:
    """The rows that no other one beats in RAM and gain, least RAM first; of equals the one that costs least.

    Gains that differ by no more than WORTH are equal.
    """
    kept: list[Row] = []
    for row in sorted(rows, key=lambda r: (r.plan.ram, -r.gain, r.cost)):
        if not kept or row.gain > kept[-1].gain + WORTH:
            kept.append(row)
    return kept


class _Search:
    def __init__(
        self,
        graph: Graph,
        config: TrainConfig,
        board: Board,
        budget: Budget,
        values: Mapping[str, float],
        weigh: Weigh,
        progress: Progress,
    ) -> None:
        self.graph, self.config, self.board, self.budget = graph, config, board, budget
        self.values, self.weigh, self.progress = values, weigh, progress
        self.ram = min(budget.ram or board.ram_bytes, board.ram_bytes)
        self.flash = min(budget.flash or board.flash_bytes, board.flash_bytes)
        self.cost = math.inf if budget.cost is None else budget.cost
        self.known: dict[str, Sketch | None] = {}
        self.seen: dict[TrainConfig, Sketch | None] = {}
        self.sketches: list[Sketch] = []
        self.plans: dict[TrainConfig, Row] = {}
        self.found: list[Row] = []
        self.made, self.effort = 0, EFFORT
        self.steps = self.total = 0

    def run(self, every: Sequence[Chain]) -> None:
        """Fill `found` with plans that fit."""
        places = [(chain, thinned(chain, PLACES)) for chain in every]
        self.total = 2 * sum(len(at) for _, at in places) + TIGHT * len(RECOMPUTE)
        for chain, at in places:
            for k in at:
                self._sketch(chain[k])
                self._count()
        self._plain()
        for chain, at in places:
            self._halve(chain, at)
        self._recomputed()
        self.progress(self.total, self.total)

    def _count(self) -> None:
        self.steps = min(self.steps + 1, self.total)
        self.progress(self.steps, self.total)

    def _sketch(self, changes: Mapping[str, object]) -> Sketch | None:
        """The bounds of a setting, made once for all that train the same; None where the model can't be trained so."""
        config = self.config.with_changes(**changes)
        if config not in self.seen:
            self.seen[config] = self._judge(config)
        return self.seen[config]

    def _judge(self, config: TrainConfig) -> Sketch | None:
        try:
            choice = methods.choose(self.graph, config)
            channels = sorted((name, indices.tobytes()) for name, indices in choice.channels.items())
            replaced = sorted(choice.replaced.items())
            key = repr((sorted(choice.trained), channels, replaced, config.fold_norms, config.int8_prefix))
            if key not in self.known:
                self.known[key] = None
                made = sketch(self.graph, config, self.board, self.values, self.weigh, self.ram)
                self.known[key] = made
                self.sketches.append(made)
            return self.known[key]
        except InputError:
            return None

    def _within(self, item: Sketch) -> bool:
        return item.cost <= self.cost and item.flash <= self.flash

    def _beaten(self, gain: float, least: int) -> bool:
        """Whether a plan was made that is worth as much in no more RAM."""
        return any(row.gain >= gain - WORTH and row.plan.ram <= least for row in self.found)

    def _try(self, config: TrainConfig, gain: float) -> Row | None:
        """The plan of a setting if it fits."""
        if config not in self.plans:
            plan = make_plan(self.graph, config, self.board, ram=self.budget.ram, flash=self.budget.flash)
            cost = self._cost(plan)
            self.plans[config] = Row(config, plan, gain, cost)
            self.made += 1
            self._count()
            row = self.plans[config]
            if max(row.plan.over()) <= 0 and row.cost <= self.cost:
                self.found.append(row)
        row = self.plans[config]
        return row if row in self.found else None

    def _cost(self, plan: Plan) -> float:
        """A plan may have had to take kernels that cost more than what `weigh` knows."""
        weighed = sum(self.weigh(plan.graph, step.node) for step in plan.schedule.steps)
        return weighed if self.budget.insn is None else plan.training_insn or weighed

    def _plain(self) -> None:
        """What fits without recomputation, what is worth most first."""
        for item in sorted(self.sketches, key=lambda s: (-s.gain, s.ram, s.cost)):
            if self._within(item) and item.ram <= self.ram and not self._beaten(item.gain, int(APART * item.ram)):
                self._try(item.config, item.gain)

    def _halve(self, chain: Chain, places: Sequence[int]) -> None:
        """Between the last place of a chain that fits and the next one that was looked at."""
        fits = [k for k in places if (s := self._sketch(chain[k])) and s.config in self.plans and self._fits(s)]
        low = max(fits, default=-1)
        high = min((k for k in places if k > low), default=len(chain))
        while high - low > 1:
            middle = (low + high) // 2
            item = self._sketch(chain[middle])
            possible = item and self._within(item) and item.ram <= self.ram
            if item and possible and (self._beaten(item.gain, item.ram) or self._try(item.config, item.gain)):
                low = middle
            else:
                high = middle

    def _fits(self, item: Sketch) -> bool:
        return self.plans[item.config] in self.found

    def _recomputed(self) -> None:
        """What fits only if activations are computed twice, and is worth more than all that fits without."""
        best = max((row.gain for row in self.found), default=-1.0)
        affordable = [s for s in self.sketches if self._within(s) and s.gain > best + WORTH]
        tight = [s for s in affordable if s.with_recompute(DEAREST_RECOMPUTE) <= self.ram]
        tight.sort(key=lambda s: (s.gain, -s.ram))
        low, high, tries = -1, len(tight), 0
        while high - low > 1 and tries < TIGHT:
            # What is worth a little more needs a little more, as a rule; first the best, which the bounds let through.
            middle, tries = (low + high) // 2 if tries else high - 1, tries + 1
            low, high = (middle, high) if self._again(tight[middle], DEAREST_RECOMPUTE) else (low, middle)
        if low >= 0:
            any(self._again(tight[low], share) for share in RECOMPUTE[:-1])

    def _again(self, item: Sketch, share: float) -> bool:
        """Whether a setting fits with so much recomputation; not tried where it would be a wonder."""
        if item.with_recompute(share) > self.ram or item.effort > self.effort:
            return False
        self.effort -= item.effort
        return self._try(item.config.with_changes(recompute=share), item.gain) is not None

    def _float_only(self) -> bool:
        """Whether the frozen part was not tried in int8, because no samples said what its activations hold."""
        return not (self.graph.meta.get("ranges") or is_quantized(self.graph) or self.config.int8_prefix)

    def nothing(self) -> InputError:
        """What stands in the way, with the least that any setting needs: the smallest plans were made to know it."""
        affordable = [s for s in self.sketches if s.cost <= self.cost]
        if not affordable:
            least, flag = min(s.cost for s in self.sketches), f"--max-{self.budget.unit.lower()}"
            return InputError(
                f"no training step costs so little: the cheapest needs {least:,.0f} {self.budget.unit} a sample",
                where=flag,
                hint=f"{flag} {math.ceil(least)}",
            )
        possible = [s for s in affordable if s.flash <= self.flash] or affordable
        for item in sorted(possible, key=lambda s: s.lean):
            rows = [self.plans[s.config] for s in possible if s.config in self.plans]
            if rows and item.lean >= min(row.plan.ram for row in rows):
                break
            self._try(item.config, item.gain)
        smallest = min((self.plans[s.config].plan for s in possible if s.config in self.plans), key=lambda p: p.ram)
        flash = min(s.flash for s in affordable)
        details = [f"RAM: the least that any needs is {smallest.ram:,} bytes, {self.ram:,} are there"]
        details.append(f"flash: the least that any needs is {flash:,} bytes and code, {self.flash:,} are there")
        flags = [f"--ram {smallest.ram}"] if smallest.ram > self.ram else []
        flags += [f"--flash {smallest.model_flash}"] if smallest.model_flash > self.flash else []
        return InputError(
            f"nothing that can be trained fits {self.board.id}",
            where=self.graph.name,
            details=tuple(details),
            hint=" ".join(flags) + (INTEGERS if smallest.ram > self.ram and self._float_only() else ""),
        )
