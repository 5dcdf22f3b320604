"""Layers that shift and train on the board: their weights stay powers of two and move by latents in RAM.

The weight itself stays what it was, a trained float tensor that the usual kernels read; latents are state of the
optimizer, and where they begin follows from the weights (ops/shift_latents.py), so that flash holds none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgelearn.config import TrainConfig
from edgelearn.errors import InputError, nearest
from edgelearn.graph import Graph, Node, Role, Tensor
from edgelearn.ops.shift import encode
from edgelearn.ops.shift_latents import begin, latent_count, span_of

FLAG = "--shift-latents"
NONE, ALL, LAST = "", "all", "last"


@dataclass(frozen=True)
class Latents:
    """The latents of one weight: the tensor that holds them, (*shape, latents), and the weight's bits and k.

    They begin evenly spread up to `span`.
    """

    name: str
    bits: int
    k: int
    span: float


def latents_of(graph: Graph) -> Mapping[str, Latents]:
    """The weights of a training graph that move by latents, by name."""
    marked: Mapping[str, Latents] = graph.meta.get("shift_latents", {})
    return {weight: latents for weight, latents in marked.items() if latents.name in graph.tensors}


def with_latents(graph: Graph, config: TrainConfig) -> Graph:
    """A partitioned graph whose layers `config.shift_latents` train by latents: `all` shift layers that train, `last:N`
    of them, or layers by name, with commas. meta["shift_latents"] has a Latents for each weight.

    InputError for a layer that is no shift, does not train, or has no such weights any more, and where numbers are
    anything but float32 that is multiplied as such.
    """
    wanted = config.shift_latents
    if wanted == NONE:
        return graph
    if config.precision != "fp32":
        raise InputError(f"latents are float32, not {config.precision}", where=FLAG, hint="--precision fp32")
    if config.multiply != "float":
        raise InputError("latents move by products of floats", where=FLAG, hint="--multiply float")
    marked = [node for node in graph.nodes if len(node.inputs) > 1 and node.inputs[1] in graph.meta.get("shift", {})]
    if not marked:
        raise InputError(
            "the model has no layers whose weights are shifts", where=FLAG, hint="edgelearn shift MODEL makes some"
        )
    span = span_of(config.latent_size)
    tensors, found = dict(graph.tensors), dict[str, Latents]()
    for node in _picked(graph, marked, wanted):
        name = node.inputs[1]
        weight, (bits, k) = graph.tensors[name], graph.meta["shift"][name]
        if weight.role is not Role.PARAM:
            raise InputError(
                f"the weights of '{node.name}' are frozen, or train in part only", where=FLAG,
                hint="--method full, and --train with that layer",
            )  # fmt: skip
        data = np.asarray(weight.data)
        if weight.quant is not None or encode(data, bits, k) is None:
            raise InputError(f"the weights of '{node.name}' are no signed powers of two any more", where=FLAG)
        held = latent_count(bits)
        first = begin(data, held, k, span)
        latents = Tensor(graph.unique(f"{name}_latents"), (*weight.shape, held), Role.STATE, data=first)
        tensors[latents.name] = latents
        found[name] = Latents(latents.name, bits, k, span)
    return graph.replace(tensors=tensors, meta={**graph.meta, "shift_latents": found})


def _picked(graph: Graph, marked: list[Node], wanted: str) -> list[Node]:
    """The layers among those that are shifts, in order."""
    training = [node for node in marked if graph.tensors[node.inputs[1]].role is Role.PARAM]
    first, _, number = wanted.partition(":")
    by_name = {name: node for node in marked for name in (node.origin.node, node.name) if name}
    if wanted not in by_name and (wanted == ALL or first == LAST):
        if not training:
            raise InputError(
                "no layer that trains is a shift", where=FLAG,
                hint=f"shifts are {', '.join(n.name for n in marked)}; --train names what trains",
            )  # fmt: skip
        return training if wanted == ALL else training[-_count(number or "1", len(training)) :]
    names = [part.strip() for part in wanted.split(",")]
    for name in names:
        if name not in by_name:
            near = nearest(name, by_name)
            hint = f"did you mean '{near}'? " if near else ""
            own = ", ".join(node.name for node in marked)
            raise InputError(
                f"no layer '{name}' whose weights are shifts", where=FLAG,
                hint=f"{hint}use all, last:N, or some of: {own}",
            )  # fmt: skip
    return [node for node in marked if any(by_name[name] is node for name in names)]


def _count(text: str, most: int) -> int:
    number = int(text) if text.isdecimal() and text.isascii() and len(text) < 6 else 0
    if not 1 <= number <= most:
        raise InputError(
            f"'last:{text}' of {most} layers that are shifts and train", where=FLAG, hint=f"last:1 to last:{most}"
        )
    return number
