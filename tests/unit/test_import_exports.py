"""Ordinary networks as torch's newer exporter writes them before it folds anything, against onnxruntime."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.import_models import compare

torch = pytest.importorskip("torch")
nn = torch.nn


class Excite(nn.Module):  # type: ignore[name-defined,misc]
    """Squeeze and excitation, with SiLU as in EfficientNet."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, channels // 2, 1), nn.Conv2d(channels // 2, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate = nn.functional.silu(self.down(nn.functional.adaptive_avg_pool2d(x, 1)))
        return x * torch.sigmoid(self.up(gate))


class Recurrent(nn.Module):  # type: ignore[name-defined,misc]
    """A convolution, a GRU over its steps, and the last state."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.gru, self.head = nn.Conv1d(3, 8, 3), nn.GRU(8, 6, batch_first=True), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.gru(self.conv(x).permute(0, 2, 1))[0][:, -1])


IMAGE, SIGNAL = (3, 9, 9), (3, 24)
# The network, its sample, and device ops that must be among its own.
NETS: dict[str, tuple[Callable[[], torch.nn.Module], tuple[int, ...], set[str]]] = {
    "efficient": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, bias=False), nn.BatchNorm2d(8), nn.SiLU(), Excite(8), nn.AdaptiveAvgPool2d(1),
            nn.Flatten(), nn.Linear(8, 3),
        ),
        IMAGE, {"silu", "batch_norm", "mul"},
    ),
    "mixer": (
        lambda: nn.Sequential(nn.Linear(24, 16), nn.LayerNorm(16), nn.GELU(), nn.Flatten(), nn.BatchNorm1d(48),
                              nn.Linear(48, 3), nn.LogSoftmax(1)),
        SIGNAL, {"gelu", "layer_norm", "batch_norm"},
    ),
    "bent": (
        lambda: nn.Sequential(nn.Conv1d(3, 8, 3), nn.GELU("tanh"), nn.Conv1d(8, 8, 3), nn.Softplus(), nn.Flatten(),
                              nn.Linear(160, 3)),
        SIGNAL, {"gelu_tanh", "softplus"},
    ),
    "flattened_map": (
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU6(), nn.Flatten(), nn.BatchNorm1d(196), nn.Linear(196, 3)),
        IMAGE, {"batch_norm"},
    ),
    "groups": (
        lambda: nn.Sequential(nn.Conv1d(3, 8, 3), nn.GroupNorm(4, 8), nn.ELU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(),
                              nn.Linear(8, 3)),
        SIGNAL, {"elu", "max_pool2d"},
    ),
    "weights_of_unit_length": (
        lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv1d(3, 4, 3)), nn.SELU(), nn.Flatten(),
                              nn.Linear(88, 3)),
        SIGNAL, {"elu"},
    ),
    "recurrent": (Recurrent, SIGNAL, {"gru"}),
}  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_an_export_is_onnxruntimes(name: str, tmp_path: Path) -> None:
    make, shape, ops = NETS[name]
    torch.manual_seed(1)
    net, path = make().eval(), tmp_path / "net.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sample = (torch.zeros(1, *shape),)
        torch.onnx.export(net, sample, path, dynamo=True, optimize=False, opset_version=18, external_data=False)
    assert ops <= {node.op for node in compare(path, batch=1).nodes}
