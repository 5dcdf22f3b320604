"""Layers that files write out in smaller nodes, control flow, and weights kept as float16."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from edgelearn.errors import InputError
from edgelearn.export import export_onnx
from edgelearn.importers.onnx import load_onnx
from tests.unit.import_models import compare, model, node, predict, random, run, save
from tests.unit.test_export import agree, trained, values

BOUNDS = {"three": np.float32(3), "low": np.float32(0), "six": np.float32(6), "sixth": np.float32(1 / 6)}
GATE = [node("Add", ["x", "three"], "a"), node("Clip", ["a", "low", "six"], "c")]
SWISHES = {
    "mul_then_div": [*GATE, node("Mul", ["x", "c"], "m"), node("Div", ["m", "six"], "y")],
    "div_then_mul": [*GATE, node("Div", ["c", "six"], "d"), node("Mul", ["x", "d"], "y")],
    "mul_by_a_sixth": [*GATE, node("Mul", ["c", "x"], "m"), node("Mul", ["sixth", "m"], "y")],
    "hard_sigmoid": [node("HardSigmoid", ["x"], "h", alpha=1 / 6), node("Mul", ["h", "x"], "y")],
}


def made(nodes: list[onnx.NodeProto], shape: tuple[int, ...], weights: dict[str, np.ndarray]) -> onnx.ModelProto:
    read = {name for n in nodes for name in n.input}
    return model(nodes, shape, {k: v for k, v in weights.items() if k in read}, opset=13)


@pytest.mark.parametrize("name", SWISHES)
def test_hard_swish(name: str, tmp_path: Path) -> None:
    graph = compare(save(made(SWISHES[name], (3, 5, 4), BOUNDS), tmp_path))
    assert [n.op for n in graph.nodes] == ["hard_swish"]


NUMBERS = {
    "one": np.float32(1), "half": np.float32(0.5), "root": np.float32(np.sqrt(2)), "inverse": np.float32(np.sqrt(0.5)),
    "three": np.float32(3), "bend": np.float32(0.044715), "slope": np.float32(np.sqrt(2 / np.pi)),
    "twenty": np.float32(20),
}  # fmt: skip
ERF = [node("Div", ["x", "root"], "d"), node("Erf", ["d"], "e"), node("Add", ["e", "one"], "a")]
TANH = [
    node("Mul", ["p", "bend"], "b"), node("Add", ["x", "b"], "s"), node("Mul", ["slope", "s"], "m"),
    node("Tanh", ["m"], "e"), node("Add", ["one", "e"], "a"),
]  # fmt: skip
HALVED = [node("Mul", ["half", "a"], "h"), node("Mul", ["x", "h"], "y")]
GATES = {
    "silu": ("silu", [node("Sigmoid", ["x"], "s"), node("Mul", ["x", "s"], "y")]),
    "silu_turned": ("silu", [node("Sigmoid", ["x"], "s"), node("Mul", ["s", "x"], "y")]),
    "gelu": ("gelu", [*ERF, node("Mul", ["x", "a"], "m"), node("Mul", ["m", "half"], "y")]),
    "gelu_halved_first": ("gelu", [*ERF, *HALVED]),
    "gelu_product": ("gelu", [node("Mul", ["x", "inverse"], "d"), *ERF[1:], *HALVED]),
    "gelu_tanh": ("gelu_tanh", [node("Pow", ["x", "three"], "p"), *TANH, *HALVED]),
    "gelu_tanh_products": (
        "gelu_tanh", [node("Mul", ["x", "x"], "q"), node("Mul", ["x", "q"], "p"), *TANH, *HALVED]
    ),
    "softplus": (
        "softplus", [node("Softplus", ["x"], "s"), node("Greater", ["x", "twenty"], "g"),
                     node("Where", ["g", "x", "s"], "y")],
    ),
    "softplus_cast": (
        "softplus", [node("CastLike", ["one", "x"], "k"), node("Mul", ["x", "k"], "z"), node("Softplus", ["z"], "t"),
                     node("Div", ["t", "k"], "s"), node("Greater", ["z", "twenty"], "g"),
                     node("Where", ["g", "x", "s"], "y")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GATES)
def test_gates(name: str, tmp_path: Path) -> None:
    op, nodes = GATES[name]
    read = {value for n in nodes for value in n.input}
    weights = {key: value for key, value in NUMBERS.items() if key in read}
    graph = compare(save(model(nodes, (3, 5, 4), weights, opset=15), tmp_path))
    assert [n.op for n in graph.nodes] == [op]


def test_what_only_looks_like_a_gate(tmp_path: Path) -> None:
    """A sigmoid of something else, another factor in front of tanh."""
    nodes = [node("Tanh", ["x"], "t"), node("Sigmoid", ["t"], "s"), node("Mul", ["x", "s"], "y")]
    graph = compare(save(model(nodes, (7,), {}), tmp_path))
    assert [n.op for n in graph.nodes] == ["tanh", "sigmoid", "mul"]
    nodes = [node("Pow", ["x", "three"], "p"), *TANH, *HALVED]
    weights = {**NUMBERS, "slope": np.float32(0.8)}
    read = {value for n in nodes for value in n.input}
    graph = compare(save(model(nodes, (7,), {k: v for k, v in weights.items() if k in read}), tmp_path))
    assert "gelu_tanh" not in {n.op for n in graph.nodes}


def test_what_only_looks_like_hard_swish(tmp_path: Path) -> None:
    """Another slope, another number, and a gate on something else."""
    seven = {**BOUNDS, "six": np.float32(7)}
    graph = compare(save(made(SWISHES["mul_then_div"], (7,), seven), tmp_path))
    assert [n.op for n in graph.nodes] == ["bias", "relu", "mul", "mul"]
    other = [node("Tanh", ["x"], "t"), *GATE, node("Mul", ["t", "c"], "m"), node("Div", ["m", "six"], "y")]
    graph = compare(save(made(other, (7,), BOUNDS), tmp_path))
    assert [n.op for n in graph.nodes] == ["tanh", "bias", "relu", "mul", "mul"]


def normalised(
    square: str = "Pow", scale: bool = True, shift: bool = True, axes: tuple[int, ...] = (-1,)
) -> Callable[[], onnx.ModelProto]:
    nodes = [
        node("Relu", ["x"], "r"),
        node("ReduceMean", ["r"], "mean", axes=axes),
        node("Sub", ["r", "mean"], "d", "/norm/Sub"),
        node("Pow", ["d", "two"], "p") if square == "Pow" else node("Mul", ["d", "d"], "p"),
        node("ReduceMean", ["p"], "var", axes=axes),
        node("Add", ["var", "eps"], "e"),
        node("Sqrt", ["e"], "s"),
        node("Div", ["d", "s"], "n", "/norm/Div"),
    ]
    last = "n"
    if scale:
        nodes, last = [*nodes, node("Mul", [last, "g"], "m", "/norm/Mul")], "m"
    if shift:
        nodes, last = [*nodes, node("Add", ["b", last], "o", "/norm/Add_1")], "o"
    nodes.append(node("Tanh", [last], "y"))
    parameters = (8,) if len(axes) == 1 else (5, 8)
    weights = {"two": np.float32(2), "eps": np.float32(1e-3), "g": random(*parameters), "b": random(*parameters)}
    return lambda: made(nodes, (5, 8), weights)


NORMS = {
    "whole": normalised(),
    "mul": normalised("Mul"),
    "scale_only": normalised(shift=False),
    "shift_only": normalised(scale=False),
    "bare": normalised(scale=False, shift=False),
    "positive_axis": normalised(axes=(2,)),
    "two_axes": normalised(axes=(-2, -1)),
}


@pytest.mark.parametrize("name", NORMS)
def test_layer_norm(name: str, tmp_path: Path) -> None:
    graph = compare(save(NORMS[name](), tmp_path))
    ops = ["relu", "layer_norm", "bias", "tanh"] if name == "shift_only" else ["relu", "layer_norm", "tanh"]
    assert [n.op for n in graph.nodes] == ops
    if name == "whole":
        assert set(graph.meta["export"]) == {"norm_gamma", "norm_beta"}


@pytest.mark.parametrize("name", ["whole", "scale_only", "two_axes"])
def test_layer_norm_goes_home(name: str, tmp_path: Path) -> None:
    path = save(NORMS[name](), tmp_path)
    graph, moved = trained(load_onnx(path))
    assert moved
    export_onnx(path, graph, moved, tmp_path / "out.onnx")
    agree(tmp_path / "out.onnx", graph)


def test_a_norm_over_something_else_is_none(tmp_path: Path) -> None:
    nodes = list(NORMS["bare"]().graph.node)
    nodes[7].input[1] = "e"  # divides by the variance
    path = save(made(nodes, (5, 8), {"two": np.float32(2), "eps": np.float32(1e-3)}), tmp_path)
    graph = compare(path)
    assert "layer_norm" not in [n.op for n in graph.nodes]


def exported(net: torch.nn.Module, shape: tuple[int, ...], opset: int, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net.eval(), (torch.zeros(1, *shape),), str(path), opset_version=opset, dynamo=False)
    return path


@pytest.mark.parametrize("opset", [11, 13, 14, 17])
def test_torch_writes_them_out(opset: int, tmp_path: Path) -> None:
    """Every opset at which torch writes these layers, with all their weights trainable."""
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 3, bias=False), torch.nn.Hardswish(), torch.nn.GroupNorm(2, 6), torch.nn.PReLU(6),
        torch.nn.InstanceNorm2d(6, affine=True), torch.nn.ELU(), torch.nn.ConvTranspose2d(6, 4, 2, stride=2),
        torch.nn.Hardsigmoid(), torch.nn.Flatten(2), torch.nn.LayerNorm(72), torch.nn.Linear(72, 5),
    )  # fmt: skip
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, 0.3, 0.5)
    graph = compare(exported(net, (3, 5, 8), opset, tmp_path / "net.onnx"), batch=1)
    ops = [n.op for n in graph.nodes if n.op not in ("reshape", "transpose")]
    assert ops == [
        "conv2d", "hard_swish", "instance_norm", "mul", "bias", "prelu", "instance_norm", "elu", "conv_transpose2d",
        "bias", "hard_sigmoid", "layer_norm", "conv2d",
    ]  # fmt: skip
    written = sum(np.asarray(a).size for a in values(graph).values())
    group = 4  # the ones and zeros that torch gives the instance norm inside a group norm
    assert written == sum(p.numel() for p in net.parameters()) + group


@pytest.mark.parametrize("op", ["If", "Loop", "Scan"])
def test_control_flow_is_refused_by_name(op: str, tmp_path: Path) -> None:
    def info(name: str, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, [] if kind != TensorProto.FLOAT else None)

    if op == "If":
        body = helper.make_graph([node("Relu", ["h"], "z")], "body", [], [info("z")])
        flow = helper.make_node(op, ["c"], ["y"], "/choice", then_branch=body, else_branch=body)
    elif op == "Loop":
        steps = [node("Identity", ["k"], "l"), node("Relu", ["v"], "z")]
        given = [info("i", TensorProto.INT64), info("k", TensorProto.BOOL), info("v")]
        body = helper.make_graph(steps, "body", given, [info("l", TensorProto.BOOL), info("z")])
        flow = helper.make_node(op, ["", "c", "h"], ["y"], "/choice", body=body)
    else:
        body = helper.make_graph([node("Relu", ["v"], "z")], "body", [info("v")], [info("z")])
        flow = helper.make_node(op, ["h"], ["y"], "/choice", body=body, num_scan_inputs=1)
    wrong = made([node("Relu", ["x"], "h"), flow], (3, 4), {"c": np.array(True)})
    with pytest.raises(InputError) as caught:
        load_onnx(save(wrong, tmp_path))
    assert any("control flow is not supported" in text for text in caught.value.details), caught.value.render()
    assert any(text.startswith(f"node 1 '/choice': {op}") for text in caught.value.details)


def half(folder: Path, cast: bool) -> Path:
    """Weights in float16, behind a Cast each, or in a file that is float16 throughout."""
    weights = {"w": random(4, 3, 3), "b": random(4), "v": random(4, 5)}
    if cast:
        nodes = [
            *(node("Cast", [name], f"{name}32", to=TensorProto.FLOAT) for name in weights),
            node("Conv", ["x", "w32", "b32"], "h"), node("GlobalAveragePool", ["h"], "p"),
            node("Flatten", ["p"], "f"), node("MatMul", ["f", "v32"], "y"),
        ]  # fmt: skip
    else:
        nodes = [
            node("Cast", ["x"], "x16", to=TensorProto.FLOAT16), node("Conv", ["x16", "w", "b"], "h"),
            node("GlobalAveragePool", ["h"], "p"), node("Flatten", ["p"], "f"), node("MatMul", ["f", "v"], "z"),
            node("Cast", ["z"], "y", to=TensorProto.FLOAT),
        ]  # fmt: skip
    return save(model(nodes, (3, 9), {k: a.astype(np.float16) for k, a in weights.items()}), folder)


@pytest.mark.parametrize("cast", [True, False])
def test_float16_weights(cast: bool, tmp_path: Path) -> None:
    path = half(tmp_path, cast)
    graph = load_onnx(path)
    assert [n.op for n in graph.nodes] == ["conv2d", "avg_pool2d", "dense"]
    assert graph.meta["warnings"] == ("'b' and 2 more are float16 in the file; the device computes in float32",)
    x = np.random.default_rng(0).normal(size=(2, 3, 9)).astype(np.float32)
    np.testing.assert_allclose(run(graph, x), predict(path, x), atol=1e-5 if cast else 5e-3)

    export_onnx(path, graph, values(graph), tmp_path / "same.onnx")
    assert onnx.load(tmp_path / "same.onnx") == onnx.load(path)
    graph, moved = trained(graph)
    export_onnx(path, graph, moved, tmp_path / "out.onnx")
    stored = {t.name: numpy_helper.to_array(t) for t in onnx.load(tmp_path / "out.onnx").graph.initializer}
    assert {a.dtype for a in stored.values()} == {np.dtype(np.float16)}
    for name, value in values(load_onnx(tmp_path / "out.onnx")).items():
        np.testing.assert_allclose(value, moved[name], rtol=5e-4, atol=1e-7)


def test_float16_weights_that_outgrow_the_file(tmp_path: Path) -> None:
    path = half(tmp_path, cast=True)
    graph = load_onnx(path)
    (name,) = (n for n, record in graph.meta["export"].items() if record.source == "b")
    with pytest.raises(InputError, match="beyond what the file's float16 can hold"):
        export_onnx(path, graph, {name: np.full(4, 1e5, np.float32)}, tmp_path / "out.onnx")
