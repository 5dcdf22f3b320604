"""Curves of anything over anything: as text for the terminal, as SVG for a page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from edgelearn.plots import BLOCKS, GRID, INK, Points, buckets

GUTTER = 9  # columns of an axis' numbers, and a blank


def text_chart(
    values: Sequence[float | None], width: int, height: int, marks: str = BLOCKS, *, top: float | None = None
) -> list[str]:
    """`height` lines of at most `width` columns: bars from zero to `top`, else to the largest value.

    The newest value is at the right end; where there are more than columns, each stands for a mean.
    """
    means = buckets([v for v in values if v is not None], max(width - GUTTER - 2, 1))
    limit = max(top if top is not None else max(means, default=0.0), 1e-9)
    levels = [min(round(max(v, 0.0) / limit * height * len(marks)), height * len(marks)) for v in means]
    lines = []
    for row in range(height):
        floor = (height - 1 - row) * len(marks)
        cells = "".join(" " if k <= floor else marks[min(k - floor, len(marks)) - 1] for k in levels)
        name = _short(limit) if row == 0 else "0" if row == height - 1 else ""
        lines.append(f"{name:>{GUTTER - 1}} |{cells}".rstrip())
    return lines


def _short(value: float) -> str:
    return f"{value:.3g}"


@dataclass(frozen=True)
class Series:
    """A line of a chart."""

    name: str
    colour: str
    points: Points


def svg_chart(
    title: str, series: Sequence[Series], x_name: str, *, top: float | None = None, width: int = 720, height: int = 200
) -> str:
    """Lines over a common x axis, y from zero to `top`, else to the largest value. "" if there is nothing to draw."""
    shown = [Series(s.name, s.colour, _finite(s.points)) for s in series]
    shown = [s for s in shown if s.points]
    if not shown:
        return ""
    left, right, upper, lower = 58, width - 12, 14, height - 40
    xs = [x for s in shown for x, _ in s.points]
    start, span = min(xs), (max(xs) - min(xs)) or 1.0
    limit = top if top is not None else max(y for s in shown for _, y in s.points) or 1.0

    def place(x: float, y: float) -> str:
        across, up = (x - start) / span, min(max(y / limit, 0.0), 1.0)
        return f"{left + across * (right - left):.1f},{lower - up * (lower - upper):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for k in range(5):
        y = lower - k * (lower - upper) / 4
        parts.append(f'<path d="M{left} {y:.1f}H{right}" stroke="{GRID}"/>')
        parts.append(_label(left - 6, y + 4, _short(limit * k / 4), INK, "end"))
    for s in shown:
        path = " ".join(place(x, y) for x, y in _thinned(s.points))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{s.colour}" stroke-width="1.5"/>')
    parts += [
        _label(left, lower + 15, f"{start:,.0f}", INK, "middle"),
        _label(right, lower + 15, f"{start + span:,.0f} {x_name}", INK, "end"),
    ]
    for k, s in enumerate(shown):
        parts.append(_label(left + 160 * k, height - 6, s.name, s.colour, "start"))
    return "\n".join([*parts, "</svg>"])


def _finite(points: Points) -> Points:
    return [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]


def _thinned(points: Points, most: int = 1000) -> Points:
    """No more points than a screen has columns; the last one always."""
    step = max(1, len(points) // most)
    kept = points[::step]
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


def _label(x: float, y: float, text: str, colour: str, anchor: str) -> str:
    style = f'fill="{colour}" font-family="sans-serif" font-size="11" text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'
