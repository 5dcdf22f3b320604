"""ONNX's own node tests as models of one input: what the importer makes of each, or why it refuses it.

The operands behind the first become weights, except where an op joins activations: then one input is cut into them. An
elementwise case has no batch axis: it gets one of size 1 in front. Everywhere else the first axis is the batch, as in a
network. Newer opsets than ours are declared as ours: the ops that are supported have not changed since.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from edgelearn.errors import InputError
from edgelearn.importers.onnx import load_onnx
from edgelearn.importers.onnx.call import HANDLERS
from edgelearn.importers.onnx.file import NEWEST
from edgelearn.passes.lower import lower
from tests.unit.import_models import run

ELEMENTWISE = frozenset(
    "Abs Add Cast CastLike Celu Clip DequantizeLinear Div Dropout Elu Gelu HardSigmoid HardSwish Identity LeakyRelu"
    " Mish Mul Neg PRelu Pow QuantizeLinear Reciprocal Relu Selu Sigmoid Softplus Sub Swish Tanh".split()
)
# Cases whose expected output was printed with four digits.
ROUNDED = frozenset(("test_averagepool_2d_ceil_last_window_starts_on_pad",))
FLOATS = (np.float32, np.float16)
# What leaves nothing on the device: a layer behind it shows where the elements went.
LAYOUT = frozenset(
    "Cast CastLike Clip DequantizeLinear Dropout Flatten Identity Reshape Squeeze Sum Transpose Unsqueeze".split()
)
JOINS = frozenset(("Concat", "Sum"))
# Outputs that stand for themselves: each is a model of its own.
SEVERAL = frozenset(("Split", "GRU", "LSTM", "RNN"))
# Positions of the scales of integer inputs and outputs: what the device has instead are the real numbers.
INPUT_SCALE = {"DequantizeLinear": 1, "QLinearConv": 1, "QLinearMatMul": 1}
OUTPUT_SCALE = {"QuantizeLinear": 1, "QLinearConv": 6, "QLinearMatMul": 6}
# Outputs behind the first that only training needs.
FIRST_ONLY = frozenset(("LayerNormalization",))


@functools.cache
def cases() -> dict[str, Any]:
    """All cases of one node that is a supported op, by name."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = {case.name: case for case in collect_testcases(None)}
    assert len(found) > 1000
    # The expanded ones are the definitions of other ops.
    own = {n: c for n, c in found.items() if len(c.model.graph.node) == 1 and not n.endswith("_expanded")}
    return {name: case for name, case in own.items() if case.model.graph.node[0].op_type in HANDLERS}


def _info(name: str, array: np.ndarray) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


def _array(value: Any) -> np.ndarray | None:
    """A tensor of a case; None for sequences, optionals and formats of less than 16 bits."""
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value) if value.data_type in (1, 10) else None
    return np.asarray(value) if isinstance(value, np.ndarray | np.generic) else None


def _whole(value: np.ndarray | None) -> np.ndarray:
    return np.zeros(1, np.int8) if value is None else value


def _cut(node: onnx.NodeProto, inputs: Sequence[np.ndarray]) -> tuple[list[onnx.NodeProto], np.ndarray]:
    """Nodes that cut one vector into the operands of a join, each with a batch axis, and that vector."""
    nodes, start = [], 0
    for k, (name, array) in enumerate(zip(node.input, inputs, strict=True)):
        bounds = (("s", [start]), ("e", [start + array.size]), ("a", [1]), ("t", [1, *array.shape]))
        for suffix, value in bounds:
            nodes.append(helper.make_node("Constant", [], [f"{suffix}{k}"], value_ints=value))
        nodes.append(helper.make_node("Slice", ["whole", f"s{k}", f"e{k}", f"a{k}"], [f"flat{k}"]))
        nodes.append(helper.make_node("Reshape", [f"flat{k}", f"t{k}"], [name]))
        start += array.size
    for attribute in node.attribute:
        if attribute.name == "axis" and attribute.i >= 0:
            attribute.i += 1
    return [*nodes, node], np.concatenate([array.reshape(1, -1) for array in inputs], axis=1)


def _constants(node: onnx.NodeProto, case: Any) -> list[onnx.TensorProto]:
    """The operands behind the first as initializers."""
    found = []
    for name, value in list(zip([n for n in node.input if n], case.data_sets[0][0], strict=True))[1:]:
        found.append(value if isinstance(value, onnx.TensorProto) else numpy_helper.from_array(np.asarray(value), name))
        found[-1].name = name
    return found


def models(case: Any) -> list[tuple[onnx.ModelProto, np.ndarray, np.ndarray]]:
    """The models of a case, each with its input and the output that it must give."""
    node = onnx.NodeProto.FromString(case.model.graph.node[0].SerializeToString())
    inputs, outputs = case.data_sets[0]
    version = min(max(o.version for o in case.model.opset_import if o.domain == ""), NEWEST)
    inputs, outputs = ([_array(value) for value in values] for values in (inputs, outputs))
    if inputs[0] is None:  # no tensor, or of a format that numpy does not know
        whole = onnx.ModelProto.FromString(case.model.SerializeToString())
        whole.opset_import[0].version = version
        whole.graph.initializer.extend(_constants(node, case))
        return [(whole, np.zeros(0), np.zeros(0))]
    x, stored, nodes = inputs[0], [], [node]
    batched = node.op_type in ELEMENTWISE | JOINS
    first = node.input[0]
    if node.op_type in JOINS:
        nodes, x = _cut(node, inputs)
        first = "whole"
    else:
        stored = _constants(node, case)
        x = x[None] if batched else x
    names = [name for name in node.output if name]
    groups = [[name] for name in names] if node.op_type in SEVERAL else [names]
    groups = [names[:1]] if node.op_type in FIRST_ONLY else groups
    made = []
    for group in groups:
        ys = [_whole(outputs[names.index(name)]) for name in group]
        ys = [y[None] if batched else y for y in ys]
        if node.op_type in LAYOUT and ys[0].dtype in FLOATS:
            nodes = [*nodes, helper.make_node("Neg", [group[0]], ["negated"])]
            group, ys = ["negated", *group[1:]], [-ys[0], *ys[1:]]
        ends = [_info(name, y) for name, y in zip(group, ys, strict=True)]
        graph = helper.make_graph(nodes, "case", [_info(first, x)], ends, stored)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])
        made.append((model, x, ys[0]))
    return made


def _pair(model: onnx.ModelProto, places: dict[str, int]) -> tuple[np.ndarray, np.ndarray] | None:
    """A scale and zero point of a model's node, None if it has none there."""
    node = model.graph.node[0]
    if node.op_type not in places:
        return None
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    scale, zero = (stored[name] for name in node.input[places[node.op_type] :][:2])
    return scale.astype(np.float32), zero


def outcome(case: Any, folder: Path) -> str:
    """ "" if the device graph gives what the case says; the importer's words if it refuses. AssertionError else.

    Integers must be the very same.
    """
    path = folder / f"{case.name}.onnx"
    for model, x, y in models(case):
        path.write_bytes(model.SerializeToString())
        try:
            graph = load_onnx(path)
        except InputError as error:
            return " / ".join((error.message, *error.details))
        before, after = _pair(model, INPUT_SCALE), _pair(model, OUTPUT_SCALE)
        x = x if before is None else (x.astype(np.float32) - before[1]) * before[0]
        found = run(lower(graph), x)
        assert found.shape == y.shape, (case.name, found.shape, y.shape)
        if after is not None:
            limits = np.iinfo(y.dtype)
            found = np.clip(np.rint(found / after[0]) + after[1], limits.min, limits.max)
        exact = before is not None or after is not None
        rough = np.float16 in (x.dtype, y.dtype) or case.name in ROUNDED
        close = 0.0 if exact else (1e-3 if rough else 1e-5) * max(1.0, float(np.abs(y).max()))
        np.testing.assert_allclose(found, y, rtol=0, atol=close, err_msg=case.name)
    return ""
