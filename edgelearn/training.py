"""The training graph of an imported model: what trains, its gradients and updates, in as little memory as they need."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgelearn import methods
from edgelearn.config import TrainConfig
from edgelearn.costs import node_macs
from edgelearn.errors import InputError
from edgelearn.graph import Graph, Phase
from edgelearn.ops import OPS
from edgelearn.passes.differentiate import choose_loss, differentiate, own_target
from edgelearn.passes.fold import fold_norms
from edgelearn.passes.latents import mark_cut
from edgelearn.passes.lower import lower
from edgelearn.passes.multiply import affine_products, exact_layers
from edgelearn.passes.partition import partition
from edgelearn.passes.precision import is_scaled, to_halves
from edgelearn.passes.quantize import quantize
from edgelearn.passes.samples import place_samples
from edgelearn.passes.scaled import attach_scaled
from edgelearn.passes.shift import shift_layers
from edgelearn.passes.shift_latents import with_latents
from edgelearn.passes.split import apply_choice
from edgelearn.passes.update import attach_updates, may_hold
from edgelearn.recompute import Recomputed, loads, recompute, recompute_within
from edgelearn.schedule import make_schedule


def training_graph(source: Graph, config: TrainConfig, *, thrifty: bool = True) -> Graph:
    """The imported graph with everything that training adds; InputError where a choice does not fit the model.

    Without `thrifty` nothing is done to lower the arena's peak. meta["held"] and meta["dropped"] name the weights whose
    gradient is held back and the activations that are computed twice.
    """
    _check_weights(source)
    choice = methods.choose(source, config)
    graph, trained = fold_norms(source, choice.trained, force=config.fold_norms)
    graph = partition(graph, trained)
    if config.int8_prefix:
        graph = quantize(graph, source.meta.get("ranges"))
    graph = place_samples(lower(graph), graph, config.samples)
    loss = choose_loss(graph, config.loss)
    graph = with_latents(apply_choice(graph, choice), config)
    graph = exact_layers(shift_layers(graph), config.multiply, config.precision)
    graph = differentiate(graph, loss, config.batch, own_target(graph, loss, config.target))
    graph = to_halves(graph, config.precision, config.loss_scale, config.samples)
    graph = mark_cut(graph, config.replay) if config.replay or config.store_latents else graph
    return _Thrift(graph, config).best() if thrifty else _attach(graph, config)


def _attach(graph: Graph, config: TrainConfig, held: frozenset[str] = frozenset()) -> Graph:
    decays, clips = config.weight_decay > 0, config.clip_norm > 0
    if is_scaled(graph):
        at_random = config.rounding == "stochastic"
        return attach_scaled(graph, config.rule, clip=clips, at_random=at_random, every=config.scale_every)
    graph = attach_updates(graph, config.rule, clip=clips, weight_decay=decays, held=held)
    return affine_products(graph, config.multiply)


def _check_weights(graph: Graph) -> None:
    weights = [t for t in graph.tensors.values() if t.data is not None and t.data.dtype.kind == "f"]
    bad = [t.name for t in weights if not np.isfinite(np.asarray(t.data)).all()]
    if bad:
        raise InputError(f"{len(bad)} weight tensors hold NaN or infinity", where=graph.name, details=tuple(bad[:20]))


class _Thrift:
    """Which gradients are held back, and which activations are computed twice, so that the arena's peak is small."""

    def __init__(self, graph: Graph, config: TrainConfig) -> None:
        self.graph, self.config = graph, config
        backward = (Phase.FORWARD, Phase.BACKWARD)
        self.budget = int(config.recompute * sum(node_macs(graph, n) for n in graph.nodes if n.phase in backward))

    def best(self) -> Graph:
        """The graph with the smallest peak; the plain one where nothing is gained."""
        held = frozenset(self._worth_holding())
        found = self._spend(held)
        if held:
            plain = recompute(_attach(self.graph, self.config), set(found.dropped))
            reached = _peak(found.graph)
            if _peak(plain) <= reached:
                held, found = frozenset(), Recomputed(plain, found.dropped, found.cost)
            else:
                fewer, spared = self._fewer(held, found)
                held, found = (fewer, spared) if _peak(spared.graph) <= reached else (held, found)
        return found.graph.replace(meta={**found.graph.meta, "held": sorted(held), "dropped": found.dropped})

    def _spend(self, held: frozenset[str]) -> Recomputed:
        graph = _attach(self.graph, self.config, held)
        if not self.budget:
            return Recomputed(graph, (), 0)
        return recompute_within(graph, self.budget, lambda g: make_schedule(g, search=False))

    def _worth_holding(self) -> Iterator[str]:
        """Weights of which one layer's input is at least twice as large: what dies early outweighs the buffer."""
        if is_scaled(self.graph) or not may_hold(self.config.rule, self.config.batch, clip=self.config.clip_norm > 0):
            return
        tensors = self.graph.tensors
        for node in self.graph.nodes:
            slots = OPS[node.op].weights if node.phase is Phase.FORWARD else ()
            for name in (node.inputs[k] for k in slots if k < len(node.inputs) and node.inputs[k]):
                matrix = len(tensors[name].shape) > 1
                if matrix and f"{name}_grad" in tensors and 2 * tensors[name].nbytes < tensors[node.inputs[0]].nbytes:
                    yield name

    def _fewer(self, held: frozenset[str], found: Recomputed) -> tuple[frozenset[str], Recomputed]:
        """Hold back only what the peak needs, the largest weights being let go first."""
        peak = _peak(found.graph, search=False)
        for name in sorted(held, key=lambda n: (-self.graph.tensors[n].nbytes, n)):
            attempt = recompute(_attach(self.graph, self.config, held - {name}), set(found.dropped))
            if _peak(attempt, search=False) <= peak:
                held, found = held - {name}, Recomputed(attempt, found.dropped, found.cost)
        return held, found


def _peak(graph: Graph, *, search: bool = True) -> int:
    return max(loads(make_schedule(graph, search=search)), default=0)
