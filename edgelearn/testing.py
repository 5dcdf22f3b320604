"""Models on emulated boards for test suites: images that are built once, boards that answer, whole runs.

This is what the pytest fixtures hand out (`edgelearn.pytest_plugin`, docs/PYTEST.md); it works without pytest too.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from edgelearn.build import Image, build_image, find_compiler, find_emulator
from edgelearn.build.image import Flash, Ram
from edgelearn.build.verify import verify_image
from edgelearn.cli.files import make_folder, write_arrays, write_text
from edgelearn.config import TrainConfig
from edgelearn.errors import ToolError, UsageError, nearest
from edgelearn.export import export_model
from edgelearn.link import Own
from edgelearn.plan import Plan
from edgelearn.scores import Score, score
from edgelearn.session import Samples, encode, hyper_of, trained_tensors
from edgelearn.share import firmware_dir
from edgelearn.verdict import takes_labels
from edgelearn.wire import NO_LABEL, Op, Source

if TYPE_CHECKING:
    from edgelearn.cli.settings import Job
    from edgelearn.data import Dataset
    from edgelearn.wire import Result, Status

JOB_SETTINGS = ("project", "data", "board", "carrier", "ram", "flash", "small", "sensor")
READY = "ready.json"

Data = str | Path | Mapping[str, np.ndarray]


@dataclass(frozen=True)
class RunResult:
    """What a run came to. Bytes are the plan's and the linker's; `insn` or `cycles` are for one training sample."""

    before: Score
    after: Score
    losses: tuple[float, ...]  # of the training samples, in order
    steps: int
    samples: int
    ram: int
    flash: int
    stack_used: int
    insn: int | None
    cycles: int | None
    exported: Path  # the user's model with trained weights
    exported_accuracy: float | None  # in the file's own runtime, where that is installed
    folder: Path  # metrics.jsonl, report.html and all else that `edgelearn run` writes
    figures: Mapping[str, Any]  # summary.json

    @property
    def accuracy(self) -> float | None:
        """On held-out samples, after training; None without labels."""
        return self.after.accuracy

    @property
    def loss(self) -> float:
        """On held-out samples, after training."""
        return self.after.loss


class RunningBoard:
    """A board that has booted a model's image. Arrays are in the user's own layout, (N, *shape); a context manager.

    `plan` and `image` say what is on it, `ram` and `flash` how many bytes that takes.
    """

    def __init__(self, job: Job, plan: Plan, image: Image, *, count: bool = False) -> None:
        from edgelearn.device import open_device
        from edgelearn.link import Link

        self.job, self.plan, self.image = job, plan, image
        self.ram, self.flash = plan.ram, image.flash.total
        self.spent: list[int] = []  # insn or cycles of each sample of the last call, where `count` was asked for
        self.link = Link(open_device(image, count_instructions=count))
        self.link.hello(plan.hash)
        self.link.configure(hyper_of(plan.config, 1))
        self.labels = takes_labels(plan.graph.meta["loss"])

    def infer(self, x: np.ndarray) -> np.ndarray:
        """Predictions for samples."""
        samples = self._encode(x, None)
        found = np.stack([self.link.infer(sample) for sample, _ in samples.wire])
        return np.asarray(self.plan.graph.meta["output"].to_user(found))

    def evaluate(self, x: np.ndarray, y: np.ndarray) -> Score:
        """Loss, and accuracy where there are labels; nothing changes on the board."""
        samples = self._encode(x, y)
        results = list(self.link.evaluate_many(samples.wire))
        self.spent = [r.spent for r in results]
        labels = samples.y[:, 0] if self.labels else None
        return score([r.loss for r in results], [r.correct for r in results], labels, {})

    def train(self, x: np.ndarray, y: np.ndarray, epochs: int = 1) -> list[float]:
        """Train on samples in the order given, and on an incomplete batch at an epoch's end; the loss of each."""
        samples = self._encode(x, y)
        self.link.configure(hyper_of(self.plan.config.with_changes(epochs=epochs), len(samples)))
        losses, self.spent = [], []
        for _ in range(epochs):
            for result in self.link.train_many(samples.wire):
                losses.append(result.loss)
                self.spent.append(result.spent)
            if len(samples) % self.plan.config.batch:
                self.link.flush()
        return losses

    def sense(self, count: int = 1, label: int | None = None, *, learn: bool = True) -> list[Result]:
        """The next samples of the board's sensor: loss, prediction and more of each. BoardFailed if it has none now.

        Without a `label` the board says it; without `learn` they are evaluated and nothing changes.
        """
        op = Op.TRAIN if learn else Op.EVAL
        results = list(self.link.run_many(op, [Own(Source.SENSOR, NO_LABEL if label is None else label)] * count))
        self.spent = [r.spent for r in results]
        return results

    def weights(self) -> dict[str, np.ndarray]:
        """The trained weights as they are now, float32, by the tensor names of the imported model."""
        return trained_tensors(self.plan, self.link.read("params"))

    def export(self, path: str | Path, x: np.ndarray | None = None) -> Path:
        """Write the user's model with the weights as they are now; `x` measures new ranges for a quantised one."""
        export_model(self.job.model, self.plan.imported, self.weights(), path, x)
        return Path(path)

    def status(self) -> Status:
        """Counters, running means, the stack's high-water mark, and the state of the link."""
        return self.link.status()

    def close(self) -> None:
        """End the emulator."""
        self.link.close()

    def _encode(self, x: np.ndarray, y: np.ndarray | None) -> Samples:
        inputs, outputs = self.plan.graph.meta["input"], self.plan.graph.meta["output"]
        x = np.asarray(x, np.float32)
        if x.shape[1:] != inputs.user_shape:
            raise UsageError(f"samples have shape {x.shape[1:]}, the model takes {inputs.user_shape}")
        if y is None:
            y = np.zeros(len(x), int) if self.labels else np.zeros((len(x), *outputs.user_shape), np.float32)
            return encode(self.plan, x, x if self.plan.own_target else y)
        return encode(self.plan, x, np.asarray(y))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Workshop:
    """Plans, builds, boots and trains. Images are kept in `folder` by the hash of all that goes into them.

    Several processes may share the folder: one builds, the others wait for it.
    """

    def __init__(
        self, folder: Path, board: str | None = None, *, on_missing: Callable[[ToolError], object] | None = None
    ) -> None:
        """`board` is taken where nobody names one; `on_missing` may do something else than fail without a tool."""
        self.folder, self.default_board, self.on_missing = folder, board, on_missing

    def board(self, model: str | Path | None = None, *, count: bool = False, **settings: Any) -> RunningBoard:
        """A model's image, booted. `settings` are those of TrainConfig, and project, data, board, carrier, ram, flash;
        `sensor` is the path of a C file with el_port_sample.

        `count` makes the emulator count instructions, which is slower. UsageError for a setting that does not exist.
        """
        from edgelearn.cli.pipeline import plan_job

        job = self._job(model, settings)
        plan = plan_job(job)
        return RunningBoard(job, plan, self.image(job, plan), count=count)

    def run(
        self,
        model: str | Path | None = None,
        data: Data | None = None,
        *,
        folder: Path,
        count: bool = True,
        **settings: Any,
    ) -> RunResult:
        """A whole run as `edgelearn run` does it: evaluated, trained, checked against the reference, exported.

        `data` is an archive, or its arrays by name; `folder` gets the files of the run. NumbersError if the board's
        numbers are not the reference's.
        """
        from edgelearn.cli.pipeline import load_data, plan_job
        from edgelearn.cli.training import finish, save, train

        if isinstance(data, Mapping):
            write_arrays(folder / "data.npz", data)
            data = folder / "data.npz"
        job = self._job(model, {**settings, **({"data": str(data)} if data is not None else {})})
        plan = plan_job(job)
        samples: Dataset = load_data(job, plan)
        image = self.image(job, plan)
        run = train(job, plan, image, samples, folder, count=count and plan.board.emulated, restore=False)
        save(job, run, samples, folder)
        finish(run, folder)
        outcome = run.outcome
        assert outcome.before is not None
        assert outcome.after is not None
        counted = {plan.board.unit: outcome.spent_per_sample}
        return RunResult(
            before=outcome.before,
            after=outcome.after,
            losses=tuple(e["loss"] for e in run.events if e["event"] == "step"),
            steps=outcome.steps,
            samples=outcome.samples,
            ram=plan.ram,
            flash=image.flash.total,
            stack_used=outcome.stack_used,
            insn=counted.get("insn"),
            cycles=counted.get("cycles"),
            exported=folder / f"trained{job.model.suffix}",
            exported_accuracy=run.exported.accuracy if run.exported else None,
            folder=folder,
            figures=run.figures,
        )

    def image(self, job: Job, plan: Plan) -> Image:
        """The plan's image, built if it is not there yet; ToolError if there is no compiler."""
        from edgelearn.cli.building import program, sensor_errors

        beside = self.folder / "image"  # folders of images lie as deep
        sources, carrier = program(job, plan, beside), job.carrier or plan.board.carrier
        parts = [repr(plan.board), carrier, find_compiler(plan.board).version, _firmware()]
        parts += [*map(str, sources.kernels), *(text for pair in sorted(sources.files.items()) for text in pair)]
        key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]
        place = make_folder(self.folder / f"{plan.graph.name[:40]}-{plan.board.id}-{key}".replace("/", "_"))
        with _locked(place / "lock"):
            if (place / READY).is_file():
                return _read_image(place, plan)
            kernels = list(sources.kernels)
            with sensor_errors(job, beside):
                image = build_image(sources.files, plan.board, place, carrier=carrier, kernel_sources=kernels)
            verify_image(plan, image)
            kept = {k: v for k, v in asdict(image).items() if k not in ("elf", "board")}
            write_text(place / READY, json.dumps(kept))
            return image

    def _job(self, model: str | Path | None, settings: Mapping[str, Any]) -> Job:
        from edgelearn.cli.settings import make_job

        known = (*JOB_SETTINGS, *TrainConfig.__struct_fields__)
        for name in settings:
            if name not in known:
                near = nearest(name, known)
                raise UsageError(
                    f"there is no setting '{name}'",
                    hint=f"did you mean {near}?" if near else f"settings are {', '.join(known)}",
                )
        flags = {k: str(v) if isinstance(v, Path) else v for k, v in settings.items()}
        flags["model"] = str(model) if model is not None else None
        flags["sensor_file"] = flags.pop("sensor", None)
        if isinstance(flags["sensor_file"], bool):
            raise UsageError("sensor is a C file with el_port_sample", hint="sensor='sensor.c', beside the test")
        if flags.get("board") is None and not flags.get("project"):
            flags["board"] = self.default_board
        job = make_job(flags)
        try:
            find_compiler(job.board)
            if job.board.emulated:
                find_emulator(job.board)
        except ToolError as error:
            if self.on_missing is not None:
                self.on_missing(error)
            raise
        return job


def _read_image(place: Path, plan: Plan) -> Image:
    kept = json.loads((place / READY).read_text(encoding="utf-8"))
    kept |= {"ram": Ram(**kept["ram"]), "flash": Flash(**kept["flash"])}
    return Image(elf=place.resolve() / "image.elf", board=plan.board, **kept)


@cache
def _firmware() -> str:
    """A hash of all C that images share."""
    files = sorted(path for path in firmware_dir().rglob("*") if path.is_file())
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time; the others wait. A process that dies lets go."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
