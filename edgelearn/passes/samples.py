"""Samples of an int8 model as the model's own integers: one byte an element on the wire and on the board."""

from __future__ import annotations

from dataclasses import replace

from edgelearn.errors import InputError
from edgelearn.formats import F32, S8
from edgelearn.graph import Graph, Node, Quant, Role, Tensor
from edgelearn.ops.quantized.base import whole
from edgelearn.ops.quantized.convert import cast_attrs

AUTO, INTEGERS = "auto", "s8"


def sample_quant(graph: Graph) -> Quant | None:
    """How an imported model's integers stand for its samples: its input's quantisation, or that of the QUANTIZE that
    alone reads a float input. None where there is no such thing.
    """
    source = graph.tensors[graph.inputs[0]]
    if whole(source):
        return source.quant
    readers = graph.consumers(source.name)
    outs = [graph.tensors[node.outputs[0]] for node in readers if node.op == "quantize"]
    alike = len(outs) == len(readers) > 0 and all(whole(t) and t.quant == outs[0].quant for t in outs)
    return outs[0].quant if alike else None


def place_samples(graph: Graph, imported: Graph, wanted: str) -> Graph:
    """The lowered graph with an int8 input where `wanted` is s8, or auto and all that reads a sample reads it in int8.

    The `quantize` nodes behind the input go; where a float layer reads the sample, a `dequantize` takes their place.
    InputError if s8 is wanted of a model without an int8 input.
    """
    if wanted not in (AUTO, INTEGERS):
        return graph
    quant, name = sample_quant(imported), graph.inputs[0]
    casts = [node for node in graph.consumers(name) if node.op == "quantize"]
    floats = [node for node in graph.consumers(name) if node.op != "quantize"]
    if quant is None:
        if wanted == INTEGERS:
            raise InputError(
                "the model's input is not int8", where="--samples s8", hint="--samples f16 halves what samples take"
            )
        return graph
    return graph if wanted == AUTO and (floats or not casts) else _placed(graph, name, quant, casts, bool(floats))


def _placed(graph: Graph, name: str, quant: Quant, casts: list[Node], read_as_float: bool) -> Graph:
    source = replace(graph.tensors[name], format=S8, quant=quant)
    gone = {node.outputs[0]: name for node in casts}
    tensors = {key: t for key, t in graph.tensors.items() if key not in gone} | {name: source}
    front = []
    if read_as_float:
        title = graph.unique(f"{name}_dequantize")
        real = Tensor(graph.unique(f"{title}d"), source.shape, Role.ACT, F32)
        tensors[real.name] = real
        front = [Node("dequantize", title, (name,), (real.name,), cast_attrs(quant))]
        gone |= {name: real.name}
    kept = [node for node in graph.nodes if node not in casts]
    integer = {key for key, value in gone.items() if value == name}
    nodes = [
        replace(node, inputs=tuple(name if n in integer else gone.get(n, n) for n in node.inputs)) for node in kept
    ]
    return graph.replace(tensors=tensors, nodes=(*front, *nodes))
