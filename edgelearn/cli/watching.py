"""Where readings of a watched board go: the terminal, lines of text or JSON, event files, and a page at the end."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from edgelearn.cli.files import write_text
from edgelearn.cli.output import emit, lively, say, tell
from edgelearn.cli.view import draw, number, watch_scene
from edgelearn.errors import InputError
from edgelearn.watch.history import History
from edgelearn.watch.page import note_words, watch_page

if TYPE_CHECKING:
    from edgelearn.session import Event


class Outlet(Protocol):
    """Takes events as flat objects."""

    def add(self, event: dict[str, Any]) -> None:
        """One event."""

    def close(self) -> None:
        """No more of them."""


class _Ram(msgspec.Struct):
    total: int
    limit: int
    weights: int
    state: int
    arena: int
    store: int
    replay: int
    runtime: int
    stack: int


class _Buffer(msgspec.Struct):
    name: str
    offset: int
    bytes: int
    first_step: int
    last_step: int


class _Arena(msgspec.Struct):
    bytes: int
    fullest_step: int
    fullest_step_name: str
    buffers: list[_Buffer]


class _PlanFile(msgspec.Struct):
    """What must be in a plan.json: what is drawn of it."""

    plan: str
    model: str
    board: str
    ram: _Ram
    arena: _Arena
    steps: list[Any]


def read_plan(path: Path) -> dict[str, Any]:
    """The plan that a build has left; InputError if it is none."""
    try:
        raw = json.loads(path.read_bytes())
        msgspec.convert(raw, _PlanFile)
    except OSError as error:
        raise InputError(f"can't read the plan: {(error.strerror or str(error)).lower()}", where=str(path)) from None
    except (ValueError, msgspec.ValidationError):
        raise InputError(
            "this is no plan", where=str(path), hint="edgelearn plan --json > plan.json, or plan.json of a build"
        ) from None
    return dict(raw)


class Lines:
    """A line of text on stdout for each reading."""

    def add(self, event: dict[str, Any]) -> None:
        if event["event"] == "status":
            tell(reading_line(event))
            sys.stdout.flush()

    def close(self) -> None:
        pass


class JsonLines:
    """A line of JSON on stdout for each event."""

    def add(self, event: dict[str, Any]) -> None:
        emit(event)

    def close(self) -> None:
        pass


class View:
    """The picture at the bottom of the terminal, drawn anew with each event; it stays when the watch ends."""

    def __init__(self, history: History, plan: Callable[[], Mapping[str, Any] | None]) -> None:
        from rich.console import Console
        from rich.live import Live

        from edgelearn.plots import ASCII, BLOCKS

        self.history, self.plan, self.lost = history, plan, ""
        self.console = Console(stderr=True, highlight=False)
        self.marks = BLOCKS if self.console.encoding.startswith("utf") else ASCII
        self.live = Live(console=self.console, auto_refresh=False)
        self.live.start()

    def add(self, event: dict[str, Any]) -> None:
        from rich.text import Text

        if event["event"] in ("lost", "found"):
            self.console.print(Text(note_words(event)), soft_wrap=True)
            self.lost = note_words(event) if event["event"] == "lost" else ""
        if self.history.last is not None:
            scene = watch_scene(self.history, self.plan(), self.lost)
            lines = draw(scene, width=min(self.console.width, 100), marks=self.marks)
            self.live.update(Text("\n".join(lines)), refresh=True)

    def close(self) -> None:
        self.live.stop()


def reading_line(event: Mapping[str, Any]) -> str:
    """A reading in one line; what is wrong stands at its end, and only if there is something."""
    text = f"step {event['step']:,}  samples {event['samples']:,}"
    if event["samples"]:
        text += f"  loss {number(event['mean_loss'])}"
        text += f"  accuracy {event['accuracy']:.3f}" if event["accuracy"] is not None else ""
    text += f"  lr {event['lr']:.3g}"
    text += f"  gradient norm {event['grad_norm']:.3g}" if event.get("grad_norm") else ""
    if event["samples_per_s"] is not None:
        text += f"  {event['samples_per_s']:.1f} samples/s  {event['steps_per_s']:.1f} steps/s"
    text += f"  stack {event['stack_used']:,}" if event["stack_used"] else ""
    troubles = ("skipped", "left_out", "damaged", "gaps", "duplicates", "overruns")
    return text + "".join(f"  {name.replace('_', ' ')} {event[name]:,}" for name in troubles if event.get(name))


class Watch:
    """All that a watch writes. `plan` is the build's, once the board has said that it runs it."""

    def __init__(self, *, as_json: bool, headless: bool, tensorboard: str | None, report: str | None) -> None:
        self.history, self.report = History(), report
        self.plan: dict[str, Any] | None = None
        self.candidate: tuple[Path, dict[str, Any]] | None = None
        self.stopped = ""
        self.outlets: list[Outlet] = []
        if tensorboard is not None:
            from edgelearn.watch.tensorboard import EventFiles

            self.outlets.append(EventFiles(Path(tensorboard)))
        self.view = lively() and not headless and not as_json
        if as_json:
            self.outlets.append(JsonLines())
        elif not self.view or not sys.stdout.isatty():
            self.outlets.append(Lines())

    def start_view(self) -> None:
        """Draw from now on, where there is a terminal to draw on."""
        if self.view:
            self.outlets.append(View(self.history, lambda: self.plan))

    def on_event(self, event: Event) -> None:
        """What the watcher says."""
        record = event.to_json()
        self.history.add(record)
        if event.kind == "connected":
            self._connected(record)
        elif event.kind in ("lost", "found") and not self.view:
            say(note_words(record))
        for outlet in self.outlets:
            outlet.add(record)

    def _connected(self, greeting: Mapping[str, Any]) -> None:
        rate = f" at {greeting['baud']:,} baud" if greeting["baud"] else ""
        say(f"attached to {greeting['port']}{rate}: plan {greeting['hash']}, protocol {greeting['protocol']}")
        if self.candidate is not None:
            path, plan = self.candidate
            if plan["plan"] == greeting["hash"]:
                self.plan = plan
            else:
                say(f"note: {path} is of another plan, {plan['plan']}: there is no memory map")
        self.start_view()

    def close(self) -> None:
        """Write what there is, whatever ended the watch."""
        for outlet in self.outlets:
            outlet.close()
        if self.report is not None and self.history.last is not None:
            facts = watch_scene(self.history, self.plan).facts
            write_text(Path(self.report), watch_page(self.history, self.plan, facts, self.stopped))
            say(f"wrote {self.report}")
