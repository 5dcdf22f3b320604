"""TensorFlow Lite for Microcontrollers itself: the truth that int8 layers are held against."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import tflite
from tflite_micro import runtime

from edgelearn import methods
from edgelearn.graph import Graph, Node
from edgelearn.ops.fixed_point import saturate
from edgelearn.passes.lower import lower
from edgelearn.passes.partition import partition
from edgelearn.plan import Plan
from edgelearn.schedule import Program

ARENA = 16 << 20


class Tflm:
    """A file whose operator `index` gives the output, so that any layer can be looked at."""

    def __init__(self, content: bytes, index: int) -> None:
        graph = tflite.Model.GetRootAs(content, 0).Subgraphs(0)
        changed = bytearray(content)
        at = graph._tab.Vector(graph._tab.Offset(8))
        struct.pack_into("<i", changed, at, graph.Operators(index).Outputs(0))
        self.interpreter = runtime.Interpreter.from_bytes(bytes(changed), arena_size=ARENA)
        source = graph.Tensors(graph.Inputs(0))
        self.shape = tuple(int(n) for n in source.ShapeAsNumpy())
        self.integer = source.Type() == tflite.TensorType.INT8

    def __call__(self, sample: np.ndarray) -> np.ndarray:
        """The layer's integers for one sample, int8 or float as the file's input is, flat."""
        self.interpreter.set_input(sample.reshape(self.shape), 0)
        self.interpreter.invoke()
        return np.asarray(self.interpreter.get_output(0)).reshape(-1).copy()


def inputs(graph: Graph, count: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Samples as the file takes them and as the device does (real numbers, device shape); all of the range is used."""
    rng = np.random.default_rng(seed)
    source = graph.tensors[graph.inputs[0]]
    quant = source.quant
    first = quant or next(t.quant for t in graph.tensors.values() if t.quant and t.data is None)
    pairs = []
    for k in range(count):
        # Noise, and every third time one of few levels, as silence and saturated sensors are.
        integers = rng.integers(-128, 128, source.shape) if k % 3 else rng.choice([-128, -3, 0, 127], source.shape)
        real = ((integers - first.zero_point[0]) * np.float32(first.scale[0])).astype(np.float32)
        if quant is None:
            real += rng.uniform(-0.5, 0.5, source.shape).astype(np.float32) * np.float32(first.scale[0])
        pairs.append((saturate(integers) if quant else real, real))
    return pairs


def lowered(graph: Graph, train: str = "last") -> Graph:
    """The graph with its frozen part in int8."""
    return lower(partition(graph, methods.select(graph, train)))


def integer_layers(graph: Graph) -> list[Node]:
    """The nodes whose integers a file's operator gives as well, the last of each operator."""
    found = {n.origin.index: n for n in graph.nodes if n.op == "quantize" or n.name in graph.meta["int8"]}
    return [node for index, node in sorted(found.items()) if index >= 0]


def until_float(plan: Plan) -> Plan:
    """A plan whose forward pass ends with the integers turned into real numbers, which are its output."""
    steps, sizes, chosen, parts = [], [], [], []
    last = next(s for s in plan.schedule.steps if s.node.op == "dequantize")
    for step, size, kernel, part in zip(plan.schedule.steps, plan.sizes, plan.chosen, plan.parts, strict=True):
        if step.program is not Program.FORWARD or step.index <= last.index:
            steps.append(replace(step, index=len(steps)))
            sizes.append(size)
            chosen.append(kernel)
            parts.append(part)
    return replace(
        plan,
        graph=plan.graph.replace(outputs=last.node.outputs),
        schedule=replace(plan.schedule, steps=tuple(steps)),
        places=replace(plan.places, arena=replace(plan.arena, peak_step=0)),
        sizes=tuple(sizes),
        chosen=tuple(chosen),
        parts=tuple(parts),
    )
