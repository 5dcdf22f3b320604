"""The cut: where frozen layers end and training begins. What crosses it can be kept, and trained on again later.

`meta["prefix"]` names the forward nodes that nothing trained stands in front of, `meta["cut"]` the tensors that the
other nodes read of theirs.
"""

from __future__ import annotations

from edgelearn.errors import InputError
from edgelearn.formats import S8
from edgelearn.graph import Graph, Node, Phase, Role

REPLAY, STORE = "--replay", "--store-latents"


def mark_cut(graph: Graph, slots: int) -> Graph:
    """A differentiated graph that says where its cut is, for a replay memory of `slots` latents, or 0 for none.

    InputError if a trained layer reads the sample itself, if samples have no labels, or if there are fewer slots than
    classes.
    """
    head = _head(graph)
    prefix = {n.name for n in graph.nodes if n.phase is Phase.FORWARD} - head
    made = {out for n in graph.nodes if n.name in prefix for out in n.outputs} | set(graph.inputs[:1])
    rest = [n for n in graph.nodes if n.name not in prefix]
    cut = tuple(dict.fromkeys(name for n in rest for name in n.inputs if name in made))
    _check(graph, slots, cut, rest)
    return graph.replace(meta={**graph.meta, "prefix": frozenset(prefix), "cut": cut})


def _head(graph: Graph) -> set[str]:
    """Names of the forward nodes that depend on a trained weight, and of those that only make floats for them of int8
    activations: the integers are a quarter of the bytes.
    """
    head: set[str] = set()
    trained: set[str] = set()
    forward = [n for n in graph.nodes if n.phase is Phase.FORWARD]
    for node in forward:
        if any(name in trained or graph.tensors[name].role is Role.PARAM for name in node.inputs if name):
            head.add(node.name)
            trained.update(node.outputs)
    casts = [n for n in forward if n.op == "dequantize" and n.name not in head]
    return head | {n.name for n in casts if _serves(graph, n, head)}


def _serves(graph: Graph, cast: Node, head: set[str]) -> bool:
    """Whether a dequantize is there for trained layers alone."""
    readers = [n for n in graph.consumers(cast.outputs[0]) if n.phase is Phase.FORWARD]
    return graph.tensors[cast.inputs[0]].format is S8 and all(n.name in head for n in readers)


def _check(graph: Graph, slots: int, cut: tuple[str, ...], rest: list[Node]) -> None:
    classes = graph.tensors[graph.outputs[0]].count
    if slots and graph.meta["loss"] != "cross-entropy":
        raise InputError(
            "latents are kept by class, and there are no labels: the model trains with mean squared error",
            where=REPLAY,
            hint="--loss cross-entropy, if the model gives class scores; else --replay 0",
        )
    if graph.inputs[0] in cut:
        first = next(n for n in rest if graph.inputs[0] in n.inputs)
        why = f"'{first.name}' reads the sample itself"
        raise InputError(
            f"nothing is frozen in front of the trained layers: {why}"
            if first.phase is Phase.FORWARD
            else f"latents do not stand for a sample that is its own target: {why}",
            where=REPLAY if slots else STORE,
            hint="--train last, or the names of some of the last layers; without frozen layers --store keeps samples",
        )
    if 0 < slots < classes:
        raise InputError(
            f"{slots} latents are fewer than the model's {classes} classes",
            where=REPLAY,
            hint=f"--replay {4 * classes}",
        )
