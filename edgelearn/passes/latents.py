"""The cut: where frozen layers end and training begins. What crosses it can be kept, and trained on again later.

`meta["prefix"]` names the forward nodes that nothing trained stands in front of, `meta["cut"]` the tensors that the
other nodes read of theirs.
"""

from __future__ import annotations

from edgelearn.costs import node_macs
from edgelearn.errors import InputError
from edgelearn.graph import Graph, Node, Phase, Role
from edgelearn.verdict import class_count, takes_labels

REPLAY, STORE = "--replay", "--store-latents"


def mark_cut(graph: Graph, slots: int) -> Graph:
    """A differentiated graph that says where its cut is, for a replay memory of `slots` latents, or 0 for none.

    InputError if a trained layer reads the sample itself, if samples have no labels, or if there are fewer slots than
    classes.
    """
    head = _head(graph)
    for node in reversed([n for n in graph.nodes if n.phase is Phase.FORWARD and n.name not in head]):
        if _makes_more_of_less(graph, node, head):
            head.add(node.name)
    prefix = {n.name for n in graph.nodes if n.phase is Phase.FORWARD} - head
    cut = _cut(graph, head)
    _check(graph, slots, cut, [n for n in graph.nodes if n.name not in prefix])
    return graph.replace(meta={**graph.meta, "prefix": frozenset(prefix), "cut": cut})


def _head(graph: Graph) -> set[str]:
    """Names of the forward nodes that depend on a trained weight."""
    head: set[str] = set()
    trained: set[str] = set()
    for node in (n for n in graph.nodes if n.phase is Phase.FORWARD):
        if any(name in trained or graph.tensors[name].role is Role.PARAM for name in node.inputs if name):
            head.add(node.name)
            trained.update(node.outputs)
    return head


def _cut(graph: Graph, head: set[str]) -> tuple[str, ...]:
    """What the head, the loss and the backward pass read of what stands in front of the head."""
    front = [n for n in graph.nodes if n.phase is Phase.FORWARD and n.name not in head]
    made = {out for n in front for out in n.outputs} | set(graph.inputs[:1])
    rest = (n for n in graph.nodes if n.phase is not Phase.FORWARD or n.name in head)
    return tuple(dict.fromkeys(name for n in rest for name in n.inputs if name in made))


def _makes_more_of_less(graph: Graph, node: Node, head: set[str]) -> bool:
    """Whether a frozen node without MACs serves the head alone and what it reads, where that is not kept anyway, is
    smaller than what it gives: floats out of int8, or some channels of a map.
    """
    if node_macs(graph, node) or len(node.outputs) != 1:
        return False
    readers = [n for n in graph.consumers(node.outputs[0]) if n.phase is Phase.FORWARD]
    cut = _cut(graph, head)
    if node.outputs[0] not in cut or not all(n.name in head for n in readers):
        return False
    read = [graph.tensors[name] for name in node.inputs if name and name not in cut]
    return sum(t.nbytes for t in read if t.data is None) < graph.tensors[node.outputs[0]].nbytes


def _check(graph: Graph, slots: int, cut: tuple[str, ...], rest: list[Node]) -> None:
    classes = class_count(graph)
    if slots and not takes_labels(graph.meta["loss"]):
        raise InputError(
            "latents are kept by class, and there are no labels: the model trains with mean squared error",
            where=REPLAY,
            hint="--loss cross-entropy for class scores, --loss binary-cross-entropy for one logit; else --replay 0",
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
