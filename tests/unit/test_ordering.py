"""The order of steps: exact on small graphs, valid always."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from edgelearn.config import TrainConfig
from edgelearn.graph import Graph, Node, Phase, Role, Tensor
from edgelearn.ordering import before, best_order, peak_of
from edgelearn.recompute import loads
from edgelearn.schedule import Program, check_order, make_schedule
from edgelearn.training import training_graph
from tests.support.nets import NETS, Net


def tangle(seed: int) -> Graph:
    """A random graph of up to seven sums and copies of maps of different sizes."""
    rng = np.random.default_rng(seed)
    sizes = [int(n) for n in rng.integers(1, 30, 8)]
    tensors = {"x": Tensor("x", (sizes[0],), Role.INPUT)}
    nodes = []
    for k in range(1, int(rng.integers(3, 8))):
        inputs = rng.choice(sorted(tensors), size=int(rng.integers(1, min(3, len(tensors) + 1))), replace=False)
        name = f"t{k}"
        tensors[name] = Tensor(name, (sizes[k],), Role.ACT)
        nodes.append(Node("concat", f"n{k}", tuple(map(str, inputs)), (name,)))
    return Graph("tangle", tensors, tuple(nodes), ("x",), (f"t{len(nodes)}",))


def orders(nodes: Sequence[Node], needs: Sequence[int], taken: tuple[int, ...] = ()) -> Iterator[list[Node]]:
    """All orders that respect what must come before what."""
    if len(taken) == len(nodes):
        yield [nodes[k] for k in taken]
    for k in set(range(len(nodes))) - set(taken):
        if all(j in taken for j in range(len(nodes)) if needs[k] >> j & 1):
            yield from orders(nodes, needs, (*taken, k))


@pytest.mark.parametrize("seed", range(60))
def test_no_order_of_a_small_graph_needs_less(seed: int) -> None:
    graph = tangle(seed)
    found = best_order(graph, graph.nodes, graph.outputs)
    least = min(peak_of(graph, order, graph.outputs, {}) for order in orders(graph.nodes, before(graph.nodes)))
    assert found.exact
    assert found.peak == least == peak_of(graph, found.nodes, graph.outputs, {})


def test_a_search_that_gives_up_says_so_and_is_never_worse_than_the_given_order() -> None:
    worse = 0
    for seed in range(60):
        graph = tangle(seed)
        found = best_order(graph, graph.nodes, graph.outputs, states=1)
        assert found.bound <= found.peak <= peak_of(graph, graph.nodes, graph.outputs, {})
        worse += not found.exact
    assert worse, "some of these need more than one state"


@pytest.mark.parametrize("config", [TrainConfig(), TrainConfig(momentum=0.9), TrainConfig(optimizer="adam", batch=2)])
@pytest.mark.parametrize("net", NETS)
def test_what_a_step_reads_has_been_written_and_not_yet_overwritten(net: str, config: TrainConfig) -> None:
    graph = training_graph(NETS[net](), config)
    written, searched = (make_schedule(graph, search=search) for search in (False, True))
    assert searched.exact
    assert check_order(searched) == []
    for program in Program:
        first, second = ([s.node for s in k.steps if s.program is program] for k in (written, searched))
        needs = before(first)
        place = {node.name: k for k, node in enumerate(second)}
        assert place.keys() == {node.name for node in first}
        for k, node in enumerate(first):
            for j in range(len(first)):
                if needs[k] >> j & 1:
                    assert place[first[j].name] < place[node.name], f"{node.name} ran before {first[j].name}"


def test_a_held_gradient_lets_a_large_map_die_before_its_gradient_is_born() -> None:
    net = Net((12, 12, 4))
    for _ in range(3):
        net.conv(4, (3, 3), pads=(1, 1, 1, 1))
        net.add("relu", slope=0.0, max=np.inf)
    net.mean()
    lean, plain = (training_graph(net.graph(), TrainConfig(), thrifty=thrifty) for thrifty in (True, False))
    assert lean.meta["held"]
    backward = [s.node for s in make_schedule(lean).steps if s.node.phase is Phase.BACKWARD]
    for name in lean.meta["held"]:
        made = next(k for k, n in enumerate(backward) if f"{name}_grad" in n.outputs and n.inputs)
        assert made < next(k for k, n in enumerate(backward) if name in n.inputs)
    assert max(loads(make_schedule(lean))) < max(loads(make_schedule(plain)))
