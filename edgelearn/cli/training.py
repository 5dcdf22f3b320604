"""A training run at the terminal: events become metrics.jsonl, live progress, and at the end the files of the run."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgelearn.cli.files import make_folder, write_arrays, write_bytes, write_text
from edgelearn.cli.live import make_display
from edgelearn.cli.measure import export_samples, measure
from edgelearn.cli.output import Timer, say
from edgelearn.cli.pipeline import compare_prefix
from edgelearn.errors import EdgelearnError, InputError, NumbersError, ToolError

if TYPE_CHECKING:
    from edgelearn.build.image import Image
    from edgelearn.cli.sensing import Sensing
    from edgelearn.cli.settings import Job
    from edgelearn.cut import Cut
    from edgelearn.data import Dataset
    from edgelearn.export.score import FileScore
    from edgelearn.link import Link
    from edgelearn.plan import Plan
    from edgelearn.session import BoardSession, Event, Outcome
    from edgelearn.watch.tensorboard import EventFiles

METRICS = "metrics.jsonl"
STORE = "flash.bin"  # what an emulated board's flash holds, for the next run
WORSE = 3.0  # times the held-out loss before training: no fluctuation, training broke the model


class Metrics:
    """Events as JSON lines, on disk as they come: whatever ends the run, the lines so far are there."""

    def __init__(self, folder: Path, on_line: Callable[[dict[str, Any]], None] | None = None) -> None:
        self.path = folder / METRICS
        self.events: list[dict[str, Any]] = []
        self.on_line = on_line
        try:
            self._file = self.path.open("w", encoding="utf-8", buffering=1)
        except OSError as error:
            raise self._cannot(error) from None

    def _cannot(self, error: OSError) -> InputError:
        return InputError(f"can't write: {(error.strerror or str(error)).lower()}", where=str(self.path))

    def add(self, event: dict[str, Any]) -> None:
        """Keep one event."""
        self.events.append(event)
        try:
            self._file.write(json.dumps(event, allow_nan=False) + "\n")
        except OSError as error:
            raise self._cannot(error) from None
        if self.on_line:
            self.on_line(event)

    def close(self) -> None:
        """No more events."""
        self._file.close()


@dataclass
class Run:
    """What a run left behind: its outcome, its events, the files that were written, and the error that ended it."""

    plan: Plan
    image: Image
    outcome: Outcome
    events: list[dict[str, Any]]
    files: list[Path] = field(default_factory=list)
    error: EdgelearnError | None = None
    interrupted: bool = False
    exported: FileScore | None = None
    cut: Cut | None = None

    @property
    def figures(self) -> dict[str, Any]:
        """The run's figures, for summary.json and `--json`."""
        from edgelearn.report import run_figures

        return run_figures(self.plan, self.image, self.outcome, self.exported, self.cut)


def train(
    job: Job,
    plan: Plan,
    image: Image,
    data: Dataset | None,
    folder: Path,
    *,
    count: bool = False,
    port: str | None = None,
    restore: bool | None = None,
    best: bool = False,
    sensing: Sensing | None = None,
    tensorboard: str | None = None,
    on_line: Callable[[dict[str, Any]], None] | None = None,
) -> Run:
    """Start the board, or attach to its `port`, train, and keep what came of it whatever happens.

    `restore`, `best`: see Session. `sensing` takes the place of `data`. `tensorboard` is a folder for event files.
    Nothing is raised for a run that broke off.
    """
    from edgelearn.device import open_device
    from edgelearn.link import Link
    from edgelearn.session import LastingRun, Outcome, SensorSession, Session

    make_folder(folder)
    for stale in ("trained.onnx", "trained.tflite", "trained.npz", "summary.json", "report.html", "curve.png"):
        (folder / stale).unlink(missing_ok=True)
    metrics = Metrics(folder, on_line)
    run = Run(plan, image, Outcome(), metrics.events, cut=compare_prefix(plan, data) if data else None)
    display = make_display(plan)
    records = _event_files(tensorboard)

    def on_event(event: Event) -> None:
        record = event.to_json()
        display.show(record)
        if event.kind != "progress":
            metrics.add(record)
            if records:
                records.add(record)

    store = folder / STORE if plan.saving else None
    asks = sensing.asks(plan) if sensing else None

    def open_link(baud: int | None) -> Link:
        link = Link(open_device(image, port=port, baud=baud, count_instructions=count, store=store))
        display.use(link.statistics)
        return link

    def make(link: Link, again: bool) -> BoardSession:
        """The run over samples of the host's, or of the board's own; `again`: what is left of it after a reset."""
        which, smallest = (None, False) if again else (restore, best)
        if data is not None:
            return Session(plan, link, data, on_event, restore=which, best=smallest)
        assert sensing is not None
        wanted, held_out = sensing.count, sensing.held_out
        return SensorSession(plan, link, wanted, on_event, held_out=held_out, asks=asks, restore=which, best=smallest)

    lasting = LastingRun(open_link, make, on_event, saves=plan.saving is not None)
    timer = Timer()
    try:
        with contextlib.closing(display):
            lasting.run()
    except KeyboardInterrupt:
        run.interrupted = True
    except EdgelearnError as error:
        run.error = error
    finally:
        run.outcome = lasting.outcome
        if run.interrupted or run.error:
            reason = run.outcome.stopped or (run.error.message if run.error else "interrupted")
            run.outcome.stopped = reason
            metrics.add({"event": "stopped", "reason": reason})
        metrics.close()
        if records:
            records.close()
    if not run.outcome.stopped:
        say(f"trained {run.outcome.samples:,} samples on {plan.board.id}, {image.carrier}, in {timer}")
        _say_spent(plan, run.outcome)
        _warn_if_worse(run.outcome)
    run.files.append(metrics.path)
    return run


def _event_files(folder: str | None) -> EventFiles | None:
    if folder is None:
        return None
    from edgelearn.watch.tensorboard import EventFiles

    return EventFiles(Path(folder))


def _say_spent(plan: Plan, outcome: Outcome) -> None:
    """What a sample took beside what the plan said, where it was counted."""
    if outcome.spent_per_sample:
        predicted = plan.training_insn if plan.board.unit == "insn" else None
        beside = f", {predicted:,.0f} predicted" if predicted else ""
        say(f"counted {outcome.spent_per_sample:,} {plan.board.unit} for a training sample{beside}")


def _warn_if_worse(outcome: Outcome) -> None:
    """A word on training that left the model much worse than it was."""
    before, after = outcome.before, outcome.after
    if before and after and not after.loss <= WORSE * max(before.loss, 1e-3):
        say(
            f"warning: the held-out loss grew from {before.loss:.4g} to {after.loss:.4g}: training diverged;"
            " try a smaller --lr, or --clip-norm 1"
        )


def save(job: Job, run: Run, data: Dataset | None, folder: Path) -> None:
    """Write weights, the user's model with them, curve, report and summary, as far as the run came.

    The model's accuracy is measured in its own runtime if the run came to its end and that runtime is installed.
    """
    from edgelearn.page import run_page

    timer, weights = Timer(), run.outcome.weights
    if weights:
        write_arrays(folder / "trained.npz", weights)
        trained = folder / f"trained{job.model.suffix}"
        export_samples(job.model, run.plan.imported, weights, trained, data)
        run.files += [trained, folder / "trained.npz"]
        if data and not run.outcome.stopped:
            run.exported = measure(trained, data, run.plan.graph, str(run.plan.graph.meta["loss"]))
    png = _curve(run, folder) if any(e["event"] == "step" for e in run.events) else None
    figures = run.figures
    write_text(folder / "summary.json", json.dumps(figures, indent=2, allow_nan=False) + "\n")
    write_text(folder / "report.html", run_page(run.plan, figures, run.events, png))
    run.files += [folder / "summary.json", folder / "report.html"]
    say(f"wrote {len(run.files)} files to {folder} in {timer}")


def _curve(run: Run, folder: Path) -> bytes | None:
    from edgelearn.plots import curve_png

    try:
        png = curve_png(run.events, f"{run.plan.graph.name} trained on {run.plan.board.id}")
    except ToolError as error:
        say(f"no curve.png: {error.message}; {error.hint}")
        return None
    write_bytes(folder / "curve.png", png)
    run.files.append(folder / "curve.png")
    return png


def finish(run: Run, folder: Path) -> None:
    """Raise what ended the run, with a word on what was kept."""
    kept = ", ".join(path.name for path in run.files if path.name == METRICS or path.suffix in (".onnx", ".tflite"))
    if run.interrupted:
        say(f"stopped after {run.outcome.samples:,} samples; kept {kept} in {folder}")
        raise KeyboardInterrupt
    if run.error:
        if isinstance(run.error, NumbersError) or run.outcome.weights:
            say(f"kept {kept} in {folder}")
        raise run.error
