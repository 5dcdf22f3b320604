"""Layers that files write out in smaller nodes: found before the walk and imported as the one layer that they are.

Swish: x * Sigmoid(x). Gelu: x * (1 + Erf(x / sqrt(2))) / 2, and the form with Tanh. Softplus: also under a Where.
HardSwish: x * Clip(x + 3, 0, 6) / 6 in any order of its factors, and x * HardSigmoid(x) with slope 1/6.
LayerNormalization: d = x - mean(x), d / sqrt(mean(d^2) + epsilon), then maybe * gamma, then maybe + beta.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx

Use = tuple[int, int]


@dataclass(frozen=True)
class Step:
    """A node to import, and the (node, input) of the file that each of its inputs stands for."""

    node: onnx.NodeProto
    uses: tuple[Use, ...]


@dataclass
class _Net:
    """What the matchers ask of a graph: who makes and who reads a value, constants, and ranks."""

    graph: onnx.GraphProto
    constants: Mapping[str, np.ndarray]
    rank: Callable[[str], int | None]
    makers: dict[str, int] = field(default_factory=dict)
    readers: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for index, node in enumerate(self.graph.node):
            self.makers.update(dict.fromkeys(node.output, index))
            for name in set(node.input):
                self.readers.setdefault(name, []).append(index)

    def maker(self, name: str, *ops: str) -> onnx.NodeProto | None:
        """The node that makes a value, if it is one of these ops."""
        index = self.makers.get(name)
        node = None if index is None else self.graph.node[index]
        return node if node is not None and node.op_type in ops and node.domain in ("", "ai.onnx") else None

    def number(self, name: str) -> float | None:
        """A constant of one float."""
        while (cast := self.maker(name, "CastLike", "Cast", "Identity")) is not None:
            name = cast.input[0]
        value = self.constants.get(name)
        return float(value.item()) if value is not None and value.size == 1 and value.dtype.kind in "fiu" else None

    def only_reader(self, name: str, op: str) -> int | None:
        """The one node that reads a value, if it is this op."""
        found = self.readers.get(name, [])
        own = [o.name for o in self.graph.output]
        return found[0] if len(found) == 1 and name not in own and self.graph.node[found[0]].op_type == op else None

    def operands(self, node: onnx.NodeProto) -> tuple[str, float, int] | None:
        """The activation and the number that a node combines, and where the number stands."""
        for k in (1, 0):
            value = self.number(node.input[k])
            if value is not None and self.number(node.input[1 - k]) is None and node.input[1 - k] not in self.constants:
                return node.input[1 - k], value, k
        return None


def steps(graph: onnx.GraphProto, constants: Mapping[str, np.ndarray], rank: Callable[[str], int | None]) -> list[Step]:
    """One step for each node of the graph; where a pattern ends the step is the layer, and nobody reads its parts."""
    net, out = _Net(graph, constants, rank), []
    for index, node in enumerate(graph.node):
        out.append(Step(node, tuple((index, slot) for slot in range(len(node.input)))))
    for index, node in enumerate(graph.node):
        for matcher in MATCHERS.get(node.op_type, ()):
            # A node without its operands, or with attributes of another kind, is no part of a pattern: whoever imports
            # it says what is wrong with it.
            with suppress(IndexError, KeyError, TypeError, ValueError):
                found = matcher(net, index)
                if found is not None:
                    out[found[0]] = found[1]
                    break
    return out


def _named(node: onnx.NodeProto, op: str) -> str:
    head, slash, _ = node.name.rpartition("/")
    return f"{head}/{op}" if slash and head else node.name


def _close(value: float | None, wanted: float) -> bool:
    return value is not None and math.isclose(value, wanted, rel_tol=1e-5)


def _attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    return next((onnx.helper.get_attribute_value(a) for a in node.attribute if a.name == name), default)


def _factors(net: _Net, index: int, depth: int = 0) -> tuple[list[str], float]:
    """What a product multiplies: activations, and the product of its numbers."""
    node = net.graph.node[index]
    names: list[str] = []
    number = 1.0
    for slot, name in enumerate(node.input):
        value = net.number(name)
        below = net.makers.get(name) if net.maker(name, "Mul", "Div") else None
        if value is not None:
            number = number / value if slot and node.op_type == "Div" and value else number * value
        elif slot and node.op_type == "Div":
            return [], 0.0
        elif below is not None and depth < 2 and len(net.readers[name]) == 1:
            more, factor = _factors(net, below, depth + 1)
            names, number = names + more, number * factor
        else:
            names.append(name)
    return names, number


def _is_hard_sigmoid(net: _Net, name: str, x: str) -> bool:
    """Whether `name` is clip(x / 6 + 1 / 2, 0, 1), one node of the file."""
    node = net.maker(name, "HardSigmoid")
    if node is None or node.input[0] != x:
        return False
    return _close(_attribute(node, "alpha", 0.2), 1 / 6) and _close(_attribute(node, "beta", 0.5), 0.5)


def _hard_swish(net: _Net, index: int) -> tuple[int, Step] | None:
    names, number = _factors(net, index)
    if len(names) != 2:
        return None
    for x, gate in (names, names[::-1]):
        if _is_hard_sigmoid(net, gate, x) and _close(number, 1):
            break
        clip = net.maker(gate, "Clip")
        moved = net.maker(clip.input[0], "Add") if clip is not None else None
        if clip is None or moved is None or not _close(number, 1 / 6):
            continue
        low, high = (
            net.number(clip.input[k]) if len(clip.input) > k else _attribute(clip, name)
            for k, name in ((1, "min"), (2, "max"))
        )
        found = net.operands(moved)
        if low == 0 and high == 6 and found is not None and found[0] == x and found[1] == 3:
            break
    else:
        return None
    return _activation(net, index, "HardSwish", x)


def _activation(net: _Net, index: int, op: str, x: str, **attrs: Any) -> tuple[int, Step]:
    node = net.graph.node[index]
    made = onnx.helper.make_node(op, [x], list(node.output), name=_named(node, op), **attrs)
    return index, Step(made, ((index, 0),))


def _gated(net: _Net, index: int) -> tuple[int, Step] | None:
    """x times a function of x: a sigmoid, or half of 1 plus erf or tanh."""
    names, number = _factors(net, index)
    if len(names) != 2:
        return None
    for x, gate in (names, names[::-1]):
        sigmoid = net.maker(gate, "Sigmoid")
        if sigmoid is not None and sigmoid.input[0] == x and _close(number, 1):
            return _activation(net, index, "Swish", x)
        above = net.maker(gate, "Add")
        found = net.operands(above) if above is not None and _close(number, 0.5) else None
        curve = net.maker(found[0], "Erf", "Tanh") if found is not None and found[1] == 1 else None
        if curve is None:
            continue
        inner, factor = _scaled(net, curve.input[0])
        if curve.op_type == "Erf" and inner == x and _close(factor, math.sqrt(0.5)):
            return _activation(net, index, "Gelu", x, approximate="none")
        if curve.op_type == "Tanh" and _close(factor, math.sqrt(2 / math.pi)) and _is_bent(net, inner, x):
            return _activation(net, index, "Gelu", x, approximate="tanh")
    return None


def _scaled(net: _Net, name: str) -> tuple[str, float]:
    """What a value is a multiple of, and the factor."""
    names, number = _factors(net, net.makers[name]) if net.maker(name, "Mul", "Div") is not None else ([name], 1.0)
    return (names[0], number) if len(names) == 1 else ("", 0.0)


def _is_bent(net: _Net, name: str, x: str) -> bool:
    """Whether `name` is x + 0.044715 x^3."""
    total = net.maker(name, "Add")
    if total is None or x not in total.input:
        return False
    cube = total.input[1] if total.input[0] == x else total.input[0]
    names, number = _factors(net, net.makers[cube]) if net.maker(cube, "Mul") is not None else ([], 0.0)
    power = net.maker(names[0], "Pow") if len(names) == 1 else None
    if power is not None and power.input[0] == x and net.number(power.input[1]) == 3:
        names = [x] * 3
    return names == [x] * 3 and _close(number, 0.044715)


def _softplus(net: _Net, index: int) -> tuple[int, Step] | None:
    """Where(x > threshold, x, Softplus(x)): above 16 the two are the same float32."""
    node = net.graph.node[index]
    above, x, soft = (net.maker(node.input[0], "Greater"), node.input[1], node.input[2])
    inner, factor = _scaled(net, soft)
    curve = net.maker(inner, "Softplus")
    if above is None or curve is None or not _close(factor, 1):
        return None
    limit = net.number(above.input[1])
    alike = all(_scaled(net, name) == (x, 1.0) for name in (above.input[0], curve.input[0]))
    return _activation(net, index, "Softplus", x) if alike and limit is not None and limit >= 16 else None


def _mean(net: _Net, name: str) -> tuple[str, list[int]] | None:
    """The input and the axes, counted from the end, of a mean that keeps its axes."""
    node = net.maker(name, "ReduceMean")
    if node is None or _attribute(node, "keepdims", 1) != 1:
        return None
    listed = net.constants.get(node.input[1]) if len(node.input) > 1 else _attribute(node, "axes")
    axes = [] if listed is None else [int(axis) for axis in np.ravel(listed)]
    rank = net.rank(node.input[0]) if any(axis >= 0 for axis in axes) else 0
    if not axes or rank is None:
        return None
    return node.input[0], sorted(axis - rank if axis >= 0 else axis for axis in axes)


def _variance(net: _Net, name: str, centred: str) -> tuple[float, list[int]] | None:
    """Epsilon and the axes, if `name` is sqrt(mean(centred^2) + epsilon)."""
    root = net.maker(name, "Sqrt")
    total = net.maker(root.input[0], "Add") if root is not None else None
    found = net.operands(total) if total is not None else None
    mean = _mean(net, found[0]) if found is not None else None
    square = net.maker(mean[0], "Pow", "Mul") if mean is not None else None
    if found is None or mean is None or square is None or square.input[0] != centred:
        return None
    squared = square.input[1] == centred if square.op_type == "Mul" else net.number(square.input[1]) == 2
    return (found[1], mean[1]) if squared else None


def _layer_norm(net: _Net, index: int) -> tuple[int, Step] | None:
    node = net.graph.node[index]
    centre = net.maker(node.input[0], "Sub") if node.op_type == "Div" else None
    mean = _mean(net, centre.input[1]) if centre is not None else None
    spread = _variance(net, node.input[1], node.input[0])
    if centre is None or mean is None or spread is None or mean[0] != centre.input[0] or mean[1] != spread[1]:
        return None
    axes = mean[1]
    if axes != list(range(-len(axes), 0)):
        return None
    inputs, uses, last = [mean[0]], [(net.makers[node.input[0]], 0)], index
    for op in ("Mul", "Add"):
        reader = net.only_reader(net.graph.node[last].output[0], op)
        slot = None if reader is None else _weight_slot(net, net.graph.node[reader], len(axes))
        if reader is None or slot is None:
            break
        last = reader
        inputs.append(net.graph.node[last].input[slot])
        uses.append((last, slot))
    end = net.graph.node[last]
    made = onnx.helper.make_node(
        "LayerNormalization", inputs, list(end.output), name=_named(end, "LayerNormalization"), axis=axes[0],
        epsilon=spread[0],
    )  # fmt: skip
    return last, Step(made, tuple(uses))


def _weight_slot(net: _Net, node: onnx.NodeProto, axes: int) -> int | None:
    """Where a node reads a constant that may be a scale or a shift of as many axes."""
    return next((k for k in (1, 0) if k < len(node.input) and _fits(net.constants.get(node.input[k]), axes)), None)


def _fits(value: np.ndarray | None, axes: int) -> bool:
    return value is not None and value.dtype == np.float32 and value.size > 1 and value.ndim == axes


MATCHERS: dict[str, tuple[Callable[[_Net, int], tuple[int, Step] | None], ...]] = {
    "Mul": (_hard_swish, _gated),
    "Div": (_hard_swish, _gated, _layer_norm),
    "Where": (_softplus,),
}
