"""Inverted residual blocks: what MobileNets are built of.

Around each depthwise convolution: the pointwise one that widens the map before it, where there is one, and the one
behind it that projects, with the norms, activations and padding between them, a gate (squeeze and excitation) in front
of the projection, and the sum with the block's input. A depthwise separable layer of MobileNetV1 is a block without the
first of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edgelearn.graph import Graph, Node

# What may stand between the convolutions of a block: it has one map, and keeps its shape but for padding.
BETWEEN = frozenset(
    "batch_norm bias relu clip hard_swish hard_sigmoid sigmoid tanh elu prelu pad quantize dequantize".split()
)


@dataclass(frozen=True)
class Block:
    """One block: `nodes` are all of it in the graph's order, `last_norm` the BatchNorm behind the projection."""

    expand: Node | None
    depthwise: Node
    project: Node
    last_norm: Node | None
    nodes: tuple[Node, ...]


def find_blocks(graph: Graph) -> list[Block]:
    """All inverted residual blocks of an imported graph, from input to output."""
    return _Finder(graph).run()


class _Finder:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.makers = {name: node for node in graph.nodes for name in node.outputs}
        self.readers: dict[str, list[Node]] = {}
        for node in graph.nodes:
            for name in dict.fromkeys(filter(None, node.inputs)):
                self.readers.setdefault(name, []).append(node)

    def run(self) -> list[Block]:
        found: list[Block] = []
        projections: set[str] = set()
        for node in self.graph.nodes:
            block = self._around(node, projections) if node.op == "depthwise_conv2d" else None
            if block:
                found.append(block)
                projections.add(block.project.name)
        return found

    def _around(self, depthwise: Node, projections: set[str]) -> Block | None:
        behind = self._forward(depthwise.outputs[0])
        if behind is None or not _pointwise(behind[-1]):
            return None
        project = behind[-1]
        before = self._backward(depthwise.inputs[0])
        expand = before[-1] if before and _pointwise(before[-1]) and before[-1].name not in projections else None
        tail = list(self._tail(project.outputs[0]))
        norm = tail[0] if tail and tail[0].op == "batch_norm" else None
        first = expand or next((n for n in reversed(before) if n.op == "pad"), depthwise)
        body = (*(before if expand else ()), depthwise, *behind, *tail)
        body = (*body, *self._sum(first.inputs[0], body[-1].outputs[0]))
        names = {n.name for n in body}
        return Block(expand, depthwise, project, norm, tuple(n for n in self.graph.nodes if n.name in names))

    def _forward(self, name: str) -> list[Node] | None:
        """The nodes behind a map up to the first that is no part of the way between two convolutions, and that one."""
        path: list[Node] = []
        while name not in self.graph.outputs:
            readers = self.readers.get(name, [])
            step = self._gate(name, readers) or readers
            if not step or (step is readers and len(readers) != 1):
                return None
            path += step
            if step is readers and path[-1].op not in BETWEEN:
                return path
            name = path[-1].outputs[0]
        return None

    def _backward(self, name: str) -> list[Node]:
        """The nodes in front of a map, the nearest first, up to the first that is no part of such a way."""
        path: list[Node] = []
        while name in self.makers:
            node = self.makers[name]
            gates = {n: self._gate(n, self.readers[n]) for n in node.inputs} if node.op == "mul" else {}
            name, gate = next(((n, gate) for n, gate in gates.items() if gate), (node.inputs[0], [node]))
            path += reversed(gate)
            if len(gate) == 1 and node.op not in BETWEEN:
                break
        return path

    def _gate(self, name: str, readers: list[Node]) -> list[Node]:
        """The product of a map with what is computed from it alone, `mul` last; none if there is no such product."""
        for product in (n for n in readers if n.op == "mul"):
            gate = next(n for n in (*product.inputs[1:], *product.inputs[:1]) if n != name)
            side = self._between(name, gate)
            if side and all(n is product or n.name in side for n in readers):
                return [*(n for n in self.graph.nodes if n.name in side), product]
        return []

    def _between(self, start: str, end: str) -> set[str]:
        """The nodes that compute `end` from `start`; none if they need any other map."""
        side: set[str] = set()
        waiting = [end]
        while waiting:
            name = waiting.pop()
            if name == start or self.graph.tensors[name].data is not None:
                continue
            if name not in self.makers:
                return set()
            side.add(self.makers[name].name)
            waiting += filter(None, self.makers[name].inputs)
        return side

    def _tail(self, name: str) -> Iterable[Node]:
        """What follows the projection before its result is used: norm and activation."""
        while name not in self.graph.outputs:
            readers = self.readers.get(name, [])
            if len(readers) != 1 or readers[0].op not in BETWEEN or readers[0].op == "pad":
                return
            yield readers[0]
            name = readers[0].outputs[0]

    def _sum(self, start: str, end: str) -> list[Node]:
        """The sum of a block's input and its result."""
        return [n for n in self.readers.get(end, []) if n.op == "add" and start in n.inputs][:1]


def _pointwise(node: Node) -> bool:
    return node.op == "conv2d" and node.attrs["kernel"] == (1, 1) and node.attrs["groups"] == 1
