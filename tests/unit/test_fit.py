"""The search for what fits: bounds that are bounds, rows that are plans, a frontier that is one."""

from __future__ import annotations

import shlex
from functools import cache
from itertools import pairwise

import pytest

from edgelearn.boards import load as load_board
from edgelearn.config import TrainConfig
from edgelearn.costs import node_macs
from edgelearn.errors import InputError
from edgelearn.fit import WORTH, Budget, Fit, chains, flags_of, search
from edgelearn.fit.sketch import sketch
from edgelearn.frontier import axis, frontier_text, gain_text
from edgelearn.graph import Graph
from edgelearn.importance import Importance, Layer, layers_of
from edgelearn.plan import make_plan
from tests.support.mobilenets import v3
from tests.support.nets import NETS

BOARD = load_board("qemu-m4")
CONFIG = TrainConfig(momentum=0.9)


@cache
def wide(name: str = "conv1d_net") -> tuple[Graph, int]:
    """A net, and the RAM that it needs to train everything."""
    graph = NETS[name]() if name in NETS else v3()
    return graph, make_plan(graph, CONFIG, BOARD).ram


def planted(graph: Graph, layer: str) -> Importance:
    """Everything is worth something, one layer a lot."""
    layers = [Layer(n, op, 1, 50.0 if n == layer else 1.0, names) for n, op, names in layers_of(graph)]
    tensors = {t: row.value / len(row.tensors) for row in layers for t in row.tensors}
    return Importance("fisher", 1, 0, "numpy", "", tuple(layers), tensors)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("name", ["conv1d_net", "residual_net", "mlp", "autoencoder", "recurrent_net"])
def test_a_sketch_never_says_too_much(name: str, batch: int) -> None:
    graph, _ = wide(name)
    config = CONFIG.with_changes(batch=batch, momentum=0.9 if batch == 2 else 0.0)
    tried = 0
    for chain in chains(graph, config, None):
        for changes in chain[:: max(1, len(chain) // 3)]:
            changed = config.with_changes(**changes)
            try:
                found = sketch(graph, changed, BOARD, {}, node_macs)
            except InputError:
                with pytest.raises(InputError):
                    make_plan(graph, changed, BOARD)
                continue
            plan = make_plan(graph, changed, BOARD)
            assert found.lean <= found.ram <= plan.ram
            assert (found.flash, found.cost) == (plan.model_flash, plan.training_macs)
            again = make_plan(graph, changed.with_changes(recompute=0.3), BOARD)
            assert found.lean <= again.ram
            tried += 1
    assert tried >= 5


def budgets(whole: int) -> list[int]:
    return [whole, whole * 3 // 4, whole // 2 + BOARD.stack // 2]


@pytest.mark.parametrize(
    ("name", "part"), [*((name, part) for name in ("conv1d_net", "residual_net") for part in (0, 1, 2)), ("v3", 1)]
)
def test_rows_are_plans_that_fit_and_none_beats_another(name: str, part: int) -> None:
    graph, whole = wide(name)
    ram = budgets(whole)[part]
    fit = search(graph, CONFIG, BOARD, Budget(ram))
    for row in fit.rows:
        assert max(row.plan.over()) <= 0
        assert row.plan.ram <= ram
        again = make_plan(graph, row.config, BOARD, ram=ram)
        assert (again.hash, again.ram, again.training_macs) == (row.plan.hash, row.plan.ram, row.cost)
        assert row.config.momentum == CONFIG.momentum
    for one, two in zip(fit.rows, fit.rows[1:], strict=False):
        assert one.plan.ram < two.plan.ram
        assert one.gain < two.gain
    assert fit.pick is fit.rows[-1]
    assert fit.rows[0].gain > 0
    assert fit.pick.gain <= 1 + 1e-9
    if part == 0:
        assert fit.pick.gain == pytest.approx(1.0)
        assert fit.pick.config.recompute == 0, "nothing is computed twice without need"


def test_the_same_search_finds_the_same() -> None:
    graph, whole = wide("residual_net")

    def rows(fit: Fit) -> list[tuple[str, int]]:
        return [(flags_of(fit.base, row.config), row.plan.ram) for row in fit.rows]

    first, second = (search(graph, CONFIG, BOARD, Budget(whole * 3 // 4)) for _ in range(2))
    assert rows(first) == rows(second)
    assert (first.tried, first.made) == (second.tried, second.made)


def test_macs_are_a_budget_and_may_be_weighed_otherwise() -> None:
    graph, _ = wide()
    whole = make_plan(graph, CONFIG, BOARD).training_macs
    fit = search(graph, CONFIG, BOARD, Budget(macs=whole // 2))
    assert 0 < fit.pick.cost <= whole // 2
    dear = search(graph, CONFIG, BOARD, Budget(macs=whole), weigh=lambda g, n: 2.0 * node_macs(g, n))
    assert dear.pick.cost == 2 * dear.pick.plan.training_macs <= whole
    assert dear.pick.gain < 1
    with pytest.raises(InputError, match="no training step costs so little") as caught:
        search(graph, CONFIG, BOARD, Budget(macs=10))
    least = int(str(caught.value.hint).split()[1])
    assert search(graph, CONFIG, BOARD, Budget(macs=least)).pick.cost <= least


def test_recomputation_is_taken_where_it_buys_gain() -> None:
    graph = NETS["residual_net"]()
    config = TrainConfig()
    whole, lean = (make_plan(graph, config.with_changes(recompute=share), BOARD).ram for share in (0.0, 0.3))
    assert lean < whole
    fit = search(graph, config, BOARD, Budget(whole - 16))
    assert fit.pick.gain == pytest.approx(1.0)
    assert fit.pick.config.recompute > 0 or fit.pick.config.fold_norms


def test_an_important_layer_is_trained_alone_where_little_fits() -> None:
    graph, _ = wide()
    least = make_plan(graph, CONFIG.with_changes(train="conv3"), BOARD).ram
    fit = search(graph, CONFIG, BOARD, Budget(least), planted(graph, "conv3"))
    assert not fit.proxy
    assert "conv3" in fit.pick.config.train.removesuffix("..").split(",")
    assert fit.pick.gain > 0.8


def test_nothing_fits_says_the_least_and_that_is_enough() -> None:
    graph, _ = wide()
    with pytest.raises(InputError, match="nothing that can be trained fits") as caught:
        search(graph, TrainConfig(), BOARD, Budget(BOARD.stack))
    flags, offer = str(caught.value.hint).split("; ")
    assert "--data" in offer, "without samples nothing was tried in int8"
    least = int(flags.split()[1])
    assert f"{least:,} bytes" in caught.value.details[0]
    assert search(graph, TrainConfig(), BOARD, Budget(least)).pick.plan.ram == least
    with pytest.raises(InputError):
        search(graph, TrainConfig(), BOARD, Budget(least - 1))


def test_plain_sgd_is_offered_where_the_optimizer_does_not_fit() -> None:
    graph, _ = wide("mlp")
    config = TrainConfig(optimizer="adam", batch=4, store=20)
    least = min(r.plan.ram for r in search(graph, config, BOARD, Budget()).rows)
    assert not search(graph, config, BOARD, Budget(least)).thrifty
    fit = search(graph, config, BOARD, Budget(least - 600))
    assert fit.thrifty
    assert (fit.pick.config.rule, fit.pick.config.batch, fit.pick.config.store) == ("sgd", 1, 0)
    words = shlex.split(flags_of(config, fit.pick.config))
    assert {"--optimizer", "--batch", "--store"} <= set(words)


def test_what_is_worth_a_thousandth_more_is_no_better() -> None:
    graph, whole = wide()
    last = layers_of(graph)[-1][0]
    layers = [Layer(n, op, 1, 1e6 if n == last else 1.0, names) for n, op, names in layers_of(graph)]
    tensors = {t: row.value / len(row.tensors) for row in layers for t in row.tensors}
    fit = search(graph, CONFIG, BOARD, Budget(), Importance("fisher", 1, 0, "numpy", "", tuple(layers), tensors))
    assert fit.pick.config.train == "last", "all fits, and is worth a millionth more"
    assert fit.pick.plan.ram < whole
    assert all(b.gain > a.gain + WORTH for a, b in pairwise(fit.rows))


def test_a_picture_ends_where_rows_do() -> None:
    graph, whole = wide()
    fit = search(graph, CONFIG, BOARD, Budget())
    assert axis(fit.rows, whole) == whole
    assert axis(fit.rows, BOARD.ram_bytes) == fit.pick.plan.ram * 5 // 4
    drawn = frontier_text(fit.rows, BOARD.ram_bytes)
    assert max(line.find("*") for line in drawn) > 50, "the pick stands far to the right"
    assert drawn[-1].endswith(f"{fit.pick.plan.ram * 5 // 4:,} bytes of RAM")


def test_gains_that_round_to_nothing_have_no_digits() -> None:
    assert [gain_text(g) for g in (0.0, 8e-7, 0.00264, 0.5, 1.0)] == ["0 %", "< 0.1 %", "0.264 %", "50 %", "100 %"]


def test_what_recomputation_can_not_bring_down_far_enough_is_not_looked_at_for_it() -> None:
    graph, _ = wide()
    config = TrainConfig()
    found = sketch(graph, config, BOARD, {}, node_macs)
    assert found.droppable
    assert sketch(graph, config, BOARD, {}, node_macs, found.lean) == found
    hopeless = sketch(graph, config, BOARD, {}, node_macs, found.lean - 1)
    assert not hopeless.droppable
    assert hopeless.with_recompute(1.0) > found.lean - 1
