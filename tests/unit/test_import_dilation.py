"""Dilated convolutions of ONNX against onnxruntime, and temporal convolution networks against torch itself."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from edgelearn import methods
from edgelearn.config import TrainConfig
from edgelearn.errors import InputError
from edgelearn.importers.onnx import load_onnx
from edgelearn.reference import Reference
from edgelearn.training import training_graph
from tests.unit.import_models import compare, model, node, random, run, save

torch = pytest.importorskip("torch")
nn = torch.nn

# Sample, kernel, and what the node says: whole rows and not, padding that rows hold and not, nothing to cut and some.
CASES: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, object]]] = {
    "causal": ((3, 24), (5, 3, 3), {"dilations": [4], "pads": [8, 0]}),
    "causal_rest": ((3, 23), (5, 3, 3), {"dilations": [4], "pads": [8, 0]}),
    "both_ends": ((3, 23), (5, 3, 5), {"dilations": [3], "pads": [6, 6]}),
    "odd_padding": ((2, 17), (4, 2, 3), {"dilations": [5], "pads": [3, 7]}),
    "valid": ((2, 21), (4, 2, 4), {"dilations": [2]}),
    "one_left": ((2, 9), (4, 2, 3), {"dilations": [4]}),
    "step_beyond_length": ((2, 5), (4, 2, 2), {"dilations": [8], "pads": [8, 0]}),
    "depthwise": ((4, 19), (8, 1, 3), {"dilations": [2], "pads": [2, 2], "group": 4}),
    "groups": ((6, 19), (4, 3, 3), {"dilations": [2], "pads": [4, 0], "group": 2}),
    "down": ((3, 14, 5), (4, 3, 3, 1), {"dilations": [4, 1], "pads": [4, 0, 4, 0]}),
    "down_depthwise": ((3, 13, 5), (3, 1, 3, 1), {"dilations": [2, 1], "group": 3}),
    "across_one_row": ((3, 1, 14), (4, 3, 1, 3), {"dilations": [1, 3], "pads": [0, 6, 0, 0]}),
    "nothing_across": ((3, 6, 7), (4, 3, 3, 1), {"dilations": [1, 2], "strides": [2, 2]}),
}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_a_dilated_convolution_is_onnxruntimes(name: str, bias: bool, tmp_path: Path) -> None:
    shape, kernel, attrs = CASES[name]
    weights = {"w": random(*kernel)} | ({"b": random(kernel[0])} if bias else {})
    graph = compare(save(model([node("Conv", ["x", *weights], "y", **attrs)], shape, weights), tmp_path))
    assert len(graph.meta["export"]) == len(weights)
    assert sum(n.op.endswith("conv2d") for n in graph.nodes) == 1


@pytest.mark.parametrize(("mode", "pads"), [("SAME_UPPER", [4, 5]), ("SAME_LOWER", [5, 4])])
def test_automatic_padding_counts_what_the_window_spans(mode: str, pads: list[int], tmp_path: Path) -> None:
    """onnxruntime refuses the two together; ONNX defines them."""
    found = []
    for attrs in ({"auto_pad": mode}, {"pads": pads}):
        made = model([node("Conv", ["x", "w"], "y", dilations=[3], **attrs)], (3, 20), {"w": random(5, 3, 4)})
        found.append(run(load_onnx(save(made, tmp_path)), random(2, 3, 20)))
    assert found[0].shape == (2, 5, 20)
    np.testing.assert_array_equal(*found)


def test_whole_rows_of_padding_stay_the_layers_own(tmp_path: Path) -> None:
    """Where the step divides the length nothing is copied: two shapes and the layer."""
    shape, kernel, attrs = CASES["causal"]
    graph = compare(save(model([node("Conv", ["x", "w"], "y", **attrs)], shape, {"w": random(*kernel)}), tmp_path))
    assert [n.op for n in graph.nodes] == ["conv2d", "reshape"]
    assert graph.nodes[0].attrs["pads"] == (2, 0, 0, 0)


TWO = "is not supported here, only along one axis with a window of 1 across and stride 1"
REFUSED: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, object], str]] = {
    "two axes": ((3, 9, 9), (4, 3, 3, 3), {"dilations": [2, 2]}, f"dilation (2, 2) {TWO}"),
    "a stride": ((3, 9), (4, 3, 3), {"dilations": [2], "strides": [2]}, f"dilation (1, 2) {TWO}"),
    "across rows": ((3, 9, 9), (4, 3, 1, 3), {"dilations": [1, 2]}, f"dilation (1, 2) {TWO}"),
    "too wide": ((3, 8), (4, 3, 3), {"dilations": [4]}, "a window of 3 every 4 is larger than the padded 8"),
    "zero": ((3, 8), (4, 3, 3), {"dilations": [0]}, "dilations [0] does not fit 1-D maps"),
    "too many": ((3, 8), (4, 3, 3), {"dilations": [2, 2]}, "dilations [2, 2] does not fit 1-D maps"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str, tmp_path: Path) -> None:
    shape, kernel, attrs, words = REFUSED[name]
    path = save(model([node("Conv", ["x", "w"], "y", **attrs)], shape, {"w": random(*kernel)}), tmp_path)
    with pytest.raises(InputError) as caught:
        load_onnx(path)
    (problem,) = caught.value.details
    assert problem.endswith(words)


class Block(nn.Module):  # type: ignore[name-defined,misc]
    """A causal convolution with a residual sum, padded in front (`pad`) or on both sides and cut."""

    def __init__(self, before: int, channels: int, dilation: int, pad: bool) -> None:
        super().__init__()
        self.cut = 2 * dilation
        self.pad = nn.ConstantPad1d((self.cut, 0), 0.0) if pad else nn.Identity()
        self.conv = nn.Conv1d(before, channels, 3, padding=0 if pad else self.cut, dilation=dilation)
        self.skip = nn.Conv1d(before, channels, 1) if before != channels else nn.Identity()
        self.pads = pad

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(self.pad(x))
        y = y if self.pads else y[:, :, : -self.cut]
        return torch.relu(torch.relu(y) + self.skip(x))


class Last(nn.Module):  # type: ignore[name-defined,misc]
    """The last step of a sequence."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :, -1]


def tcn(pad: bool) -> torch.nn.Module:
    """Four blocks, dilations 1 to 8, and a classifier on the last step."""
    torch.manual_seed(3)
    blocks = [Block(3 if k == 0 else 6, 6, 2**k, pad) for k in range(4)]
    return nn.Sequential(*blocks, Last(), nn.Linear(6, 4))


def exported(net: torch.nn.Module, folder: Path, dynamo: bool) -> Path:
    path = folder / "tcn.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        more = {"external_data": False} if dynamo else {}
        torch.onnx.export(net.eval(), (torch.zeros(1, 3, 37),), path, dynamo=dynamo, opset_version=18, **more)
    return path


@pytest.mark.parametrize("dynamo", [False, True])
@pytest.mark.parametrize("pad", [True, False])
def test_a_temporal_convolution_network_is_torchs(pad: bool, dynamo: bool, tmp_path: Path) -> None:
    """Predictions as onnxruntime's; every gradient as torch computes it on the module itself: 1e-5 of the largest."""
    net = tcn(pad)
    graph = compare(exported(net, tmp_path, dynamo), batch=1)
    names = methods.select(graph, "all")
    assert len(names) == sum(1 for _ in net.parameters())
    oracle = Reference(training_graph(graph, TrainConfig(batch=2)), np.float32)
    x = np.random.default_rng(4).normal(size=(3, 37)).astype(np.float32)
    oracle.train(graph.meta["input"].to_device(x[None])[0], 2)
    nn.functional.cross_entropy(net(torch.from_numpy(x[None])), torch.tensor([2])).backward()
    truth = {name: p.grad.numpy() for name, p in net.named_parameters()}
    for name in names:
        record = graph.meta["export"][name]
        found = record.to_onnx(2 * oracle.values[f"{name}_grad"])
        want = next(g for source, g in truth.items() if record.source.endswith(source))
        np.testing.assert_allclose(found, want, rtol=0, atol=1e-5 * np.abs(want).max(), err_msg=name)
