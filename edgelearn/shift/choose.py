"""Which layers of a model become shift layers, and the training graph for a host."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from edgelearn.config import TrainConfig
from edgelearn.errors import InputError
from edgelearn.graph import Graph, Node, Role
from edgelearn.methods import choose
from edgelearn.passes.differentiate import choose_loss, differentiate, own_target
from edgelearn.passes.partition import partition
from edgelearn.shift import latents
from edgelearn.shift.tuning import Shifted

LAYERS = ("conv2d", "depthwise_conv2d", "dense")


@dataclass(frozen=True)
class Start:
    """A network to be trained: its graph, what is shifted, and the first values of everything that trains."""

    graph: Graph
    shifted: dict[str, Shifted]
    values: dict[str, np.ndarray]


def can_shift(graph: Graph) -> list[Node]:
    """The layers whose weights stand in the file as they are, in order."""
    records = graph.meta.get("export", {})
    found = []
    for node in graph.nodes:
        record = records.get(node.inputs[1]) if node.op in LAYERS else None
        if record is not None and bool(np.all(np.asarray(record.scale) == 1)):
            found.append(node)
    return found


def pick(graph: Graph, names: Sequence[str]) -> list[Node]:
    """The named layers; without names all but the first, where it is a convolution, and the last, where it is dense.

    What they read and what they give is worth more than two to four bits (Li et al. 2023, section 5). InputError for
    a name that is no such layer, and where nothing is left.
    """
    able = can_shift(graph)
    if names:
        by_name = {node.name: node for node in able}
        wrong = [name for name in names if name not in by_name]
        if wrong:
            raise InputError(
                f"no layer that can be shifted is called {', '.join(wrong)}", where=graph.name,
                hint=f"there is {', '.join(by_name) or 'none'}",
            )  # fmt: skip
        return [by_name[name] for name in dict.fromkeys(names)]
    layers = [node for node in graph.nodes if node.op in LAYERS]
    left = {layers[0].name} if layers and layers[0].op != "dense" else set()
    left |= {layers[-1].name} if layers and layers[-1].op == "dense" else set()
    picked = [node for node in able if node.name not in left]
    if not picked:
        raise InputError(
            f"of its {len(layers)} layers none is left to shift: the first convolution and the last dense one stay",
            where=graph.name, hint=f"name layers with --layers: {', '.join(n.name for n in able)}" if able else None,
        )  # fmt: skip
    return picked


def start(
    graph: Graph, nodes: Iterable[Node], bits: int, random: np.random.Generator, *, fresh: bool, loss: str = "auto"
) -> Start:
    """The training graph of an imported model with some layers' weights as latents of so many bits.

    `fresh` latents know nothing of the model's weights but their size.
    """
    loss = choose_loss(graph, loss)
    whole = partition(graph, choose(graph, TrainConfig()).trained)
    training = differentiate(whole, loss, 1, own_target(whole, loss, "auto"))
    values = {t.name: np.array(t.data, np.float32) for t in training.of_role(Role.PARAM)}
    shifted = {}
    for node in nodes:
        name = node.inputs[1]
        if name in shifted:
            continue
        float_weights = values[name]
        if fresh:
            values[name] = latents.fresh(float_weights.shape, bits, random)
            ratio = float(np.sqrt(np.mean(np.square(latents.weights_of(values[name])))) / (float_weights.std() or 1.0))
            shifted[name] = Shifted(name, bits, round(np.log2(ratio)))
        else:
            values[name], k = latents.near(float_weights, bits, random)
            shifted[name] = Shifted(name, bits, k)
    return Start(training, shifted, values)
