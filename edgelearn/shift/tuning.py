"""Training of a shift network on a host: SGD with momentum on latents and on what stays float."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgelearn.shift import latents
from edgelearn.shift.network import Network
from edgelearn.verdict import threshold, verdicts

if TYPE_CHECKING:
    from edgelearn.shift.torch_network import TorchNetwork

WEIGHT_DECAY = 1e-4
MOMENTUM = 0.9


@dataclass(frozen=True)
class Settings:
    """How a network is trained: a batch of `batch` samples an update, lr falling along half a cosine to zero."""

    epochs: int = 40
    batch: int = 32
    lr: float = 0.005
    momentum: float = MOMENTUM
    weight_decay: float = WEIGHT_DECAY
    seed: int = 0


@dataclass(frozen=True)
class Shifted:
    """A weight tensor that becomes signed powers of two, times 2^-k."""

    name: str
    bits: int
    k: int = 0


@dataclass(frozen=True)
class Epoch:
    """What one pass over the samples gave: mean loss, share of correct predictions while training, and the share of
    discrete weights that are others than before it.
    """

    number: int
    loss: float
    accuracy: float | None
    changed: float


class Tuning:
    """A network in training: `trained` has float weights, and for shifted ones their latents."""

    def __init__(
        self,
        net: Network | TorchNetwork,
        shifted: Mapping[str, Shifted],
        start: Mapping[str, np.ndarray],
        settings: Settings,
    ) -> None:
        self.net, self.shifted, self.settings = net, dict(shifted), settings
        self.trained = {name: np.array(value) for name, value in start.items()}
        self.velocity = {name: np.zeros_like(value) for name, value in self.trained.items()}
        self.epoch, self.limit = 0, threshold(net.graph)
        self._place()

    @property
    def values(self) -> dict[str, np.ndarray]:
        """Weights and statistics of the network as it is now, in device layout by name."""
        return dict(self.net.values)

    def go_on(self, epochs: int) -> None:
        """Take what `trained` holds as the result of so many epochs."""
        self.epoch = epochs
        self._place()

    def run(self, x: np.ndarray, y: np.ndarray, progress: Callable[[int, int], None] | None = None) -> Epoch:
        """One epoch over samples (N, *shape) in device layout and their targets."""
        before = {name: latents.discrete(self.trained[name]) for name in self.shifted}
        order = np.random.default_rng((self.settings.seed, self.epoch)).permutation(len(x))
        size = self.settings.batch
        updates = math.ceil(len(x) / size)
        loss, correct, seen = 0.0, 0, 0
        for k in range(updates):
            some = order[k * size : (k + 1) * size]
            if len(some) == 1 and updates > 1 and self.net.live:
                continue  # a norm over one sample has no variance
            seen += len(some)
            predicted, losses = self.net.learn(x[some], y[some])
            loss += float(losses.sum())
            if y.dtype.kind in "iu":
                correct += int((verdicts(predicted.reshape(len(some), -1), self.limit) == y[some]).sum())
            self._update(self.epoch * updates + k, self.settings.epochs * updates)
            if progress:
                progress(self.epoch * updates + k + 1, self.settings.epochs * updates)
        self.epoch += 1
        accuracy = correct / seen if y.dtype.kind in "iu" else None
        return Epoch(self.epoch, loss / seen, accuracy, self._changed(before))

    def _changed(self, before: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> float:
        total = sum(sign.size for sign, _ in before.values())
        moved = 0
        for name, (sign, exponent) in before.items():
            now = latents.discrete(self.trained[name])
            moved += int(((now[0] != sign) | (now[1] != exponent)).sum())
        return moved / total if total else 0.0

    def _update(self, step: int, steps: int) -> None:
        lr = np.float32(self.settings.lr * (1 + math.cos(math.pi * step / steps)) / 2)
        for name, grad in self.net.grads.items():
            if name not in self.trained:
                continue
            value = self.trained[name]
            if name in self.shifted:
                grad = latents.gradient(value, np.ldexp(grad, -self.shifted[name].k))
            velocity = self.velocity[name]
            with np.errstate(over="ignore", invalid="ignore"):  # the next loss says so
                velocity *= np.float32(self.settings.momentum)
                velocity += grad + np.float32(self.settings.weight_decay) * value
                value -= lr * velocity
        self._place()

    def _place(self) -> None:
        """The weights that the latents stand for, into the network."""
        for name, value in self.trained.items():
            shifted = self.shifted.get(name)
            self.net.values[name] = value if shifted is None else latents.weights_of(value, shifted.k)
