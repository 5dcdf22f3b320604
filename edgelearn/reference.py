"""Runs a training graph in numpy: the truth that every kernel and every board is held against.

In float64 it is the oracle for finite differences; in float32 it takes the device's own steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from edgelearn.formats import F32
from edgelearn.graph import Graph, Node, Phase, Role
from edgelearn.ops import OPS, Kind
from edgelearn.ops.optimizers import Optim
from edgelearn.ops.scaling import SCALE, SKIPPED


def run_node(node: Node, values: dict[str, np.ndarray], optim: Optim) -> None:
    """Run one node on named arrays, in place of the kernel."""
    op = OPS[node.op]
    inputs = [values[name] if name else None for name in node.inputs]
    if op.kind is Kind.STEP:
        scalars = op.scalars(node.attrs).values()
        outputs = op.compute(optim, *scalars, *inputs, *(values[name] for name in node.outputs))
    else:
        outputs = op.compute(node.attrs, *inputs)
    for name, value in zip(node.outputs, outputs, strict=False):
        if op.kind is Kind.ACCUMULATE:
            scale = -optim.lr if node.attrs["scale"] == "-lr" else node.attrs["scale"]
            value = _accumulated(values[name], scale, value)
        values[name] = value


def _accumulated(held: np.ndarray, scale: float, value: np.ndarray) -> np.ndarray:
    """What an output held plus scale * value; halves are summed in float32."""
    if held.dtype == np.float16:
        wide = _accumulated(held.astype(np.float32), scale, value)
        with np.errstate(over="ignore"):
            return wide.astype(np.float16)
    return np.asarray(held + held.dtype.type(scale) * value.reshape(held.shape))


def evaluate(graph: Graph, sample: np.ndarray, dtype: type = np.float64) -> np.ndarray:
    """The output of a graph for one sample in device layout."""
    return Reference(graph, dtype).forward(sample)


@dataclass
class StepResult:
    """What training on one sample gave."""

    loss: float
    output: np.ndarray
    updated: bool


class Reference:
    """A graph with its weights and optimizer state, as arrays of `dtype`.

    Follows the device's order exactly: forward, loss, backward; after `batch` samples the update.
    `settings(step)` gives the Optim of an update; default a constant one.
    """

    def __init__(self, graph: Graph, dtype: type = np.float32, settings: Callable[[int], Optim] | None = None) -> None:
        self.graph, self.dtype = graph, dtype
        self.settings = settings or (lambda step: Optim())
        self.values: dict[str, np.ndarray] = {}
        self.step = 0
        self._seen = 0
        self._bias = (1.0, 1.0)
        for tensor in graph.tensors.values():
            kind = dtype if tensor.format is F32 else tensor.format.dtype
            if tensor.data is not None:
                self.values[tensor.name] = tensor.data.astype(kind)
            elif tensor.role in (Role.STATE, Role.GRAD):
                self.values[tensor.name] = np.zeros(tensor.shape, kind)

    @property
    def batch(self) -> int:
        return int(self.graph.meta.get("batch", 1))

    @property
    def scaling(self) -> np.ndarray | None:
        """The loss scale and what belongs to it (ops.scaling); None where gradients are not halves."""
        name = self.graph.meta.get("scaling")
        return self.values[name] if name else None

    def _run(self, phase: Phase, optim: Optim, *, prefix: bool | None = None) -> None:
        """The nodes of a phase; with `prefix` only those that stand in front of the cut, or only the others."""
        front = self.graph.meta.get("prefix", ())
        for node in self.graph.nodes:
            if node.phase is phase and prefix in (None, node.name in front):
                run_node(node, self.values, optim)

    def _set(self, name: str, value: np.ndarray | int) -> None:
        tensor = self.graph.tensors[name]
        kind = self.dtype if tensor.format is F32 else tensor.format.dtype
        self.values[name] = np.asarray(value, kind).reshape(tensor.shape)

    def forward(self, sample: np.ndarray) -> np.ndarray:
        """The prediction for one sample in device layout."""
        self._set(self.graph.inputs[0], sample)
        self._run(Phase.FORWARD, Optim())
        return self.values[self.graph.outputs[0]]

    def latents(self, sample: np.ndarray) -> dict[str, np.ndarray]:
        """What crosses the cut for one sample: the tensors of meta["cut"]."""
        self._set(self.graph.inputs[0], sample)
        self._run(Phase.FORWARD, Optim(), prefix=True)
        return {name: self.values[name] for name in self.graph.meta["cut"]}

    def _loss(self, target: np.ndarray | int) -> float:
        for name in self.graph.inputs[1:]:
            self._set(name, target)
        self._run(Phase.LOSS, Optim())
        return float(self.values[str(self.graph.meta["loss_tensor"])][0])

    def loss(self, sample: np.ndarray, target: np.ndarray | int) -> float:
        """The loss of one sample."""
        self.forward(sample)
        return self._loss(target)

    def backward(self) -> None:
        """The backward pass of the sample whose loss was taken."""
        self._run(Phase.BACKWARD, self.settings(self.step))

    def train(self, sample: np.ndarray, target: np.ndarray | int) -> StepResult:
        """One sample of training; a loss that is not finite changes nothing."""
        return self._learn(self.loss(sample, target))

    def head(self, latents: Mapping[str, np.ndarray]) -> np.ndarray:
        """The prediction for what had crossed the cut for some sample."""
        for name, value in latents.items():
            self._set(name, value)
        self._run(Phase.FORWARD, Optim(), prefix=False)
        return self.values[self.graph.outputs[0]]

    def replay(self, latents: Mapping[str, np.ndarray], target: np.ndarray | int) -> StepResult:
        """Train on what had crossed the cut for some sample."""
        self.head(latents)
        return self._learn(self._loss(target))

    def _learn(self, loss: float) -> StepResult:
        output = self.values[self.graph.outputs[0]].copy()
        if not math.isfinite(loss):
            return StepResult(loss, output, False)
        optim = self.settings(self.step)
        self._run(Phase.BACKWARD, optim)
        self._seen += 1
        return StepResult(loss, output, self._seen >= self.batch and self.flush())

    def flush(self) -> bool:
        """Update with the samples of an incomplete batch; nothing if there are none, or if a gradient in half precision
        is not finite. Whether weights changed.
        """
        if not self._seen:
            return False
        optim = self.settings(self.step)
        self._seen = 0
        bias = (self._bias[0] * optim.momentum, self._bias[1] * optim.beta2)
        optim.bias1, optim.bias2 = 1 - bias[0], 1 - bias[1]
        before = self.scaling
        if before is not None:
            optim.grad_scale = 1 / float(before[SCALE])
        self._run(Phase.UPDATE, optim)
        after = self.scaling
        if before is not None and after is not None and after[SKIPPED] != before[SKIPPED]:
            return False
        self._bias = bias
        self.step += 1
        return True

    def resume(self, values: Mapping[str, np.ndarray], step: int, seen: int, bias: tuple[float, float]) -> None:
        """Go on where a board is: its weights and state by name, its counters, Adam's beta1^step and beta2^step."""
        self.load(values)
        self.step, self._seen, self._bias = step, seen, bias

    def fit(self, samples: Iterable[tuple[np.ndarray, np.ndarray | int]]) -> list[float]:
        """Train on samples in order; gives their losses."""
        return [self.train(x, t).loss for x, t in samples]

    def weights(self) -> dict[str, np.ndarray]:
        """The trained weights by name."""
        return {t.name: self.values[t.name] for t in self.graph.of_role(Role.PARAM)}

    def load(self, weights: Mapping[str, np.ndarray]) -> None:
        """Replace weights by name."""
        for name, value in weights.items():
            own = self.values[name]
            self.values[name] = np.asarray(value, np.float16 if own.dtype == np.float16 else self.dtype).reshape(
                own.shape
            )
