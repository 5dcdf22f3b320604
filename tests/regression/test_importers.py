"""Bugs that importing had, each with the smallest model that showed it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import helper

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
