"""What `edgelearn shift` does, step by step."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgelearn.cli.files import make_folder, write_arrays
from edgelearn.cli.output import say
from edgelearn.cli.progress import Progress
from edgelearn.errors import InputError, ToolError, UsageError

if TYPE_CHECKING:
    from edgelearn.data import Dataset
    from edgelearn.graph import Graph, Node
    from edgelearn.shift.choose import Start
    from edgelearn.shift.network import Network
    from edgelearn.shift.torch_network import TorchNetwork
    from edgelearn.shift.tuning import Epoch, Settings

LOST = 0.02  # of accuracy, or as a share of the loss: worth a word


@dataclass(frozen=True)
class Layer:
    """A layer that was shifted: the bytes of its weights in float and in `bits` bits, and k of 2^(S - k)."""

    name: str
    op: str
    weights: int
    bits: int
    k: int
    float_bytes: int
    bytes: int


class Shifting:
    """A model on its way to shifts."""

    def __init__(
        self, source: Path, graph: Graph, data: Dataset, nodes: list[Node], start: Start, settings: Settings,
        backend: str, out: Path, key: str,
    ) -> None:  # fmt: skip
        from edgelearn.shift.files import epsilons
        from edgelearn.shift.norms import EPSILON, revive, unfused
        from edgelearn.shift.tuning import Tuning

        self.source, self.graph, self.data, self.nodes = source, graph, data, nodes
        self.settings, self.out, self.key = settings, out, key
        self.x = graph.meta["input"].to_device(data.x_train)
        self.live = epsilons(source, graph)
        others = unfused(graph, self.live)
        self.start = start = revive(start, others, self.x)
        self.live |= {node.inputs[3]: EPSILON for node in others}
        self.backend, net = _network(backend, start.graph, self.live)
        self.float_score = self._score(_predict(net, graph.meta["input"].to_device(data.x_test)))
        self.tuning = Tuning(net, start.shifted, start.values, settings)
        self.history: list[Epoch] = []
        self.epochs_run = 0

    @property
    def unfinished(self) -> Path:
        """Where an interrupted call leaves what it has."""
        return self.out.with_name(f"{self.out.name}.unfinished.npz")

    def resume(self) -> None:
        """Go on where an interrupted call stopped, if there was one; UsageError if it was another one."""
        from edgelearn.shift.resume import restore

        if not self.unfinished.exists():
            return
        found = restore(self.unfinished, self.tuning, self.key)
        if found is None:
            raise UsageError(
                "this was left by a call with another model, samples or flags, which would lose it",
                where=str(self.unfinished), hint="--fresh begins anew in its place, --out FILE beside it",
            )  # fmt: skip
        self.history = found
        if self.history:
            say(f"went on behind epoch {len(self.history)} of {self.settings.epochs}, from {self.unfinished}")

    def tune(self) -> None:
        """Train what is left of the epochs; each is kept beside the output until the whole is done."""
        from edgelearn.shift.resume import held

        statistics = [name for n in self.graph.nodes if n.op == "batch_norm" for name in n.inputs[3:]]
        make_folder(self.out.parent)
        with self._kept(), Progress("tuning") as progress:
            while self.tuning.epoch < self.settings.epochs:
                epoch = self.tuning.run(self.x, self._targets("train"), progress)
                if not np.isfinite(epoch.loss):
                    raise InputError(
                        f"the loss is not finite any more in epoch {epoch.number}",
                        where="--lr", hint=f"a smaller learning rate, such as --lr {self.settings.lr / 4:g}",
                    )  # fmt: skip
                self.history.append(epoch)
                self.epochs_run += 1
                write_arrays(self.unfinished, held(self.tuning, statistics, self.history, self.key))

    @contextlib.contextmanager
    def _kept(self) -> Iterator[None]:
        """Say what is left of an interrupted call."""
        try:
            yield
        except KeyboardInterrupt:
            if self.history:
                say(f"kept {epochs(len(self.history))} in {self.unfinished}; the same command goes on")
            raise

    def write(self) -> None:
        """The user's file with the new weights; what was kept for a later call goes."""
        from edgelearn.shift.files import write

        write(self.source, self.graph, self.tuning.values, self.start.shifted, self.live, self.out)
        self.unfinished.unlink(missing_ok=True)

    def layers(self) -> list[Layer]:
        """What was shifted."""
        found = []
        for node in self.nodes:
            s = self.start.shifted[node.inputs[1]]
            weights = self.graph.tensors[s.name].count
            found.append(Layer(node.name, node.op, weights, s.bits, s.k, 4 * weights, -(-weights * s.bits // 8)))
        return found

    def verdict(self) -> list[str]:
        """What became of accuracy and of flash."""
        before, after = self.float_score, self.score()
        name = "loss" if self.data.y_test.dtype.kind == "f" else "accuracy"
        layers = self.layers()
        wide, small = sum(layer.float_bytes for layer in layers), sum(layer.bytes for layer in layers)
        lines = [
            f"{name} on {len(self.data.x_test):,} held-out samples: {before:.3f} as float, {after:.3f} now",
            f"flash of these weights: {wide:,} bytes as float, {small:,} now",
        ]
        if after > before * (1 + LOST) if name == "loss" else after < before - LOST:
            lines.append(f"to lose less, try --lr {self.settings.lr / 4:g}, more epochs or more bits")
        return lines

    def summary(self) -> dict[str, Any]:
        """The same for a program."""
        return {
            "file": str(self.out),
            "backend": self.backend,
            "before": self.float_score,
            "after": self.score(),
            "samples": len(self.data.x_test),
            "layers": [asdict(layer) for layer in self.layers()],
            "epochs": [asdict(epoch) for epoch in self.history],
        }

    def score(self) -> float:
        """Accuracy, or loss where there are no labels, on held-out samples."""
        return self._score(_predict(self.tuning.net, self.graph.meta["input"].to_device(self.data.x_test)))

    def _targets(self, part: str) -> np.ndarray:
        y = self.data.y_train if part == "train" else self.data.y_test
        return y if y.dtype.kind in "iu" else self.graph.meta["output"].to_device(y)

    def _score(self, predicted: np.ndarray) -> float:
        from edgelearn.verdict import threshold, verdicts

        y = self._targets("test")
        if y.dtype.kind in "iu":
            return float((verdicts(predicted, threshold(self.graph)) == y).mean())
        return float(np.square(predicted - y.reshape(len(y), -1)).mean())


def make_shifting(flags: dict[str, Any]) -> Shifting:
    """The work that flags ask for, resumed where an earlier call left it; UsageError without data or a model."""
    from edgelearn.cli.pipeline import read_data
    from edgelearn.cli.settings import make_job
    from edgelearn.importers import load
    from edgelearn.passes.dequantize import is_quantized
    from edgelearn.passes.differentiate import choose_loss
    from edgelearn.shift.choose import can_shift, pick, start
    from edgelearn.shift.tuning import Settings

    job = make_job({name: flags[name] for name in ("model", "data", "project")})
    if job.data is None:
        raise UsageError("weights are tuned with samples, and none are given", hint="--data samples.npz")
    if job.model.suffix.lower() != ".onnx":
        raise InputError("only ONNX files can be shifted", where=str(job.model))
    graph = load(job.model)
    if is_quantized(graph):
        raise InputError(
            "the weights of an int8 model are integers already", where=str(job.model),
            hint="shift the float model that it was made of",
        )  # fmt: skip
    loss = choose_loss(graph, job.config.loss)
    data = read_data(job.data, graph, loss)
    if not 0 < flags["lr"] < float("inf"):
        raise UsageError(f"a learning rate of {flags['lr']} is no positive number", where="--lr")
    _check_out(Path(flags["out"]), job.model, job.data)
    settings = Settings(flags["epochs"], flags["batch"], flags["lr"], seed=flags["seed"])
    nodes = pick(graph, [name.strip() for name in (flags["layers"] or "").split(",") if name.strip()])
    others = [n.name for n in can_shift(graph) if n not in nodes and n.inputs[1] in graph.meta.get("shift", {})]
    if others:
        say(f"warning: shifts until now, floats from now on: {', '.join(others)}; --layers names what shifts")
    random = np.random.default_rng(flags["seed"])
    made = start(graph, nodes, flags["bits"], random, fresh=flags["init"] == "random", loss=loss)
    key = _key([job.model, job.data], {**asdict(settings), **{k: flags[k] for k in ("bits", "layers", "init")}})
    if flags["batch"] == 1 and any(node.op == "batch_norm" for node in graph.nodes):
        raise UsageError("a norm over one sample has no variance", where="--batch 1", hint="--batch 2 or more")
    work = Shifting(job.model, graph, data, nodes, made, settings, flags["backend"], Path(flags["out"]), key)
    if not flags["fresh"]:
        work.resume()
    return work


def epochs(count: int) -> str:
    """So many epochs, in words."""
    return f"{count:,} epoch" + ("" if count == 1 else "s")


def _check_out(out: Path, *read: Path) -> None:
    where = f"--out {out}"
    if out.is_dir():
        raise UsageError("this is a folder, not a file to write", where=where)
    if out.resolve() in [path.resolve() for path in read]:
        raise UsageError("this is a file that is read, not one to write", where=where)
    if out.suffix.lower() != ".onnx":
        raise UsageError("what is written is an ONNX file", where=where, hint=f"--out {out.with_suffix('.onnx')}")


def _predict(net: Network | TorchNetwork, x: np.ndarray, size: int = 256) -> np.ndarray:
    found = [net.forward(x[k : k + size]) for k in range(0, len(x), size)]
    return np.concatenate([part.reshape(len(part), -1) for part in found])


def _network(backend: str, graph: Graph, live: dict[str, float]) -> tuple[str, Network | TorchNetwork]:
    """Who computes: torch where it is there and knows all layers, unless numpy is asked for."""
    from edgelearn.shift.network import Network

    if backend != "numpy":
        try:
            from edgelearn.shift.torch_network import TorchNetwork

            return "torch", TorchNetwork(graph, live)
        except (ToolError, InputError):
            if backend == "torch":
                raise
    return "numpy", Network(graph, live)


def _key(files: Iterable[Path], settings: dict[str, Any]) -> str:
    parts = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    return hashlib.sha256(json.dumps([parts, settings], sort_keys=True).encode()).hexdigest()[:16]
