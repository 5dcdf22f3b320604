"""Every TensorFlow Lite operator that is imported, against the runtime; every refusal says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgelearn.boards import load as load_board
from edgelearn.config import TrainConfig
from edgelearn.errors import InputError
from edgelearn.formats import F32, S8, S32
from edgelearn.graph import Role
from edgelearn.importers import load
from edgelearn.interpreter import Interpreter
from edgelearn.ops import OPS
from edgelearn.passes.lower import lower
from edgelearn.passes.partition import partition
from edgelearn.plan import make_plan
from edgelearn.reference import Reference
from tests.support.tflite_files import (
    RELU,
    SAME,
    TANH,
    VALID,
    TfliteNet,
    compare,
    run,
    samples,
)
from tests.unit.tflite_models import (
    I8,
    MODELS,
    MORE,
    bytes_,
    conv,
    dense8,
    float_edges,
    floats,
    ints,
    mean,
    narrow_weights,
    padded,
    reshaped,
    unary,
)


@pytest.mark.parametrize("name", MODELS)
def test_import_agrees_with_the_runtime(name: str, tmp_path: Path) -> None:
    """Float to 1e-5 of the largest value; int8, every result rounded to its integers, to one step."""
    compare(MODELS[name]().save(tmp_path))


@pytest.mark.parametrize("name", MORE)
def test_ops_that_came_later(name: str, tmp_path: Path) -> None:
    op, make = MORE[name]
    path = make().save(tmp_path)
    if op in OPS:
        compare(path)
    else:
        with pytest.raises(InputError, match="not supported"):
            load(path)


def test_int8_weights_in_a_float_layer(tmp_path: Path) -> None:
    """The runtime rounds such a layer's inputs to 8 bits on the way, the device does not."""
    path = narrow_weights(False).save(tmp_path)
    graph = load(path)
    assert graph.tensors[graph.inputs[0]].format is F32
    assert graph.tensors["head_weight"].format is S8
    x = samples(graph, 4)
    step = np.abs(x).max() / 127 * 6 * 1.27
    np.testing.assert_allclose(run(graph, x), Interpreter(path).predict(x), rtol=0, atol=step)
    assert make_plan(graph, TrainConfig(), load_board("host")).training_macs == 48


def test_an_int8_graph_keeps_its_integers(tmp_path: Path) -> None:
    graph = load(MODELS["int8 depthwise"]().save(tmp_path))
    weight, bias = (graph.tensors[name] for name in graph.nodes[0].inputs[1:])
    x, y = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    assert (x.role, x.format, x.quant.scale, x.quant.zero_point) == (Role.INPUT, S8, (pytest.approx(0.05),), (-7,))
    assert (weight.shape, weight.format, weight.data.dtype) == ((3, 3, 6), S8, np.int8)
    assert (weight.quant.axis, len(weight.quant.scale)) == (2, 6)
    assert (bias.format, bias.data.dtype) == (S32, np.int32)
    assert np.allclose(bias.quant.scale, x.quant.scale[0] * np.array(weight.quant.scale), rtol=1e-12)
    assert (y.format, y.quant.zero_point) == (S8, (-20,))


def test_a_float_input_stays_one(tmp_path: Path) -> None:
    graph = load(float_edges().save(tmp_path))
    assert [n.op for n in graph.nodes] == ["quantize", "softmax", "dequantize"]
    assert graph.tensors[graph.inputs[0]].format is F32
    assert graph.tensors[graph.outputs[0]].format is F32


def test_paddings_vanish_into_convolutions(tmp_path: Path) -> None:
    graph = load(padded("PAD").save(tmp_path))
    assert [(n.op, n.attrs["pads"]) for n in graph.nodes] == [("conv2d", (1, 0, 2, 1))]


def test_layouts(tmp_path: Path) -> None:
    graph = load(reshaped((1, 490), (1, 49, 10, 1)).save(tmp_path))
    layout = graph.meta["input"]
    assert (layout.user_shape, layout.perm, layout.device_shape) == ((490,), (0,), (49, 10, 1))
    x = np.arange(980.0).reshape(2, 490)
    assert np.array_equal(layout.to_user(layout.to_device(x)), x)


def test_a_fused_tanh_is_left_out_as_by_the_runtime(tmp_path: Path) -> None:
    """What the runtimes compute is what the file is; a word says so."""
    net = conv((1, 4, 4, 2), (2, 1, 1, 2), (1, 4, 4, 2), FusedActivationFunction=TANH)
    graph = compare(net.save(tmp_path))
    assert [n.op for n in graph.nodes] == ["conv2d"]
    (said,) = graph.meta["warnings"]
    assert said.startswith("the fused TANH is left out, as by the file's runtimes (net.tflite: node 0 ")


def dilated(op: str, length: int, step: int, window: int, mode: int, down: bool, int8: bool) -> TfliteNet:
    """A convolution or a depthwise one along one axis, behind a layer of the same size."""
    net, wide = TfliteNet(), 5 if down else 1
    shape = (1, length, wide, 4) if down else (1, 1, length, 4)
    kernel = (window, 1) if down else (1, window)
    quant = {"kind": "INT8", "scale": 0.05, "zero": -7} if int8 else {}
    out = length - (window - 1) * step * (mode == VALID)
    y = (1, out, wide, 4) if down else (1, 1, out, 4)
    w = (1, *kernel, 4) if op == "DEPTHWISE_CONV_2D" else (4, *kernel, 4)
    weight = net.const(bytes_(*w), scale=0.01) if int8 else net.const(floats(*w))
    bias = net.const(ints(9, -5, 3, 70), scale=0.01 * 0.05) if int8 else net.const(floats(4))
    options = {"Padding": mode, "FusedActivationFunction": RELU}
    options |= {"DilationHFactor" if down else "DilationWFactor": step, "StrideH": 1, "StrideW": 1}
    made = {"kind": "INT8", "scale": 0.07, "zero": -20} if int8 else {}
    net.op(op, [net.input(shape, **quant), weight, bias], y, options, **made)
    return net


# Length, step, window, padding: whole rows and not, what is cut off and what is not.
DILATED = ((16, 2, 3, SAME), (17, 2, 3, SAME), (15, 4, 3, VALID), (20, 3, 2, SAME), (13, 5, 2, VALID), (12, 4, 2, SAME))


@pytest.mark.parametrize("case", DILATED)
@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("op", ["CONV_2D", "DEPTHWISE_CONV_2D"])
def test_dilation_along_one_axis(op: str, down: bool, case: tuple[int, int, int, int], tmp_path: Path) -> None:
    """Float as the runtime computes it, int8 as its plain kernels do, bit by bit; weights go back as any other's."""
    compare(dilated(op, *case, down, int8=False).save(tmp_path, "f.tflite"))
    path = dilated(op, *case, down, int8=True).save(tmp_path)
    graph = compare(path)
    assert len(graph.meta["export"]) == 2
    low = Reference(lower(partition(graph, {"nothing"})))
    assert {n.op for n in low.graph.nodes} <= {
        "quantize", "pad_s8", "reshape_s8", "slice_s8", "conv2d_s8", "depthwise_conv2d_s8", "table_s8", "dequantize"
    }  # fmt: skip
    x = samples(graph, 3)
    found = np.stack([low.forward(s) for s in graph.meta["input"].to_device(x)])
    np.testing.assert_array_equal(graph.meta["output"].to_user(found), Interpreter(path, reference=True).predict(x))


@pytest.mark.parametrize("scale", [0.05, 0.011])
def test_an_int8_clip_is_the_runtimes(scale: float, tmp_path: Path) -> None:
    """On its own, to the same scale; fused ones are held against TensorFlow Lite for Microcontrollers."""
    net = TfliteNet()
    quant = {"kind": "INT8", "scale": scale, "zero": -7}
    net.op("RELU_N1_TO_1", [net.input((1, 3, 5, 4), **quant)], (1, 3, 5, 4), **quant)
    path = net.save(tmp_path)
    graph = compare(path)
    low = Reference(lower(partition(graph, {"nothing"})))
    assert [n.op for n in low.graph.nodes] == ["quantize", "table_s8", "dequantize"]
    x = samples(graph, 4)
    expected = Interpreter(path, reference=True).predict(x)
    found = np.stack([low.forward(s) for s in graph.meta["input"].to_device(x)])
    np.testing.assert_array_equal(graph.meta["output"].to_user(found), expected)


def refused(net: TfliteNet, folder: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        load(net.save(folder))
    return caught.value


REFUSED: dict[str, tuple[Callable[[], TfliteNet], str]] = {
    "dilation": (
        lambda: conv((1, 8, 8, 3), (4, 3, 3, 3), (1, 4, 4, 4), DilationWFactor=2, DilationHFactor=2, Padding=VALID),
        "dilation (2, 2) is not supported here, only along one axis with a window of 1 across and stride 1",
    ),
    "dilation with a stride": (
        lambda: conv((1, 1, 9, 3), (4, 1, 3, 3), (1, 1, 5, 4), DilationWFactor=2, StrideW=2),
        "dilation (1, 2) is not supported here",
    ),
    "dilated window larger than the map": (
        lambda: conv((1, 1, 4, 3), (4, 1, 3, 3), (1, 1, 1, 4), DilationWFactor=2, Padding=VALID),
        "a window of 3 every 2 is larger than the padded 4",
    ),
    "fused tanh in int8": (lambda: dense8(TANH), "a fused TANH in int8 is not supported, not by the file's runtimes"),
    "beta": (lambda: unary("SOFTMAX", (1, 9), Beta=2.0), "beta 2 is not supported, only 1"),
    "mean of channels": (lambda: mean([3], (1, 4, 5), False), "over axes [3] is not supported"),
    "mean of the batch": (lambda: mean([0], (4, 5, 3), False), "it works along the batch axis"),
    "batch reshaped": (lambda: reshaped((1, 30), (2, 15)), "(2, 15) has no batch axis of 1 in front"),
    "wrong shape": (lambda: conv((1, 8, 8, 3), (4, 3, 3, 3), (1, 9, 9, 4)), "the file says (1, 9, 9, 4)"),
    "stride 0": (lambda: conv((1, 8, 8, 3), (4, 3, 3, 3), (1, 8, 8, 4), StrideW=0), "is not positive"),
    "big window": (lambda: conv((1, 2, 2, 3), (4, 3, 3, 3), (1, 1, 1, 4), Padding=VALID), "larger than the padded"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_say_why(name: str, tmp_path: Path) -> None:
    make, why = REFUSED[name]
    error = refused(make(), tmp_path)
    assert error.message == "1 node is not supported"
    assert why in error.details[0]
    assert "CONV_2D" in str(error.hint)


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    net = TfliteNet()
    x = net.input((1, 4, 4, 2))
    a = net.op("ATAN2", [x, x], (1, 4, 4, 2), name="first")
    b = net.op("MyOwnOp", [a], (1, 4, 4, 2), name="second")
    c = net.op("RELU", [b], (1, 4, 4, 2))
    net.op("SIN", [c], (1, 4, 4, 2), name="third")
    error = refused(net, tmp_path)
    assert error.message == "3 nodes are not supported"
    assert error.details == (
        "node 0 'first': ATAN2 of (1, 4, 4, 2), (1, 4, 4, 2): this op is not supported",
        "node 1 'second': CUSTOM MyOwnOp of (1, 4, 4, 2): this op is not supported",
        "node 3 'third': SIN of (1, 4, 4, 2): this op is not supported",
    )


def test_inputs_and_outputs(tmp_path: Path) -> None:
    net = unary("RELU")
    net.outputs *= 2
    assert refused(net, tmp_path).message == "the model has 2 outputs, supported is one"
    net = unary("RELU", (4, 3))
    assert refused(net, tmp_path).message == "input 'x' has a batch of 4, supported is 1"
    net = TfliteNet()
    net.op("RELU", [net.input((1, 3), "UINT8", scale=0.1)], (1, 3))
    assert "activations of UINT8 are not supported" in refused(net, tmp_path).message
    net = TfliteNet()
    net.op("RELU", [net.input((1, 3), "INT8")], (1, 3))
    assert "exactly one scale" in refused(net, tmp_path).message


def test_names_come_from_layers(tmp_path: Path) -> None:
    graph = load(conv((1, 8, 8, 3), (4, 3, 3, 3), (1, 8, 8, 4), FusedActivationFunction=RELU).save(tmp_path))
    assert [n.name for n in graph.nodes] == ["first", "first_relu"]
    assert list(graph.meta["export"]) == ["first_weight", "first_bias"]
    assert graph.nodes[0].origin.op == "CONV_2D"


def test_weights_that_share_bytes_are_left_alone(tmp_path: Path) -> None:
    """One buffer read as the bias of two layers in int8 stands for two sets of numbers: neither can be trained."""
    net = TfliteNet()
    x = net.input((1, 4), **I8)
    bias = net.const(ints(1, 2, 3, 4), scale=0.05 * 0.01)
    h = net.op("FULLY_CONNECTED", [x, net.const(bytes_(4, 4), scale=0.01), bias], (1, 4), kind="INT8", scale=0.2)
    net.op("FULLY_CONNECTED", [h, net.const(bytes_(4, 4, seed=9), scale=0.01), bias], (1, 4), kind="INT8", scale=0.2)
    graph = load(net.save(tmp_path))
    assert sorted(graph.meta["export"]) == ["dense_2_weight", "dense_weight"]
    assert "can't be trained" in graph.meta["warnings"][0]
