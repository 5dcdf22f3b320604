"""What each layer of a model is worth training, measured with a few hundred samples of the user's.

`fisher` is the mean over samples of the sum of squared gradients (the diagonal of the empirical Fisher matrix,
Kirkpatrick et al. 2017): how strongly the loss depends on a layer's weights. `gradient` is the norm of the mean
gradient relative to that of the weights. `gain` trains each layer alone, with the user's own settings, on half of the
samples, and takes by how much the loss on the other half falls.

Weights are those of the float32 model. Where that pays, gradients come out of the model's own C, compiled for this
computer; else out of the numpy reference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
import numpy as np

from edgelearn.boards import load as load_board
from edgelearn.calibrate import pick
from edgelearn.config import TrainConfig
from edgelearn.costs import node_macs
from edgelearn.data import Dataset
from edgelearn.errors import InputError, ToolError
from edgelearn.graph import Graph, Phase, Role
from edgelearn.methods.base import trainable
from edgelearn.native import Native, compile_native
from edgelearn.ops import OPS
from edgelearn.ops.optimizers import Optim
from edgelearn.passes.update import RULES
from edgelearn.plan import make_plan
from edgelearn.reference import Reference
from edgelearn.training import training_graph
from edgelearn.verdict import takes_labels, threshold, verdicts

SAMPLES = 256
WORTH_COMPILING = 500e6  # MACs from which on numpy takes longer than a compiler and its result together
VERSION = 1  # of what a cached result means

Progress = Callable[[int, int], None]
Arrays = dict[str, np.ndarray]


class Layer(msgspec.Struct, frozen=True):
    """One layer. `value` is its importance; for `gain`, `accuracy` is by how much more samples were told right."""

    name: str
    op: str
    weights: int
    value: float
    tensors: tuple[str, ...]
    accuracy: float | None = None


class Importance(msgspec.Struct, frozen=True):
    """The layers in the model's order, and each weight tensor's part of its layer's importance.

    `samples` were looked at, `engine` ("c" or "numpy") computed the gradients, `key` is of all that went into it.
    """

    rank: str
    samples: int
    seed: int
    engine: str
    key: str
    layers: tuple[Layer, ...]
    tensors: dict[str, float]

    def ranked(self) -> list[Layer]:
        """The layers, what is worth most first."""
        return sorted(self.layers, key=lambda layer: -layer.value)


@dataclass(frozen=True)
class Choice:
    """How importance is measured: a name in RANKS, how many samples at most, and the seed that picks them."""

    rank: str = "fisher"
    samples: int = SAMPLES
    seed: int = 0


class _Engine(Protocol):
    def loss(self, x: np.ndarray, target: np.ndarray | int) -> float: ...
    def gradients(self) -> Mapping[str, np.ndarray]: ...
    def output(self) -> np.ndarray: ...
    def load(self, weights: Mapping[str, np.ndarray]) -> None: ...


class _Numpy:
    """Gradients of the last sample, by the reference."""

    name = "numpy"

    def __init__(self, graph: Graph) -> None:
        self.reference = Reference(graph)
        self.names = [t.name for t in graph.of_role(Role.PARAM)]

    def loss(self, x: np.ndarray, target: np.ndarray | int) -> float:
        return self.reference.loss(x, target)

    def output(self) -> np.ndarray:
        return self.reference.values[self.reference.graph.outputs[0]].reshape(-1)

    def gradients(self) -> Arrays:
        values, batch = self.reference.values, self.reference.batch
        self.reference.backward()
        found = {name: values[f"{name}_grad"] * np.float32(batch) for name in self.names}
        for name in self.names:
            values[f"{name}_grad"] = np.zeros_like(values[f"{name}_grad"])
        return found

    def load(self, weights: Mapping[str, np.ndarray]) -> None:
        self.reference.load(weights)


class _C:
    """The same by the model's own C."""

    name = "c"

    def __init__(self, native: Native) -> None:
        self.native = native
        self.buffers = native.views(native.info.state, native.plan.state)

    def loss(self, x: np.ndarray, target: np.ndarray | int) -> float:
        return self.native.loss(x, target)

    def output(self) -> np.ndarray:
        return self.native.output()

    def gradients(self) -> Arrays:
        for buffer in self.buffers.values():
            buffer[...] = 0
        self.native.backward(Optim())
        batch = np.float32(self.native.plan.config.batch)
        return {name.removesuffix("_grad"): buffer * batch for name, buffer in self.buffers.items()}

    def load(self, weights: Mapping[str, np.ndarray]) -> None:
        self.native.load(weights)


@dataclass(frozen=True)
class _Task:
    """What is measured: the model with all gradients, the samples in device layout, and the user's settings."""

    graph: Graph
    engine: _Engine
    config: TrainConfig
    x: np.ndarray
    y: np.ndarray
    layers: Sequence[tuple[str, str, tuple[str, ...]]]
    progress: Progress

    @property
    def labels(self) -> bool:
        return takes_labels(self.graph.meta["loss"])

    @property
    def initial(self) -> Arrays:
        return {t.name: np.asarray(t.data, np.float32) for t in self.graph.of_role(Role.PARAM)}

    def loss(self, k: int) -> float:
        """The loss of one sample; InputError if it is not finite."""
        found = self.engine.loss(self.x[k], self.y[k])
        if not np.isfinite(found):
            raise InputError(f"the loss of training sample {k} is {found}", where="importance of layers")
        return found

    def each_gradient(self) -> Iterator[Mapping[str, np.ndarray]]:
        """The gradients of every sample."""
        for k in range(len(self.x)):
            self.loss(k)
            yield self.engine.gradients()
            self.progress(k + 1, len(self.x))


def _fisher(task: _Task) -> tuple[dict[str, float], dict[str, float]]:
    totals = dict.fromkeys(task.initial, 0.0)
    for gradients in task.each_gradient():
        for name, gradient in gradients.items():
            totals[name] += float(np.square(gradient, dtype=np.float64).sum())
    return {name: total / len(task.x) for name, total in totals.items()}, {}


def _gradient(task: _Task) -> tuple[dict[str, float], dict[str, float]]:
    sums = {name: np.zeros(w.shape) for name, w in task.initial.items()}
    for gradients in task.each_gradient():
        for name, gradient in gradients.items():
            sums[name] += gradient
    squares = {name: float(np.square(total / len(task.x)).sum()) for name, total in sums.items()}
    found: dict[str, float] = {}
    for _, _, names in task.layers:
        norm = np.sqrt(sum(float(np.square(task.initial[n], dtype=np.float64).sum()) for n in names))
        whole = np.sqrt(sum(squares[n] for n in names)) / max(norm, 1e-12)
        found |= _split(float(whole), {n: squares[n] for n in names})
    return found, {}


def _split(whole: float, parts: Mapping[str, float]) -> dict[str, float]:
    """A layer's importance over its tensors, in proportion to `parts`."""
    total = sum(parts.values())
    return {name: whole * (part / total if total else 1 / len(parts)) for name, part in parts.items()}


def _gain(task: _Task) -> tuple[dict[str, float], dict[str, float]]:
    """Even samples train, odd ones judge; a layer's tensors share its gain as they share squared gradients."""
    train, judge = range(0, len(task.x), 2), range(1, len(task.x), 2)
    if not judge:
        raise InputError("a gain needs at least two samples", where="importance of layers")
    order = np.random.default_rng(task.config.seed).permutation(train)
    total = (len(train) + len(judge)) * len(task.layers) + len(judge)
    done, limit = 0, threshold(task.graph)

    def count() -> None:
        nonlocal done
        done += 1
        task.progress(done, total)

    def score() -> tuple[float, float]:
        losses, right = 0.0, 0
        for k in judge:
            losses += task.engine.loss(task.x[k], task.y[k])
            right += task.labels and bool(verdicts(task.engine.output().reshape(1, -1), limit)[0] == task.y[k].item())
            count()
        return losses / len(judge), right / len(judge)

    before, right_before = score()
    found: dict[str, float] = {}
    accuracy: dict[str, float] = {}
    for name, _, tensors in task.layers:
        squares = _train_alone(task, tensors, order, count)
        loss, right = score()
        gain = before - loss if np.isfinite(loss) else -np.inf
        # Training that blows up is worth as little as anything can be, and JSON has no infinity.
        found |= _split(max(gain, -1e9), squares)
        if task.labels:
            accuracy[name] = right - right_before
        task.engine.load({n: task.initial[n] for n in tensors})
    return found, accuracy


def _train_alone(task: _Task, tensors: Sequence[str], order: np.ndarray, count: Callable[[], None]) -> dict[str, float]:
    """One pass over the samples `order` with all weights but `tensors` frozen; the sums of squared gradients."""
    config, rule = task.config, RULES[task.config.rule]
    step = OPS[rule.step].compute
    values = {n: task.initial[n] for n in tensors}
    state = {n: [np.zeros_like(values[n]) for _ in rule.state] for n in tensors}
    squares = dict.fromkeys(tensors, 0.0)
    bias = (1.0, 1.0)
    for at in range(0, len(order), config.batch):
        batch = order[at : at + config.batch]
        sums = {n: np.zeros_like(values[n]) for n in tensors}
        for k in batch:
            count()
            loss = task.engine.loss(task.x[k], task.y[k])
            if not np.isfinite(loss):
                return squares
            gradients = task.engine.gradients()
            for n in tensors:
                sums[n] = sums[n] + gradients[n] / np.float32(len(batch))
                squares[n] += float(np.square(gradients[n], dtype=np.float64).sum())
        bias = bias[0] * config.momentum, bias[1] * config.beta2
        optim = Optim(
            lr=config.lr, momentum=config.momentum, beta2=config.beta2, epsilon=config.epsilon,
            weight_decay=config.weight_decay, clip_norm=config.clip_norm, bias1=1 - bias[0], bias2=1 - bias[1],
        )  # fmt: skip
        OPS["clip_step"].compute(optim, np.array([sum(float(np.square(g).sum()) for g in sums.values())]))
        for n in tensors:
            values[n], *state[n] = (np.asarray(a, np.float32) for a in step(optim, sums[n], values[n], *state[n]))
        task.engine.load(values)
    return squares


RANKS: dict[str, Callable[[_Task], tuple[dict[str, float], dict[str, float]]]] = {
    "fisher": _fisher,
    "gradient": _gradient,
    "gain": _gain,
}


def _settings(config: TrainConfig) -> TrainConfig:
    """Everything trained, with a buffer for each gradient: what batches of more than one have."""
    return TrainConfig(loss=config.loss, batch=2, samples="f32", target="given")


def loss_of(graph: Graph, config: TrainConfig) -> str:
    """The loss that an imported graph is trained with."""
    return str(training_graph(graph, _settings(config), thrifty=False).meta["loss"])


def weight_macs(graph: Graph, config: TrainConfig) -> dict[str, int]:
    """Multiply-accumulates of each weight tensor's gradient for one sample, at least one a weight; where everything
    trains.
    """
    whole = training_graph(graph, _settings(config), thrifty=False)
    found: dict[str, int] = {}
    for node in whole.nodes:
        if node.phase is Phase.BACKWARD:
            for out in node.outputs:
                if out.endswith("_grad"):
                    name = out.removesuffix("_grad")
                    found[name] = found.get(name, 0) + node_macs(whole, node)
    return {name: max(macs, whole.tensors[name].count) for name, macs in found.items()}


def layers_of(graph: Graph) -> list[tuple[str, str, tuple[str, ...]]]:
    """Name, op and weights of every layer that can be trained; weights that layers share belong to the first."""
    found: list[tuple[str, str, tuple[str, ...]]] = []
    taken: set[str] = set()
    for node in graph.nodes:
        names = tuple(n for n in trainable(graph, node) if n not in taken)
        taken |= set(names)
        if names:
            found.append((node.name, node.op, names))
    return found


def _picked(graph: Graph, data: Dataset, choice: Choice) -> tuple[np.ndarray, np.ndarray]:
    chosen = pick(len(data.x_train), choice.samples, choice.seed)
    x, y = data.x_train[chosen], data.y_train[chosen]
    return graph.meta["input"].to_device(x), y if y.ndim == 1 else graph.meta["output"].to_device(y)


def importance_key(graph: Graph, config: TrainConfig, data: Dataset, choice: Choice) -> str:
    """16 hex digits over the model, the samples and the settings that decide the result."""
    digest = hashlib.sha256(repr((VERSION, choice, config.loss, graph.inputs, graph.outputs)).encode())
    if choice.rank == "gain":
        used = ("optimizer", "lr", "momentum", "beta2", "epsilon", "weight_decay", "clip_norm", "batch", "seed")
        digest.update(repr([getattr(config, name) for name in used]).encode())
    for node in graph.nodes:
        digest.update(repr((node.op, node.name, node.inputs, node.outputs, sorted(node.attrs.items()))).encode())
    for tensor in graph.tensors.values():
        digest.update(repr((tensor.name, tensor.shape, tensor.format.name, tensor.quant)).encode())
        if tensor.data is not None:
            digest.update(np.ascontiguousarray(tensor.data).tobytes())
    for array in _picked(graph, data, choice):
        digest.update(repr((array.shape, str(array.dtype))).encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def _engine(graph: Graph, whole: Graph, config: TrainConfig, calls: int) -> _Engine:
    """The C where it pays and a compiler is there."""
    macs = sum(node_macs(whole, node) for node in whole.nodes if node.phase in (Phase.FORWARD, Phase.BACKWARD))
    if macs * calls >= WORTH_COMPILING:
        try:
            return _C(compile_native(make_plan(graph, _settings(config), load_board("host"))))
        except ToolError:
            pass  # no compiler: slower, and the same to the last few bits
    return _Numpy(whole)


def measure(
    graph: Graph, config: TrainConfig, data: Dataset, choice: Choice, progress: Progress = lambda done, total: None
) -> Importance:
    """The importance of every layer of an imported graph; `progress(done, total)` is called as it goes.

    InputError if a loss is not finite, or if nothing of the model can be trained.
    """
    whole = training_graph(graph, _settings(config), thrifty=False)
    x, y = _picked(graph, data, choice)
    layers = [
        (name, op, kept)
        for name, op, tensors in layers_of(graph)
        if (kept := tuple(t for t in tensors if t in whole.tensors and whole.tensors[t].role is Role.PARAM))
    ]
    passes = len(layers) if choice.rank == "gain" else 1
    engine = _engine(graph, whole, config, len(x) * passes)
    seeded = config.with_changes(seed=choice.seed)
    values, accuracy = RANKS[choice.rank](_Task(whole, engine, seeded, x, y, layers, progress))
    return Importance(
        rank=choice.rank,
        samples=len(x),
        seed=choice.seed,
        engine="c" if isinstance(engine, _C) else "numpy",
        key=importance_key(graph, config, data, choice),
        layers=tuple(
            Layer(
                name=name,
                op=op,
                weights=sum(graph.tensors[t].count for t in tensors),
                value=sum(values[t] for t in tensors),
                tensors=tensors,
                accuracy=accuracy.get(name),
            )
            for name, op, tensors in layers
        ),
        tensors=values,
    )
