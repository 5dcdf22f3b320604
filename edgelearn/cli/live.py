"""Progress of a run: lines that redraw themselves on a terminal, one line an epoch everywhere else."""

from __future__ import annotations

from typing import Any, Protocol

from edgelearn.cli.output import Timer, bar, lively, say

REFRESH = 10  # a second
SPARK = 56


class Display(Protocol):
    """Sees every event."""

    def show(self, event: dict[str, Any]) -> None:
        """One event."""

    def close(self) -> None:
        """The run is over."""


def make_display() -> Display:
    """What fits the terminal."""
    return _Live() if lively() else _Lines()


def number(value: float | None) -> str:
    """A loss or an accuracy, short."""
    return "not finite" if value is None else f"{value:.4g}"


def scores(event: dict[str, Any]) -> str:
    """`loss 0.21, accuracy 0.951`; the accuracy only where there are labels."""
    text = f"loss {number(event['loss'])}"
    return text if event.get("accuracy") is None else f"{text}, accuracy {event['accuracy']:.3f}"


def sentence(event: dict[str, Any], timer: Timer) -> str | None:
    """The status line of an event that is worth one."""
    kind = event["event"]
    if kind == "connected":
        return f"started {event['board']}: plan {event['plan']} in {timer}"
    if kind == "evaluated":
        return f"evaluated {event['when']}: {scores(event)} on {event['samples']:,} held-out samples in {timer}"
    if kind == "epoch":
        return f"trained epoch {event['epoch']}: {scores(event)} in {timer}"
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

    def close(self) -> None:
        pass


class _Live:
    """A block of lines at the bottom of the terminal, redrawn as samples come back."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self.timer = Timer()
        self.training: Timer | None = None
        self.losses: list[float] = []
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
        elif event["event"] == "step":
            if event["loss"] is not None:
                self.losses.append(event["loss"])
            self._draw(self._training(event))

    def _draw(self, line: str) -> None:
        from rich.text import Text

        self.live.update(Text(line))

    def _training(self, event: dict[str, Any]) -> str:
        from edgelearn.plots import ASCII, BLOCKS, sparkline

        marks = BLOCKS if self.console.encoding.startswith("utf") else ASCII
        share = event["samples"] / event["of"]
        if self.training is None:
            self.training = Timer()
        left = self.training.seconds * (1 - share) / max(share, 1e-9)
        lines = [
            f"{'training':<18}{bar(share)} {event['samples']:,} of {event['of']:,} samples, {left:.0f} s left",
            f"epoch {event['epoch']}, step {event['step']}: {scores({**event, 'loss': event['mean_loss']})}",
            f"loss {sparkline(self.losses, SPARK, marks)}",
        ]
        return "\n".join(lines)

    def close(self) -> None:
        self.live.update("")
        self.live.stop()
