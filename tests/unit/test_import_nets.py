"""Whole networks, most of them written by torch's exporter, against onnxruntime."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgelearn.graph import Graph, Role
from edgelearn.importers import load
from tests.unit.import_models import compare, predict, run

torch = pytest.importorskip("torch")
nn = torch.nn
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "wearable"


def mlp() -> tuple[torch.nn.Module, tuple[int, ...]]:
    return nn.Sequential(nn.Flatten(), nn.Linear(20, 9), nn.Tanh(), nn.Linear(9, 5), nn.LogSoftmax(1)), (4, 5)


class Signal(nn.Module):  # type: ignore[name-defined,misc]
    """Conv1d with BatchNorm, pooling and a flatten of a map."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(3, 7, 5, stride=2, padding=2, bias=False)
        self.norm1 = nn.BatchNorm1d(7)
        self.conv2 = nn.Conv1d(7, 6, 3)
        self.pool = nn.MaxPool1d(2)
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(6 * 9, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm1(self.conv1(x)))
        x = self.pool(torch.sigmoid(self.conv2(x)))
        return self.head(self.drop(x.view(x.size(0), -1)))


class Mobile(nn.Module):  # type: ignore[name-defined,misc]
    """Residual blocks, depthwise convolutions, ReLU6, a mean over space."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU6())
        self.depth = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.point = nn.Conv2d(8, 8, 1, bias=False)
        self.leak = nn.LeakyReLU(0.1)
        self.wide = nn.Conv2d(8, 16, 3, padding=1, groups=8)
        self.pool = nn.AvgPool2d(2, ceil_mode=False)
        self.head = nn.Linear(16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = x + self.leak(self.point(self.depth(x)))
        return torch.softmax(self.head(self.pool(self.wide(x)).mean((2, 3))), dim=1)


NETS: dict[str, Callable[[], tuple[torch.nn.Module, tuple[int, ...]]]] = {
    "mlp": mlp,
    "signal": lambda: (Signal(), (3, 40)),
    "mobile": lambda: (Mobile(), (3, 15, 17)),
}


def written(name: str, folder: Path, opset: int, *, batch: bool = True) -> Path:
    """A net of NETS with seeded weights and statistics, as an ONNX file that still has its BatchNorms."""
    torch.manual_seed(0)
    net, shape = NETS[name]()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    path = folder / f"{name}.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net.eval(), (torch.zeros(1, *shape),), path, opset_version=opset, dynamo=False, do_constant_folding=False,
            input_names=["signal"], output_names=["scores"],
            training=torch.onnx.TrainingMode.PRESERVE,
            dynamic_axes={"signal": {0: "batch"}, "scores": {0: "batch"}} if batch else None,
        )  # fmt: skip
    return path


@pytest.mark.parametrize("opset", [9, 11, 13, 17, 20])
@pytest.mark.parametrize("name", NETS)
def test_net_matches_onnxruntime(name: str, opset: int, tmp_path: Path) -> None:
    compare(written(name, tmp_path, opset), batch=3)


def test_fixed_batch_of_one(tmp_path: Path) -> None:
    compare(written("signal", tmp_path, 17, batch=False), batch=1)


def test_signal_becomes_what_design_says(tmp_path: Path) -> None:
    graph = compare(written("signal", tmp_path, 17))
    assert [(n.op, n.name) for n in graph.nodes] == [
        ("conv2d", "conv1"), ("batch_norm", "norm1"), ("relu", "relu"), ("conv2d", "conv2"), ("sigmoid", "sigmoid"),
        ("max_pool2d", "pool"), ("dense", "head"),
    ]  # fmt: skip
    shapes = {t.name: t.shape for t in graph.of_role(Role.CONST)}
    assert shapes == {
        "conv1_weight": (7, 1, 5, 3), "norm1_gamma": (7,), "norm1_beta": (7,), "norm1_mean": (7,),
        "norm1_inv_std": (7,), "conv2_weight": (6, 1, 3, 7), "conv2_bias": (6,), "head_weight": (4, 54),
        "head_bias": (4,),
    }  # fmt: skip
    assert graph.nodes[0].inputs == ("signal", "conv1_weight", "")
    assert graph.outputs == ("scores",)
    assert str(graph.nodes[-1].origin).endswith("'/head/Gemm' (Gemm)")
    assert set(graph.meta["export"]) == set(shapes) - {"norm1_mean", "norm1_inv_std"}


def test_mobile_folds_padding_and_finds_depthwise(tmp_path: Path) -> None:
    graph = compare(written("mobile", tmp_path, 17))
    assert [n.op for n in graph.nodes] == [
        "conv2d", "batch_norm", "relu", "depthwise_conv2d", "conv2d", "relu", "add", "depthwise_conv2d",
        "avg_pool2d", "avg_pool2d", "dense", "softmax",
    ]  # fmt: skip
    assert graph.nodes[0].attrs["pads"] == (0, 0, 1, 1)
    assert graph.nodes[7].attrs["multiplier"] == 2


def example() -> tuple[Graph, np.ndarray, np.ndarray]:
    with np.load(EXAMPLE / "person9.npz") as archive:
        x, y = archive["x_test"].astype(np.float32), archive["y_test"]
    return load(EXAMPLE / "wearable.onnx"), x, y


def test_example_starts_where_its_readme_says() -> None:
    graph, x, y = example()
    found = run(graph, x)
    np.testing.assert_allclose(found, predict(EXAMPLE / "wearable.onnx", x), rtol=0, atol=1e-4)
    assert round(float((found.argmax(1) == y).mean()), 3) == 0.881
    assert graph.name == "wearable"
    assert [n.name for n in graph.nodes] == ["conv1", "relu1", "conv2", "relu2", "conv3", "relu3", "pool", "classify"]
