"""A page on a board that was watched: figures, curves, and the memory map of its plan. It needs no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from edgelearn import __version__
from edgelearn.charts import Series, svg_chart
from edgelearn.page import STYLE, html_table
from edgelearn.plots import ACCURACY, FILLS, INK, LOSS, Box, boxes_svg
from edgelearn.watch.history import History

RAM_PARTS = ("weights", "state", "arena", "store", "replay", "runtime", "stack")
GREY = "#627d98"
LINK = {"damaged": LOSS, "gaps": ACCURACY, "duplicates": GREY, "overruns": INK}


def watch_page(
    history: History, plan: Mapping[str, Any] | None, facts: Sequence[tuple[str, str]], stopped: str = ""
) -> str:
    """`plan` is what `plan.json` of a build says, `facts` the last figures, `stopped` an error that ended the watch."""
    greeting = history.greeting
    what = f"{plan['model']} on {plan['board']}" if plan is not None else f"plan {greeting['hash']}"
    title = escape(f"{what}, watched on {greeting['port']}")
    end = f"<p><strong>Stopped: {escape(stopped)}</strong></p>" if stopped else ""
    parts = [
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        f"<style>{STYLE}</style></head><body><h1>{title}</h1>{end}",
        html_table(("what", "value"), [*facts, ("readings", f"{len(history.readings):,}"), ("plan", greeting["hash"])]),
        *_curves(history),
        *_notes(history),
        *(_memory(plan) if plan is not None else _unknown(greeting)),
        f"<footer>Made by edgelearn {__version__}.</footer></body></html>\n",
    ]
    return "\n".join(parts)


def _curves(history: History) -> list[str]:
    """A chart for everything that has one."""

    def line(key: str, name: str, colour: str) -> Series:
        return Series(name, colour, history.curve(key))

    charts = {
        "Loss": svg_chart(
            "loss over time", [line("last_loss", "last sample", GREY), line("mean_loss", "mean of 100", LOSS)], "s"
        ),
        "Accuracy": svg_chart("accuracy over time", [line("accuracy", "mean of 100", ACCURACY)], "s", top=1.0),
        "Rate": svg_chart(
            "rate over time",
            [line("samples_per_s", "samples a second", ACCURACY), line("steps_per_s", "steps a second", LOSS)],
            "s",
        ),
        "Gradient norm": svg_chart("gradient norm over time", [line("grad_norm", "of the last update", INK)], "s")
        if any(r.get("grad_norm") for r in history.readings)
        else "",
        "Link": svg_chart("errors of the link", [line(key, key, colour) for key, colour in LINK.items()], "s")
        if any(r[key] for r in history.readings for key in LINK)
        else "",
    }
    return [f"<h2>{name}</h2>{chart}" for name, chart in charts.items() if chart]


def _notes(history: History) -> list[str]:
    if not history.notes:
        return []
    rows = [(note_words(note),) for note in history.notes]
    return ["<h2>What happened to the board</h2>", html_table(("event",), rows)]


def note_words(note: Mapping[str, Any]) -> str:
    """A `lost` or `found` event as a sentence."""
    if note["event"] == "lost":
        return f"lost: {note['reason']}"
    if note["other_plan"]:
        after = f"it now runs another plan, {note['plan']}"
    elif note["reset"]:
        after = f"the board was reset: step {note['step_before']:,}, now {note['step']:,}"
    else:
        after = f"it went on, at step {note['step']:,}"
    return f"found {note['port']} after {note['seconds']:.1f} s: {after}"


def _memory(plan: Mapping[str, Any]) -> list[str]:
    ram, arena = plan["ram"], plan["arena"]
    boxes = [Box(b["name"], b["offset"], b["bytes"], b["first_step"], b["last_step"]) for b in plan["arena"]["buffers"]]
    fullest = arena["fullest_step"]
    picture = boxes_svg(boxes, len(plan["steps"]), arena["bytes"], fullest, arena["fullest_step_name"])
    parts = [(name, ram[name]) for name in RAM_PARTS if ram[name]]
    return [
        f"<h2>RAM, {ram['total']:,} of {ram['limit']:,} bytes</h2>",
        bar_svg(parts, ram["limit"]),
        html_table(("part", "bytes"), parts),
        f"<h2>Arena, {arena['bytes']:,} bytes</h2>{picture}",
    ]


def _unknown(greeting: Mapping[str, Any]) -> list[str]:
    known = {"weights": "params_bytes", "state": "state_bytes", "replay": "replay_bytes", "stack": "stack_bytes"}
    rows = [(name, greeting[key]) for name, key in known.items() if greeting[key]]
    return [
        "<h2>RAM</h2><p>As far as the board says; the build's plan.json has the whole memory map.</p>",
        html_table(("part", "bytes"), rows),
    ]


def bar_svg(parts: Sequence[tuple[str, int]], limit: int, width: int = 720, height: int = 46) -> str:
    """Parts of a memory side by side in a bar that is `limit` bytes long; hovering names them."""
    scale, x = (width - 2) / max(limit, sum(size for _, size in parts), 1), 1.0
    rows = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        "<title>RAM by use</title>",
        f'<rect x="1" y="1" width="{width - 2}" height="{height - 2}" fill="white" stroke="{INK}"/>',
    ]
    for (name, size), fill in zip(parts, FILLS, strict=False):
        rows.append(
            f'<rect x="{x:.1f}" y="1" width="{size * scale:.1f}" height="{height - 2}" fill="{fill}">'
            f"<title>{escape(name)}: {size:,} bytes</title></rect>"
        )
        x += size * scale
    return "\n".join([*rows, "</svg>"])
