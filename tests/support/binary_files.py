"""Files that tell two classes apart with one output, and samples for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.support.int8_nets import Net
from tests.support.tflite_files import RELU

FEATURES, HIDDEN = 5, 12


def onnx_file(path: Path, outputs: int = 1, *, sigmoid: bool = True) -> Path:
    """Gemm, Relu, Gemm and, if wanted, a Sigmoid."""
    rng = np.random.default_rng(4)
    shapes = {"w1": (HIDDEN, FEATURES), "b1": (HIDDEN,), "w2": (outputs, HIDDEN), "b2": (outputs,)}
    weights = [numpy_helper.from_array(rng.normal(0, 0.4, s).astype(np.float32), n) for n, s in shapes.items()]
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["h"], transB=1),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Gemm", ["r", "w2", "b2"], ["z" if sigmoid else "y"], transB=1),
        *([helper.make_node("Sigmoid", ["z"], ["y"])] if sigmoid else []),
    ]
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", count])]
        for name, count in (("x", FEATURES), ("y", outputs))
    ]
    graph = helper.make_graph(nodes, "binary", *ends, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def tflite_file(path: Path) -> Path:
    """An int8 model of two dense layers and a LOGISTIC, whose output has the scale that the operator prescribes."""
    net = Net(np.random.default_rng(4))
    x = net.source((1, FEATURES), kind="INT8", scale=0.04, zero=0)
    hidden = net.weighted("FULLY_CONNECTED", x, (HIDDEN, FEATURES), (1, HIDDEN), 0, 1, FusedActivationFunction=RELU)
    logit = net.weighted("FULLY_CONNECTED", hidden, (1, HIDDEN), (1, 1), 0, 1)
    net.op("LOGISTIC", [logit], (1, 1), kind="INT8", scale=1 / 256, zero=-128)
    path.write_bytes(net.content())
    return path


def archive(path: Path, y: np.ndarray | None = None, train: int = 120) -> Path:
    """Samples whose label, 0 or 1, takes a hidden layer to tell; other targets are given."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, FEATURES)).astype(np.float32)
    if y is None:
        y = (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(np.int64)
    np.savez(path, x_train=x[:train], y_train=y[:train], x_test=x[train:], y_test=y[train:])
    return path
