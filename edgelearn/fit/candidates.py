"""What a search tries: chains of settings, each training more than the one before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edgelearn.config import TrainConfig
from edgelearn.graph import Graph
from edgelearn.importance import Importance, layers_of
from edgelearn.methods.blocks import find_blocks
from edgelearn.passes.dequantize import is_quantized

Changes = Mapping[str, Any]
Chain = tuple[Changes, ...]

FRACTIONS = (0.5, 0.25)  # of input channels, for the method `sparse`
RECOMPUTE = (0.1, 0.2, 0.3)  # shares of more MACs
DEAREST_RECOMPUTE = RECOMPUTE[-1]
MOST_SINGLE = 8  # layers that are named one by one
THRIFTY: Changes = {"optimizer": "sgd", "momentum": 0.0, "batch": 1, "clip_norm": 0.0, "store": 0}


def suffixes(graph: Graph) -> list[Changes]:
    """The last layer, the last two, and so on up to all."""
    names = [name for name, _, _ in layers_of(graph)]
    return [{"train": "last"}, *({"train": f"{name}.."} for name in reversed(names[1:-1])), {"train": "all"}]


def _blocks(graph: Graph) -> list[Changes]:
    return [{"blocks": count} for count in range(1, len(find_blocks(graph)) + 1)]


def _best_layers(importance: Importance) -> list[Changes]:
    """The most important layer, the two most important ones, and so on; in the model's order each."""
    ranked = [layer.name for layer in importance.ranked() if layer.value > 0][:MOST_SINGLE]
    order = [layer.name for layer in importance.layers]
    return [{"train": ",".join(sorted(ranked[:k], key=order.index))} for k in range(1, len(ranked) + 1)]


def chains(graph: Graph, config: TrainConfig, importance: Importance | None) -> list[Chain]:
    """All chains for an imported graph; the user's own optimizer, batch and kept samples stay as they are.

    The frozen part also in int8 where meta["ranges"] says what its activations hold; norms also folded where there are
    norms. What a method refuses is left to the caller.
    """
    layers = suffixes(graph)
    found: list[list[Changes]] = [layers]
    if importance:
        found.append(_best_layers(importance))
    found.append([{**c, "method": "bias"} for c in layers])
    found += [[{**c, "method": "sparse", "fraction": part} for c in layers] for part in FRACTIONS]
    found.append([{**c, "method": "mobiletl"} for c in _blocks(graph)])
    return [
        tuple({**_neutral(), **change, **more} for change in chain)
        for more in _variants(graph, config)
        for chain in found
        if chain
    ]


def _neutral() -> Changes:
    """What decides what trains, at its default."""
    plain = TrainConfig()
    return {key: getattr(plain, key) for key in ("method", "train", "blocks", "fraction", "recompute")}


def _variants(graph: Graph, config: TrainConfig) -> Iterator[Changes]:
    """Norms as set or folded, the frozen part as set or in int8."""
    fold = any(node.op == "batch_norm" for node in graph.nodes) and not config.fold_norms
    prefix = bool(graph.meta.get("ranges")) and not is_quantized(graph) and not config.int8_prefix
    for folded in (False, True) if fold else (False,):
        for integer in (False, True) if prefix else (False,):
            yield {**({"fold_norms": True} if folded else {}), **({"int8_prefix": True} if integer else {})}


def thinned(chain: Sequence[Changes], most: int) -> list[int]:
    """At most `most` places of a chain, evenly, the first and the last among them."""
    if len(chain) <= most:
        return list(range(len(chain)))
    return sorted({round(k * (len(chain) - 1) / (most - 1)) for k in range(most)})
