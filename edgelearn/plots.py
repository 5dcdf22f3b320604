"""Pictures of a run and of its memory: text for the terminal, SVG for the report, PNG by matplotlib."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from string import ascii_letters
from typing import Any

from edgelearn.errors import ToolError
from edgelearn.memory import Slot
from edgelearn.plan import Plan

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII = "_.-=+*%#"
MAP_COLUMNS, MAP_ROWS = 64, 16
INK, GRID, LOSS, ACCURACY = "#1f2933", "#d9e2ec", "#c05621", "#2b6cb0"
FILLS = ("#9fb3c8", "#f6c177", "#a3be8c", "#d08770", "#b48ead", "#88c0d0", "#ebcb8b", "#bf616a")

Points = list[tuple[float, float]]


def buckets(values: Sequence[float], count: int) -> list[float]:
    """At most `count` means over equal stretches; numbers that are not finite are left out."""
    finite = [v for v in values if v is not None and math.isfinite(v)]
    if len(finite) <= count:
        return finite
    cuts = [k * len(finite) // count for k in range(count + 1)]
    return [sum(finite[a:b]) / (b - a) for a, b in pairwise(cuts)]


def sparkline(values: Sequence[float], width: int = 60, marks: str = BLOCKS) -> str:
    """A curve in one line of text, from the smallest value to the largest."""
    means = buckets(values, width)
    if not means:
        return ""
    low, span = min(means), (max(means) - min(means)) or 1.0
    return "".join(marks[min(int((v - low) / span * len(marks)), len(marks) - 1)] for v in means)


def slot_letters(plan: Plan) -> list[tuple[str, Slot]]:
    """Every slot of the arena with a letter, largest first; past 52 they share a `+`."""
    ranked = sorted(plan.arena.slots, key=lambda s: (-s.size, s.offset, s.buffer.first))
    return [(ascii_letters[k] if k < len(ascii_letters) else "+", slot) for k, slot in enumerate(ranked)]


def arena_text(plan: Plan) -> list[str]:
    """The arena as text: steps run to the right, addresses down; `.` is free, `^` stands under the fullest step."""
    steps, total = max(len(plan.schedule.steps), 1), max(plan.arena.nbytes, 1)
    columns, rows = min(MAP_COLUMNS, steps * max(1, MAP_COLUMNS // steps)), MAP_ROWS
    letters = slot_letters(plan)
    lines = []
    for row in range(rows):
        low, high = total * row // rows, total * (row + 1) // rows
        cells = ""
        for column in range(columns):
            first = column * steps // columns
            last = max(first, (column + 1) * steps // columns - 1)
            shares = [
                (min(high, slot.end) - max(low, slot.offset), letter)
                for letter, slot in letters
                if slot.buffer.first <= last and first <= slot.buffer.last and slot.offset < high and low < slot.end
            ]
            cells += max(shares, key=lambda s: s[0])[1] if shares else "."
        lines.append(f"{low:>10,}  {cells}")
    peak = max(plan.arena.peak_step, 0)
    mark = (peak * columns + columns // 2) // steps if steps < columns else peak * columns // steps
    lines.append(" " * (12 + min(mark, columns - 1)) + "^")
    return lines


def _finite(events: Sequence[dict[str, Any]], key: str) -> Points:
    found = [(float(e["samples"]), e.get(key)) for e in events if e["event"] == "step"]
    return [(x, float(y)) for x, y in found if y is not None and math.isfinite(y)]


def running(points: Points, window: int = 20) -> Points:
    """The mean over the last `window` points, at each of them."""
    out: Points = []
    total = 0.0
    for k, (x, y) in enumerate(points):
        total += y - (points[k - window][1] if k >= window else 0.0)
        out.append((x, total / min(k + 1, window)))
    return out


def held_out(events: Sequence[dict[str, Any]], key: str) -> Points:
    """What the evaluations found, over the number of samples trained until then."""
    trained, found = 0.0, []
    for event in events:
        if event["event"] == "step":
            trained = float(event["samples"])
        elif event["event"] == "evaluated" and event.get(key) is not None:
            found.append((trained, float(event[key])))
    return found


def _ceiling(points: Points, *others: Points) -> float:
    """The top of the loss axis: the tallest spikes are cut off, so that one odd sample does not flatten the rest."""
    ranked = sorted(y for _, y in points)
    return max(ranked[int(0.98 * (len(ranked) - 1))], *(y for data in others for _, y in data), 1e-9)


def by_epoch(events: Sequence[dict[str, Any]]) -> Points:
    """Accuracy over the training samples of each epoch, as they were met."""
    trained, found = 0.0, []
    for event in events:
        if event["event"] == "step":
            trained = float(event["samples"])
        elif event["event"] == "epoch" and event.get("accuracy") is not None:
            found.append((trained, float(event["accuracy"])))
    return found


def curve_svg(events: Sequence[dict[str, Any]], width: int = 720, height: int = 260) -> str:
    """Loss of every training sample and its running mean, held-out loss, and accuracy where there is one."""
    points = _finite(events, "loss")
    if not points:
        return ""
    mean = running(points)
    tests, accuracy = held_out(events, "loss"), held_out(events, "accuracy")
    left, right, top, bottom = 52, width - 52, 14, height - 44
    span = max(points[-1][0], 1.0)
    peak = _ceiling(points, mean, tests)

    def place(x: float, y: float, limit: float) -> str:
        return f"{left + x / span * (right - left):.1f},{bottom - min(y / limit, 1.0) * (bottom - top):.1f}"

    def line(data: Points, limit: float, colour: str, rest: str = "") -> str:
        path = " ".join(place(x, y, limit) for x, y in data)
        return f'<polyline points="{path}" fill="none" stroke="{colour}" {rest}/>'

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">']
    parts.append("<title>loss and accuracy over training samples</title>")
    parts.append(f'<rect width="{width}" height="{height}" fill="white"/>')
    for k in range(5):
        y = bottom - k * (bottom - top) / 4
        parts.append(f'<path d="M{left} {y:.1f}H{right}" stroke="{GRID}"/>')
        parts.append(_text(left - 6, y + 4, f"{peak * k / 4:.3g}", LOSS, "end"))
        if accuracy:
            parts.append(_text(right + 6, y + 4, f"{k / 4:.2g}", ACCURACY, "start"))
    step = max(1, len(points) // 400)
    parts += [line(points[::step], peak, LOSS, 'stroke-opacity="0.25"'), line(mean, peak, LOSS, 'stroke-width="2"')]
    if accuracy:
        parts.append(line(by_epoch(events), 1.0, ACCURACY, 'stroke-opacity="0.5"'))
    for data, limit, colour in ((tests, peak, LOSS), (accuracy, 1.0, ACCURACY)):
        if data:
            parts.append(line(data, limit, colour, 'stroke-width="2" stroke-dasharray="5 4"'))
            dots = (place(x, y, limit).split(",") for x, y in data)
            parts += [f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}"/>' for x, y in dots]
    parts += [
        _text(left, bottom + 15, "0", INK, "middle"),
        _text(right, bottom + 15, f"{span:,.0f} samples", INK, "end"),
    ]
    parts.append(_text(left, height - 6, "loss: samples, mean of 20, held out (dashed)", LOSS, "start"))
    if accuracy:
        parts.append(_text(right, height - 6, "accuracy: epochs, held out (dashed)", ACCURACY, "end"))
    return "\n".join([*parts, "</svg>"])


def _text(x: float, y: float, text: str, colour: str, anchor: str) -> str:
    style = f'fill="{colour}" font-family="sans-serif" font-size="11" text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'


def arena_svg(plan: Plan) -> str:
    """The arena as a picture: steps run to the right, addresses up; hovering names a buffer."""
    peak = max(plan.arena.peak_step, 0)
    boxes = [Box(s.buffer.name, s.offset, s.size, s.buffer.first, s.buffer.last) for s in plan.arena.slots]
    steps = plan.schedule.steps
    return boxes_svg(boxes, len(steps), plan.arena.nbytes, peak, steps[peak].node.name)


@dataclass(frozen=True)
class Box:
    """A buffer in the arena: its place in bytes, and the steps at which it is alive."""

    name: str
    offset: int
    size: int
    first: int
    last: int


def boxes_svg(
    boxes: Sequence[Box], steps: int, total: int, peak_step: int, peak_name: str, width: int = 720, height: int = 300
) -> str:
    """The picture of `total` bytes over `steps` steps, with a line at the fullest one."""
    steps, total = max(steps, 1), max(total, 1)
    left, base, top = 64, height - 30, 8
    sx, sy = (width - left - 8) / steps, (base - top) / total
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">']
    parts.append("<title>arena: which bytes are live at which step</title>")
    for k, slot in enumerate(boxes):
        first, count = max(slot.first, 0), slot.last - max(slot.first, 0) + 1
        box = f'x="{left + first * sx:.1f}" y="{base - (slot.offset + slot.size) * sy:.1f}" width="{count * sx:.1f}"'
        label = f"{slot.name}: {slot.size:,} bytes at {slot.offset:,}, steps {first} to {slot.last}"
        parts.append(
            f'<rect {box} height="{slot.size * sy:.1f}" fill="{FILLS[k % len(FILLS)]}" stroke="{INK}"'
            f' stroke-width="0.5"><title>{escape(label)}</title></rect>'
        )
        if slot.size * sy >= 13 and count * sx >= 7 * len(slot.name):
            x, y = left + (first + count / 2) * sx, base - (slot.offset + slot.size / 2) * sy + 4
            parts.append(_text(x, y, slot.name, INK, "middle"))
    peak = left + (peak_step + 0.5) * sx
    parts.append(f'<path d="M{peak:.1f} {top}V{base}" stroke="{INK}" stroke-dasharray="2 3"/>')
    parts += [_text(left - 6, base, "0", INK, "end"), _text(left - 6, top + 8, f"{total:,}", INK, "end")]
    parts.append(_text(peak, height - 10, f"fullest at {peak_name}", INK, "middle"))
    return "\n".join([*parts, "</svg>"])


def curve_png(events: Sequence[dict[str, Any]], title: str) -> bytes:
    """The curve as PNG. ToolError where matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        raise ToolError("matplotlib is not installed", hint="pip install 'edgelearn[plot]'") from None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(8, 4), dpi=120)
    points, tests, accuracy = _finite(events, "loss"), held_out(events, "loss"), held_out(events, "accuracy")
    axis.plot([x for x, _ in points], [y for _, y in points], color=LOSS, alpha=0.25, linewidth=0.8)
    mean = running(points)
    axis.plot([x for x, _ in mean], [y for _, y in mean], color=LOSS, label="training loss, mean of 20")
    axis.plot([x for x, _ in tests], [y for _, y in tests], "o--", color=LOSS, label="held-out loss")
    axis.set_xlabel("samples trained on the device")
    axis.set_ylabel("loss", color=LOSS)
    axis.set_ylim(0, 1.02 * _ceiling(points, mean, tests) if points else None)
    axis.grid(color=GRID)
    handles, labels = axis.get_legend_handles_labels()
    if accuracy:
        other = axis.twinx()
        epochs = by_epoch(events)
        other.plot([x for x, _ in epochs], [y for _, y in epochs], color=ACCURACY, alpha=0.5, label="training accuracy")
        other.plot([x for x, _ in accuracy], [y for _, y in accuracy], "o--", color=ACCURACY, label="held-out accuracy")
        other.set_ylim(0, 1.02)
        other.set_ylabel("accuracy", color=ACCURACY)
        more = other.get_legend_handles_labels()
        handles, labels = handles + more[0], labels + more[1]
    axis.legend(handles, labels, loc="center right", fontsize=8)
    axis.set_title(title, fontsize=10)
    figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    pyplot.close(figure)
    return buffer.getvalue()
