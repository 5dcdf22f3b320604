"""How far two sets of arrays are apart, relative to the largest value of each tensor."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgelearn.config import TrainConfig
from edgelearn.ops.optimizers import Optim


def apart(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray], floor: float = 1e-3) -> tuple[float, str]:
    """The largest |a - b| / (max |b| + floor) over all tensors, and the tensor."""
    assert a.keys() == b.keys()
    worst = (0.0, "")
    for name, value in a.items():
        scale = float(np.abs(b[name]).max()) + floor
        error = float(np.abs(np.asarray(value, np.float64) - b[name].reshape(value.shape)).max()) / scale
        worst = max(worst, (error, name))
    return worst


def optim(config: TrainConfig) -> Optim:
    """The settings of an update with a constant learning rate."""
    return Optim(
        lr=config.lr, momentum=config.momentum, beta2=config.beta2, epsilon=config.epsilon,
        weight_decay=config.weight_decay, clip_norm=config.clip_norm,
    )  # fmt: skip
