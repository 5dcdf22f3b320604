"""Progress of a run: a picture that redraws itself on a terminal, one line an epoch everywhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from edgelearn.cli.output import Timer, bar, lively, say

if TYPE_CHECKING:
    from edgelearn.cli.view import Scene
    from edgelearn.link.frames import Statistics
    from edgelearn.plan import Plan

REFRESH = 10  # a second


class Display(Protocol):
    """Sees every event."""

    def show(self, event: dict[str, Any]) -> None:
        """One event."""

    def use(self, link: Statistics) -> None:
        """The link's counters, once there is a link."""

    def close(self) -> None:
        """The run is over."""


def make_display(plan: Plan) -> Display:
    """What fits the terminal."""
    return _Live(plan) if lively() else _Lines()


def number(value: float | None) -> str:
    """A loss or an accuracy, short."""
    return "not finite" if value is None else f"{value:.4g}"


def scores(event: dict[str, Any]) -> str:
    """`loss 0.21, accuracy 0.951`; the accuracy only where there are labels."""
    text = f"loss {number(event['loss'])}"
    return text if event.get("accuracy") is None else f"{text}, accuracy {event['accuracy']:.3f}"


def _found(event: dict[str, Any]) -> str | None:
    """What was found in the board's flash, where there is something to say."""
    if event["event"] == "restored":
        text = f"restored step {event['step']:,} from the board's flash, {event['samples']:,} samples into the run"
        return f"{text}; a damaged save was passed over" if event["damaged"] else text
    if event["forgotten"]:
        return "forgot what the board had saved"
    if event["other_plan"]:
        return "started afresh: the board's flash holds another plan's weights, which the first save replaces"
    return "started afresh: what the board had saved is damaged" if event["damaged"] else None


def sentence(event: dict[str, Any], timer: Timer) -> str | None:
    """The status line of an event that is worth one."""
    kind = event["event"]
    if kind == "connected":
        return f"started {event['board']}: plan {event['plan']} in {timer}"
    if kind in ("restored", "fresh"):
        return _found(event)
    if kind == "unsaved":
        return "warning: the board could not save, its flash failed"
    if kind == "saved":
        return (
            f"saved step {event['step']:,}; the best is step {event['best_step']:,}, loss {number(event['best_score'])}"
        )
    if kind == "evaluated":
        return f"evaluated {event['when']}: {scores(event)} on {event['samples']:,} held-out samples in {timer}"
    if kind == "epoch":
        turned = f", {event['turned']:.2%} of shifts turned" if event.get("turned") is not None else ""
        return f"trained epoch {event['epoch']}: {scores(event)}{turned} in {timer}"
    if kind == "sensed":
        return f"trained {event['samples']:,} samples of the sensor: loss {number(event['loss'])} in {timer}"
    if kind == "inferred":
        return f"the board takes it for class {event['predicted']}"
    if kind == "rate":
        return f"it answers at {event['baud']:,} baud"
    if kind == "lost":
        return f"lost the board after {event['samples']:,} samples: {event['reason']}; going on when it is back"
    if kind == "waiting":
        return "waiting: the sensor has nothing, or nobody says what it is"
    if kind == "checked":
        return (
            f"checked {event['what']} against the reference: {event['error'] or 0:.1e} off,"
            f" {event['tolerance']:.0e} allowed"
        )
    return None


class _Lines:
    """Plain text."""

    def __init__(self) -> None:
        self.timer = Timer()

    def show(self, event: dict[str, Any]) -> None:
        text = sentence(event, self.timer)
        if text:
            say(text)
            self.timer = Timer()

    def use(self, link: Statistics) -> None:
        pass

    def close(self) -> None:
        pass


class Course:
    """What a run's picture is made of."""

    def __init__(self, plan: Plan) -> None:
        from edgelearn.report import plan_figures

        self.plan = plan_figures(plan)
        self.unit = plan.board.unit
        self.timer = Timer()
        self.losses: list[float | None] = []
        self.accuracies: list[float | None] = []
        self.skipped = ""
        self.norm: float | None = None
        self.link: Statistics | None = None

    def add(self, event: dict[str, Any]) -> None:
        """A `step` or an `epoch`."""
        if event["event"] == "step":
            if not self.losses:
                self.timer = Timer()
            self.losses.append(event["loss"])
            self.accuracies.append(event["accuracy"])
            self.norm = event["grad_norm"] or self.norm
        elif "loss_scale" in event:
            self.skipped = f"{event['skipped']:,} updates that overflowed, loss scale {event['loss_scale']:,.0f}"

    def scene(self, event: dict[str, Any]) -> Scene:
        """The picture at a step."""
        from edgelearn.cli.view import Scene, memory_words
        from edgelearn.page import link_words

        seconds, share = max(self.timer.seconds, 1e-9), event["samples"] / event["of"]
        pace = event["samples"] / seconds
        norm = f", gradient norm {self.norm:.3g}" if self.norm else ""
        facts = [
            ("samples", f"{bar(share)} {event['samples']:,} of {event['of']:,}, {pace:.1f} a second"),
            (
                "steps",
                f"{event['step']:,}, {event['step'] / seconds:.1f} a second, learning rate {event['lr']:.3g}{norm}",
            ),
            ("RAM", memory_words({}, self.plan)),
        ]
        if self.skipped:
            facts.append(("skipped", self.skipped))
        if event.get(self.unit):
            facts.append(("cost", f"{event[self.unit]:,} {self.unit} for the last sample"))
        if self.link is not None:
            facts.append(("link", link_words(vars(self.link))))
        left = seconds * (1 - share) / max(share, 1e-9)
        return Scene(
            title=f"training {self.plan['model']} on {self.plan['board']}, epoch {event['epoch']}, {left:.0f} s left",
            losses=self.losses,
            accuracies=self.accuracies,
            loss=number(event["mean_loss"]),
            accuracy="" if event["accuracy"] is None else f"{event['accuracy']:.3f}",
            facts=facts,
        )


class _Live:
    """A block of lines at the bottom of the terminal, redrawn as samples come back."""

    def __init__(self, plan: Plan) -> None:
        from rich.console import Console
        from rich.live import Live

        self.timer = Timer()
        self.drawn = Timer()
        self.course = Course(plan)
        self.console = Console(stderr=True, highlight=False)
        self.live = Live(console=self.console, refresh_per_second=REFRESH, transient=True)
        self.live.start()

    def show(self, event: dict[str, Any]) -> None:
        from rich.text import Text

        text = sentence(event, self.timer)
        if text:
            self.console.print(Text(text), soft_wrap=True)
            self.timer = Timer()
        if event["event"] == "progress":
            self._draw(f"{event['what']:<18}{bar(event['done'] / event['of'])} {event['done']:,} of {event['of']:,}")
        elif event["event"] in ("step", "epoch"):
            self.course.add(event)
            # Drawn no more often than seen: a curve of all losses costs more than a sample does.
            if event["event"] == "step" and (self.drawn.seconds > 1 / REFRESH or event["samples"] == event["of"]):
                self.drawn = Timer()
                self._draw(self._training(event))

    def use(self, link: Statistics) -> None:
        self.course.link = link

    def _draw(self, line: str) -> None:
        from rich.text import Text

        self.live.update(Text(line))

    def _training(self, event: dict[str, Any]) -> str:
        from edgelearn.cli.view import draw
        from edgelearn.plots import ASCII, BLOCKS

        marks = BLOCKS if self.console.encoding.startswith("utf") else ASCII
        return "\n".join(draw(self.course.scene(event), width=min(self.console.width, 100), marks=marks))

    def close(self) -> None:
        self.live.update("")
        self.live.stop()
