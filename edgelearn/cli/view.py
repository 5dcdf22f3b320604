"""The picture of a training board in a terminal: curves of loss and accuracy, figures below, in plain lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgelearn.charts import text_chart
from edgelearn.cli.output import WIDTH, wrap
from edgelearn.plots import BLOCKS
from edgelearn.watch.history import History
from edgelearn.watch.page import RAM_PARTS

LOSS_ROWS, ACCURACY_ROWS = 6, 4
NAME = 10  # columns of a figure's name


@dataclass(frozen=True)
class Scene:
    """What is drawn: a title, curves from the oldest value to the newest, and figures by name."""

    title: str
    losses: Sequence[float | None]
    accuracies: Sequence[float | None]
    loss: str
    accuracy: str
    facts: Sequence[tuple[str, str]]
    foot: str = ""


def draw(scene: Scene, *, width: int = WIDTH, marks: str = BLOCKS) -> list[str]:
    """Lines of at most `width` columns."""
    lines = [scene.title[:width]]
    if any(v is not None for v in scene.losses):
        lines += [f"loss {scene.loss}", *text_chart(scene.losses, width, LOSS_ROWS, marks)]
    if any(v is not None for v in scene.accuracies):
        lines += [f"accuracy {scene.accuracy}", *text_chart(scene.accuracies, width, ACCURACY_ROWS, marks, top=1.0)]
    for name, text in scene.facts:
        first, *more = wrap(text, width - NAME) or [""]
        lines += [f"{name:<{NAME}}{first}", *(" " * NAME + line for line in more)]
    return [*lines, *([scene.foot[:width]] if scene.foot else [])]


def number(value: float | None) -> str:
    """A loss, a norm or a rate, short."""
    return "not finite" if value is None else f"{value:.4g}"


def memory_words(greeting: Mapping[str, Any], plan: Mapping[str, Any] | None) -> str:
    """What the board's RAM holds: by the plan if there is one, else as far as the board itself says."""
    if plan is not None:
        ram = plan["ram"]
        parts = ", ".join(f"{name} {ram[name]:,}" for name in RAM_PARTS if ram[name])
        return f"{ram['total']:,} of {ram['limit']:,} bytes as planned: {parts}"
    known = {"weights": greeting["params_bytes"], "state": greeting["state_bytes"], "replay": greeting["replay_bytes"]}
    parts = ", ".join(f"{name} {size:,}" for name, size in known.items() if size)
    kept = f", {greeting['store_slots']:,} samples kept" if greeting["store_slots"] else ""
    return f"{parts} bytes{kept}; plan.json of its build has the rest (--plan)"


def link_words(reading: Mapping[str, Any]) -> str:
    """The state of the link as the board counts it."""
    return (
        f"{reading['damaged']:,} damaged, {reading['gaps']:,} gaps, {reading['duplicates']:,} duplicates,"
        f" {reading['overruns']:,} bytes overrun"
    )


def skipped_words(reading: Mapping[str, Any]) -> str:
    """What was not trained on, and why."""
    text = f"{reading['skipped']:,} samples whose loss was not finite"
    if reading.get("loss_scale"):
        text += f"; {reading['left_out']:,} updates that overflowed, loss scale {reading['loss_scale']:,.0f}"
    return text


def saved_words(reading: Mapping[str, Any]) -> str:
    """What of the board's weights would survive a power cut."""
    best = (
        f"; best at step {reading['best_step']:,}, loss {number(reading['best_score'])}" if reading["best_step"] else ""
    )
    return f"{reading['saves']:,} times, last at step {reading['saved_step']:,}{best}"


def stack_words(reading: Mapping[str, Any], greeting: Mapping[str, Any]) -> str:
    """The stack's high-water mark."""
    if not greeting["stack_bytes"]:
        return "not known"
    return f"{reading['stack_used']:,} of {greeting['stack_bytes']:,} bytes at most"


def watch_scene(history: History, plan: Mapping[str, Any] | None, lost: str = "") -> Scene:
    """A board that is watched, after at least one reading."""
    now, greeting = history.last, history.greeting
    assert now is not None
    trained = history.trained()
    name = f"{plan['model']} on {plan['board']}" if plan is not None else f"plan {greeting['hash']}"
    rate = f" at {greeting['baud']:,} baud" if greeting["baud"] else ""
    pace = "" if now["samples_per_s"] is None else f", {now['samples_per_s']:.1f} a second"
    steps = "" if now["steps_per_s"] is None else f", {now['steps_per_s']:.1f} a second"
    norm = f", gradient norm {now['grad_norm']:.3g}" if now.get("grad_norm") else ""
    again = f"; reset {history.resets} times" if history.resets > 1 else "; reset once" if history.resets else ""
    facts = [
        ("samples", f"{now['samples']:,}{pace}{again}"),
        ("steps", f"{now['step']:,}{steps}, learning rate {now['lr']:.3g}{norm}"),
        ("skipped", skipped_words(now)),
        ("RAM", memory_words(greeting, plan)),
        ("stack", stack_words(now, greeting)),
        ("link", link_words(now)),
    ]
    if greeting["replay_bytes"]:
        facts.insert(3, ("replay", f"{now['replay_kept']:,} latents kept, {now['replayed']:,} trained on again"))
    if now.get("saves"):
        facts.append(("saved", saved_words(now)))
    return Scene(
        title=f"{name}, {greeting['port']}{rate}, {_clock(history.seconds)}",
        losses=[r["mean_loss"] for r in trained],
        accuracies=[r["accuracy"] for r in trained],
        loss=f"{number(now['mean_loss'])}, of the last sample {number(now['last_loss'])}",
        accuracy=f"{now['accuracy']:.3f}" if now["accuracy"] is not None else "",
        facts=facts,
        foot=lost or "Ctrl-C ends the view; the board goes on",
    )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
