"""Frozen layers whose weights a file marks as signed powers of two become layers that shift, N bits a weight."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgelearn.formats import SHIFTS
from edgelearn.graph import Graph, Role
from edgelearn.ops import OPS
from edgelearn.ops.shift import SUFFIX, encode


def shift_layers(graph: Graph) -> Graph:
    """A partitioned graph with its marked and frozen layers as shift layers.

    meta["shift"] has bits and k by the name of the weights. A tensor that trains, that other nodes read too, or whose
    values have changed since the file was marked stays as it is; what is in int8 shifts already. meta["shifted"] names
    the layers that shift.
    """
    names = [node.name for node in graph.nodes if node.op.endswith(f"{SUFFIX}_s8")]
    for node in graph.nodes:
        mark = graph.meta.get("shift", {}).get(node.inputs[1]) if len(node.inputs) > 1 else None
        if mark is None or f"{node.op}{SUFFIX}" not in OPS:
            continue
        bits, k = mark
        tensor = graph.tensors[node.inputs[1]]
        others = [n for n in graph.consumers(tensor.name) if f"{n.op}{SUFFIX}" not in OPS or n.inputs[1] != tensor.name]
        codes = encode(np.asarray(tensor.data), bits, k) if tensor.role is Role.CONST and not others else None
        if codes is None:
            continue
        layer = replace(node, op=f"{node.op}{SUFFIX}", attrs={**node.attrs, "bits": bits, "k": k})
        coded = replace(tensor, name=graph.unique(f"{tensor.name}_{bits}bit"), format=SHIFTS[bits], data=codes)
        if coded.name not in graph.tensors:
            graph = graph.replace(tensors={**graph.tensors, coded.name: coded})
        layer = replace(layer, inputs=(node.inputs[0], coded.name, *node.inputs[2:]))
        graph = graph.replace(nodes=[layer if n is node else n for n in graph.nodes])
        names.append(node.name)
    if not names:
        return graph
    read = {name for node in graph.nodes for name in node.inputs}
    marked = graph.meta["shift"]
    kept = {name: t for name, t in graph.tensors.items() if name not in marked or name in read}
    return graph.replace(tensors=kept, meta={**graph.meta, "shifted": tuple(names)})
