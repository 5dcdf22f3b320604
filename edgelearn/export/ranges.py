"""New ranges for the activations behind the trained layers of an int8 TensorFlow Lite file.

The ranges in a file are those of its old weights; what new weights drive out of them saturates. Here the range of each
activation that depends on a trained weight is measured over samples, and where the old one does not fit, the activation
gets a new scale and zero point. Nothing in front of the trained layers changes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from edgelearn.formats import S8, S32
from edgelearn.graph import Graph, Node, Quant
from edgelearn.importers.tflite.file import File, FileTensor
from edgelearn.ops import OPS
from edgelearn.ops.fixed_point import HIGHEST, LOWEST
from edgelearn.ops.quantized.convert import quantized
from edgelearn.passes.dequantize import CASTS, is_quantized, real

MOST_SAMPLES = 64  # measured at most, spread over all that there are
MARGIN = 0.05  # of the measured width, on both sides: other samples go a little farther
SLACK = 0.02  # of the old width, that the measured range may leave it before it is changed
LEAST_USED = 0.5  # of the old width; a range of which less is used is changed too

# Operators whose int8 result has their input's scale: all that they join changes together or not at all.
SHARING = frozenset(
    "RESHAPE SQUEEZE EXPAND_DIMS TRANSPOSE PAD AVERAGE_POOL_2D MAX_POOL_2D CONCATENATION RELU6 RELU_N1_TO_1".split()
)
# Operators whose result has a scale of its own, whatever their input's.
FREE = frozenset("CONV_2D DEPTHWISE_CONV_2D FULLY_CONNECTED ADD SUB MUL MEAN RELU LEAKY_RELU HARD_SWISH".split())
# Operators whose result has one scale for ever, or none.
FIXED = frozenset("SOFTMAX LOGISTIC TANH DEQUANTIZE SHAPE".split())


def new_ranges(
    file: File, graph: Graph, weights: Mapping[str, np.ndarray], samples: Iterable[np.ndarray]
) -> dict[int, Quant]:
    """Scale and zero point of each tensor of the file whose old ones do not fit the new weights, by index.

    `graph` is the file as it was imported, `weights` real values by name, `samples` (device shape) real numbers.
    """
    changed = {n for n, value in weights.items() if not np.array_equal(value, real_value(graph, n))}
    behind = _behind(file, {graph.meta["export"][name].tensor for name in changed})
    groups = [group for group in _groups(file, behind) if _movable(file, graph, group)]
    if not groups:
        return {}
    found = _measured(file, graph, weights, samples)
    out: dict[int, Quant] = {}
    for group in groups:
        limits = [found[k] for k in group if k in found]
        old = file.tensors[min(group)]
        quant = fitted(old, min(low for low, _ in limits), max(high for _, high in limits)) if limits else None
        out |= dict.fromkeys(group, quant) if quant else {}
    return out


def measured_by(graph: Graph, samples: np.ndarray | None) -> np.ndarray | None:
    """Some of the user's samples, spread over all, in device layout; None if there are none or nothing is quantised."""
    if samples is None or not len(samples) or not is_quantized(graph):
        return None
    chosen = samples[:: math.ceil(len(samples) / MOST_SAMPLES)]
    return np.asarray(graph.meta["input"].to_device(np.asarray(chosen, np.float32)))


def input_scales(file: File, graph: Graph, ranges: Mapping[int, Quant]) -> dict[str, float]:
    """The new input scales of layers with weights, by the layer's name."""
    sources = {node.name: file.operators[node.origin.index].inputs[0] for node in _layers(graph)}
    return {name: ranges[index].scale[0] for name, index in sources.items() if index in ranges}


def _layers(graph: Graph) -> list[Node]:
    """Layers with int8 weights and an int32 bias."""
    layers = [n for n in graph.nodes if len(n.inputs) == 3 and n.inputs[2]]
    return [n for n in layers if graph.tensors[n.inputs[1]].format is S8 and graph.tensors[n.inputs[2]].format is S32]


def real_value(graph: Graph, name: str) -> np.ndarray:
    """The real numbers that a constant of an imported graph stands for."""
    tensor = graph.tensors[name]
    assert tensor.data is not None
    return np.asarray(tensor.data) if tensor.quant is None else real(tensor.data, tensor.quant)


# Which tensors of the file may change


def _behind(file: File, weights: set[int]) -> set[int]:
    """The activations that depend on a changed weight."""
    behind = set(weights)
    for operator in file.operators:
        if behind.intersection(operator.inputs):
            behind.update(operator.outputs)
    return behind - weights


def _groups(file: File, behind: set[int]) -> list[set[int]]:
    """Tensors that must keep one scale together: those of int8, behind changed weights, made by operators we know."""
    root = list(range(len(file.tensors)))

    def find(k: int) -> int:
        while root[k] != k:
            k = root[k]
        return k

    stuck = {t.index for t in file.tensors if t.type != "INT8" or t.data is not None or t.index not in behind}
    for operator in file.operators:
        same = [k for k in (*operator.inputs, *operator.outputs) if k >= 0 and file.tensors[k].type == "INT8"]
        if operator.op in SHARING or (operator.op == "QUANTIZE" and _alike(file, same)):
            for k in same[1:]:
                root[find(k)] = find(same[0])
        elif operator.op in FIXED or operator.op not in (*FREE, "QUANTIZE"):
            stuck.update(operator.outputs)
            stuck.update(() if operator.op in FIXED else operator.inputs)
    members: dict[int, set[int]] = {}
    for k in range(len(root)):
        members.setdefault(find(k), set()).add(k)
    return [group for group in members.values() if not group & stuck]


def _alike(file: File, indices: list[int]) -> bool:
    """Whether all have one scale and one zero point."""
    return len({(file.tensors[k].scale, file.tensors[k].zero_point) for k in indices}) == 1


def _movable(file: File, graph: Graph, group: set[int]) -> bool:
    """Whether the file keeps the numbers of these tensors for them alone, and whether all biases can follow."""
    if not _alike(file, list(group)):
        return False
    for k in group:
        own = file.tensors[k]
        spans = (own.scale_span, own.zero_span)
        if len(own.scale) != 1 or None in spans or any(_shares(file, k, span) for span in spans):
            return False
    layers = [n for n in _layers(graph) if file.operators[n.origin.index].inputs[0] in group]
    readers = [n.inputs[2] for n in graph.nodes if len(n.inputs) == 3]
    return all(n.inputs[2] in graph.meta["export"] and readers.count(n.inputs[2]) == 1 for n in layers)


def _shares(file: File, index: int, span: object) -> bool:
    return any(span in (t.scale_span, t.zero_span) for t in file.tensors if t.index != index)


# What they hold


def _measured(
    file: File, graph: Graph, weights: Mapping[str, np.ndarray], samples: Iterable[np.ndarray]
) -> dict[int, tuple[float, float]]:
    """Smallest and largest value of each operator's result with the new weights, 0 included, by tensor of the file."""
    found: dict[int, tuple[float, float]] = {}
    for computed in runs(graph, weights, samples):
        # A fused activation function comes behind its layer and counts.
        seen = {
            index: value for node, value in computed for index in file.operators[node.origin.index].outputs
        }  # fmt: skip
        for index, value in seen.items():
            found[index] = widened(found.get(index), value)
    return found


def widened(limits: tuple[float, float] | None, value: np.ndarray) -> tuple[float, float]:
    """Limits, at first only 0, that hold `value` as well."""
    low, high = limits or (0.0, 0.0)
    return min(low, float(value.min())), max(high, float(value.max()))


def runs(
    graph: Graph, weights: Mapping[str, np.ndarray], samples: Iterable[np.ndarray]
) -> Iterator[list[tuple[Node, np.ndarray]]]:
    """What each node of an imported graph gives with the new weights, one sample after another.

    What no new weight reaches is rounded as the file has it; behind that, numbers are real.
    """
    stored = [name for name, tensor in graph.tensors.items() if tensor.data is not None]
    fixed = {name: weights[name] if name in weights else real_value(graph, name) for name in stored}
    for sample in samples:
        values = {**fixed, graph.inputs[0]: _rounded(graph, graph.inputs[0], sample)}
        reached, computed = {n for n in weights if n in graph.tensors}, []
        for node in graph.nodes:
            inputs = [values[name] if name else None for name in node.inputs]
            (out,) = (inputs[0],) if node.op in CASTS else OPS[node.op].compute(node.attrs, *inputs)[:1]
            (name,) = node.outputs
            if reached.intersection(node.inputs):
                reached.add(name)
                values[name] = np.asarray(out)
            else:
                values[name] = _rounded(graph, name, np.asarray(out))
            computed.append((node, values[name]))
        yield computed


def _rounded(graph: Graph, name: str, value: np.ndarray) -> np.ndarray:
    quant = graph.tensors[name].quant
    return value.astype(np.float32) if quant is None else real(quantized(quant, value), quant)


def fitted(old: Quant | FileTensor, low: float, high: float) -> Quant | None:
    """A scale and zero point for a range; None where the old ones fit it."""
    bottom, top = (old.scale[0] * (edge - old.zero_point[0]) for edge in (LOWEST, HIGHEST))
    width = high - low
    left = max(bottom - low, high - top)
    if (
        not np.isfinite(width)
        or width == 0
        or (left <= SLACK * (top - bottom) and width >= LEAST_USED * (top - bottom))
    ):
        return None
    low, high = low - MARGIN * width * (low < 0), high + MARGIN * width * (high > 0)
    scale = float(np.float32((high - low) / (HIGHEST - LOWEST)))
    zero = int(np.clip(np.round(LOWEST - low / scale), LOWEST, HIGHEST))
    return Quant((scale,), (zero,)) if scale > 0 else None
