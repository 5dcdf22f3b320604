"""Bugs that importing had, each with the smallest model that showed it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgelearn.errors import InputError
from edgelearn.importers import load
from tests.unit.import_models import compare, model, node, random, save


def test_statistics_of_a_norm_do_not_share_one_tensor(tmp_path: Path) -> None:
    """Computed constants were told apart by id(), which the next object may get again: inv_std became the mean."""
    weights = {"s": random(4), "b": random(4), "m": random(4), "v": np.full(4, 4.0, np.float32)}
    graph = compare(save(model([node("BatchNormalization", ["x", *weights], "y")], (4, 5), weights), tmp_path))
    mean, inv_std = (graph.tensors[name] for name in graph.nodes[0].inputs[3:])
    np.testing.assert_array_equal(mean.data, weights["m"])
    np.testing.assert_allclose(inv_std.data, np.full(4, 0.5), rtol=1e-5)


def test_one_bias_of_two_additions_is_one_tensor(tmp_path: Path) -> None:
    """An Add that became a bias made a tensor of its own each time, so two copies were trained apart."""
    nodes = [
        node("MatMul", ["x", "w"], "a"),
        node("Add", ["a", "b"], "c"),
        node("MatMul", ["c", "w"], "d"),
        node("Add", ["d", "b"], "y"),
    ]
    graph = compare(save(model(nodes, (4,), {"w": random(4, 4), "b": random(4)}), tmp_path))
    assert graph.nodes[0].inputs[1:] == graph.nodes[1].inputs[1:]


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    """The protobuf parser hands such a name over as bytes; printing it ended in an AttributeError."""
    path = save(model([node("Relu", ["x"], "hidden"), node("Tanh", ["hidden"], "y")], (3,)), tmp_path)
    path.write_bytes(path.read_bytes().replace(b"hidden", b"h\xff\xfeden"))
    with pytest.raises(InputError, match="a name in it is not UTF-8"):
        load(path)


def test_flags_other_than_0_and_1(tmp_path: Path) -> None:
    """keepdims 7 was taken for 1, which onnxruntime takes for 0."""
    path = save(model([node("ReduceMean", ["x"], "y", axes=[2], keepdims=1)], (3, 4)), tmp_path)
    path.write_bytes(path.read_bytes().replace(b"keepdims\x18\x01", b"keepdims\x18\x07"))
    with pytest.raises(InputError) as caught:
        load(path)
    assert "attribute keepdims is 7, expected 0 or 1" in caught.value.details[0]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_split_into_another_number_of_parts(count: int, tmp_path: Path) -> None:
    """A damaged num_outputs divided by zero, or ended the whole process in onnx's shape inference."""
    split = helper.make_node("Split", ["x"], ["a", "b"], axis=1, num_outputs=2)
    made = model([split, node("Relu", ["b"], "y")], (4,), opset=18)
    made.graph.node[0].attribute[1].i = count
    with pytest.raises(InputError) as caught:
        load(save(made, tmp_path))
    assert "num_outputs" in caught.value.details[0] or "num_outputs" in caught.value.message


def test_an_output_without_a_name(tmp_path: Path) -> None:
    """It was looked up among the values, which ended in a KeyError."""
    made = model([node("Relu", ["x"], "y")], (4,))
    made.graph.output[0].name = ""
    with pytest.raises(InputError):
        load(save(made, tmp_path))


def test_a_pattern_of_nodes_without_operands(tmp_path: Path) -> None:
    """Looking for layers that are written out must not trip over nodes that the checker has not seen."""
    nodes = [node("Clip", [], "c"), node("Mul", ["x", "c"], "m"), node("Sub", ["m"], "d"), node("Sqrt", [], "s"),
             node("Div", ["d", "s"], "z"), node("Unknown", ["z"], "y")]  # fmt: skip
    made = model([node("Relu", ["x"], "y")], (4,))
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    with pytest.raises(InputError, match="not supported"):
        load(save(made, tmp_path))


# How exporters take the batch out of a shape: (opset, the nodes from the shape `s` to one number or one of an axis).
BATCH_OF = {
    "tf2onnx": (13, [node("Cast", ["s"], "i", to=TensorProto.INT32), node("Slice", ["i", "z", "o"], "b"),
                     node("Squeeze", ["b", "z"], "c"), node("Unsqueeze", ["c", "z"], "d")]),
    "no_axes": (13, [node("Slice", ["s", "z", "o"], "b"), node("Squeeze", ["b"], "c"),
                     node("Unsqueeze", ["c", "z"], "d")]),
    "attributes": (11, [node("Slice", ["s", "z", "o"], "b"), node("Squeeze", ["b"], "c", axes=[-1]),
                        node("Unsqueeze", ["c"], "d", axes=[0])]),
    "attention": (17, [node("Gather", ["s", "n"], "b"), node("Identity", ["b"], "c"), node("Mul", ["c", "u"], "e"),
                       node("Unsqueeze", ["e", "z"], "d")]),
    "reshaped": (17, [node("Gather", ["s", "n"], "b"), node("Reshape", ["b", "o"], "d")]),
}  # fmt: skip


def shaped(name: str) -> onnx.ModelProto:
    """Reshape to (batch, 12), the batch taken out of the input's shape."""
    opset, nodes = BATCH_OF[name]
    kind = np.int32 if name == "tf2onnx" else np.int64
    weights = {"w": random(12, 3), "z": np.array([0]), "o": np.array([1]), "n": np.array(0), "u": np.array(1),
               "t": np.array([12], kind)}  # fmt: skip
    behind = [node("Concat", ["d", "t"], "e2", axis=0), node("Cast", ["e2"], "e3", to=TensorProto.INT64),
              node("Reshape", ["x", "e3"], "f"), node("MatMul", ["f", "w"], "y")]  # fmt: skip
    return model([node("Shape", ["x"], "s"), *nodes, *behind], (4, 3), weights, opset=opset)


@pytest.mark.parametrize("name", BATCH_OF)
def test_a_number_out_of_a_shape_has_no_axis(name: str, tmp_path: Path) -> None:
    """numpy's ascontiguousarray gave the scalar that Squeeze made an axis again, and Concat was called malformed."""
    graph = compare(save(shaped(name), tmp_path))
    assert [n.op for n in graph.nodes] == ["dense"]


MALFORMED = {
    "parts": (13, "Concat", ["s", "m"], {"axis": 0}, "the parts do not fit together along axis 0"),
    "axis": (13, "Concat", ["s", "z"], {"axis": 1}, "axis 1 does not exist in a tensor of 1 axes"),
    "squeeze": (13, "Squeeze", ["s", "z"], {}, "squeezes an axis of (3,) that is not 1"),
    "unsqueeze": (13, "Unsqueeze", ["s", "zz"], {}, "axes [0, 0] name one place twice"),
    "gather": (13, "Gather", ["s", "far"], {}, "index 7 does not exist on an axis of 3"),
    "reshape": (13, "Reshape", ["s", "far"], {}, "is malformed: its operands and attributes do not fit together"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_shape_arithmetic_that_can_not_be(name: str, tmp_path: Path) -> None:
    """Such nodes were answered with numpy's own words, cut off in the middle."""
    opset, op, inputs, attrs, reason = MALFORMED[name]
    weights = {"m": np.zeros((1, 1), np.int64), "z": np.array([0]), "zz": np.array([0, 0]), "far": np.array([7])}
    nodes = [node("Shape", ["x"], "s"), node(op, inputs, "e", **attrs), node("Reshape", ["x", "e"], "y")]
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 12])],
        [numpy_helper.from_array(value, key) for key, value in weights.items()],
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    with pytest.raises(InputError) as caught:
        load(save(made, tmp_path))
    assert len(caught.value.details) == 1
    assert caught.value.details[0].endswith(f": {reason}")
