"""Readable layer names out of the names that TensorFlow's converter gives to tensors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from edgelearn.importers.onnx.names import identifier

# The part of a Keras path that says which computation it was; the layer's own name stands before it.
_KEYWORD = {"CONV_2D": "Conv2D", "DEPTHWISE_CONV_2D": "depthwise", "FULLY_CONNECTED": "MatMul"}
_TITLES = {
    "CONV_2D": "conv", "DEPTHWISE_CONV_2D": "depthwise", "FULLY_CONNECTED": "dense", "AVERAGE_POOL_2D": "avg_pool",
    "MAX_POOL_2D": "max_pool", "LOGISTIC": "sigmoid", "CONCATENATION": "concat", "PADV2": "pad",
}  # fmt: skip


def layer_names(op: str, names: Sequence[str]) -> Iterator[str]:
    """Names for a layer, best first, from those of its weight, bias and output in the file (in this order).

    A converter joins the paths of everything that it fused: `model/batch_normalization/FusedBatchNormV3;
    model/conv2d_1/Conv2D` is `conv2d_1`. The path's earlier parts come in only where a name is taken already.
    """
    title = _TITLES.get(op, op.lower())
    keyword = _KEYWORD.get(op)
    for part in (part for name in names for part in name.split(";") if keyword):
        steps = part.split("/")
        if keyword in steps[1:]:
            layer = steps[: steps.index(str(keyword), 1)]
            for start in reversed(range(len(layer))):
                yield identifier("_".join(layer[start:]), title)
    yield identifier(title, "node")


def edge_name(name: str, fallback: str) -> str:
    """The name of the model's input or output without what the converter adds to it."""
    bare = re.sub(r"(:\d+|_int8)$", "", name.removeprefix("serving_default_"))
    bare = re.sub(r"(:\d+|_int8)$", "", bare)
    generated = re.fullmatch(r"(Identity|StatefulPartitionedCall|PartitionedCall)(_\d+)?(:\d+)?\d*", bare)
    return fallback if generated else identifier(bare, fallback)
