"""Pictures and figures of a search: RAM against expected gain."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import msgspec

from edgelearn import __version__
from edgelearn.fit import WORTH, Fit, Row, flags_of
from edgelearn.fit.flags import changed
from edgelearn.importance import Importance
from edgelearn.plots import GRID, INK, LOSS

COLUMNS, LINES = 64, 10
MOST_ROWS = 16
PROXY = "the share of the weight gradients' MACs that is computed (nothing was measured: no --data)"
MEANINGS = {
    "fisher": "the share of the squared gradients that what trains has, over {samples:,} samples",
    "gradient": "the share of the relative gradients that what trains has, over {samples:,} samples",
    "gain": "the share of all that layers gained when trained alone, over {samples:,} samples",
}


def meaning(importance: Importance | None) -> str:
    """What the figure `gain` is."""
    return MEANINGS[importance.rank].format(samples=importance.samples) if importance else PROXY


def shown(fit: Fit, most: int = MOST_ROWS) -> list[Row]:
    """At most so many rows, evenly, the first and the pick among them."""
    count = len(fit.rows)
    if count <= most:
        return list(fit.rows)
    return [fit.rows[k] for k in sorted({round(k * (count - 1) / (most - 1)) for k in range(most)})]


def gain_text(gain: float) -> str:
    """A gain as a percentage; what is next to nothing without its digits."""
    return f"{100 * gain:.3g} %" if gain >= WORTH or gain <= 0 else f"< {100 * WORTH:g} %"


def axis(rows: Sequence[Row], limit: int) -> int:
    """Bytes at the right end of a picture: the limit, or less where no row needs a quarter of it."""
    most = max(row.plan.ram for row in rows)
    return limit if 4 * most >= limit else most * 5 // 4


def frontier_text(rows: Sequence[Row], limit: int) -> list[str]:
    """Gain upwards to that of the last row, the pick (`*`); RAM from nothing to the right, see `axis`."""
    top, limit = rows[-1].gain or 1.0, axis(rows, limit)
    cells = [[" "] * COLUMNS for _ in range(LINES)]
    for row in rows:
        x = min(int(row.plan.ram / limit * COLUMNS), COLUMNS - 1)
        y = LINES - 1 - min(int(row.gain / top * LINES), LINES - 1)
        cells[y][x] = "*" if row is rows[-1] else "o"
    labels = [f"{100 * top * (LINES - k) / LINES:.3g} %" if k % 5 == 0 else "" for k in range(LINES)]
    lines = [f"{label:>7} |{''.join(line)}".rstrip() for label, line in zip(labels, cells, strict=True)]
    right = f"{limit:,} bytes of RAM"
    return [*lines, f"{'0 %':>7} +{'-' * COLUMNS}", f"{'':>9}0{right:>{COLUMNS - 1}}"]


def frontier_svg(fit: Fit, limit: int, width: int = 720, height: int = 320) -> str:
    """The frontier as a picture; hovering names a row."""
    left, right, top, bottom = 56, width - 16, 14, height - 40
    limit = axis(fit.rows, limit)
    most = fit.pick.gain or 1.0
    sx, sy = (right - left) / limit, (bottom - top) / most

    def text(x: float, y: float, words: str, anchor: str) -> str:
        style = f'fill="{INK}" font-family="sans-serif" font-size="11" text-anchor="{anchor}"'
        return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(words)}</text>'

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">']
    parts += ["<title>RAM against expected gain</title>", f'<rect width="{width}" height="{height}" fill="white"/>']
    for k in range(5):
        y = bottom - k * (bottom - top) / 4
        parts.append(f'<path d="M{left} {y:.1f}H{right}" stroke="{GRID}"/>')
        parts.append(text(left - 6, y + 4, f"{25 * k * most:.3g} %", "end"))
    spots = [(left + r.plan.ram * sx, bottom - r.gain * sy, r) for r in fit.rows]
    parts.append(f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y, _ in spots)}" fill="none" stroke="{INK}"/>')
    for x, y, row in spots:
        size, fill = (6, LOSS) if row is fit.pick else (3.5, INK)
        label = f"{row.plan.ram:,} bytes, {row.weights:,} weights, {row.cost:,.0f} {fit.unit}: {row_flags(fit, row)}"
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" fill="{fill}"><title>{escape(label)}</title></circle>'
        )
    parts += [text(left, bottom + 15, "0", "middle"), text(right, bottom + 15, f"{limit:,} bytes of RAM", "end")]
    parts.append(text(left, height - 6, "expected gain; the large dot is the pick", "start"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def row_flags(fit: Fit, row: Row) -> str:
    """The flags that make a row of the user's settings."""
    return flags_of(fit.base, row.config) or "the settings as they are"


def frontier_page(fit: Fit, limit: int, importance: Importance | None) -> str:
    """One HTML file with picture and table."""
    plan = fit.pick.plan
    title = escape(f"{plan.graph.name} on {plan.board.id}")
    head = "".join(f"<th>{name}</th>" for name in ("RAM", "weights", fit.unit, "gain", "flags"))
    lines = [
        f"<tr{' class=pick' if row is fit.pick else ''}><td>{row.plan.ram:,}</td><td>{row.weights:,}</td>"
        f"<td>{row.cost:,.0f}</td><td>{escape(gain_text(row.gain))}</td><td>{escape(row_flags(fit, row))}</td></tr>"
        for row in fit.rows
    ]
    style = (
        "body { font: 15px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }"
        " td, th { padding: .2rem .5rem; text-align: right } td:last-child, th:last-child { text-align: left }"
        " .pick { font-weight: bold }"
    )
    return "\n".join(
        [
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
            f"<style>{style}</style></head><body><h1>What can learn: {title}</h1>",
            frontier_svg(fit, limit),
            f"<p>Gain is {escape(meaning(importance))}.</p>",
            f"<table><tr>{head}</tr>",
            *lines,
            f"</table><footer>Made by edgelearn {__version__}.</footer></body></html>\n",
        ]
    )


def fit_figures(fit: Fit, importance: Importance | None) -> dict[str, Any]:
    """Everything that a search found, for `--json`; `settings` are the changes to the user's own."""
    plan = fit.pick.plan
    return {
        "model": plan.graph.name,
        "board": plan.board.id,
        "limits": {
            "ram": plan.limits.ram,
            "flash": plan.limits.flash,
            "macs": fit.budget.macs,
            "insn": fit.budget.insn,
        },
        "gain": {"by": importance.rank if importance else "macs", "meaning": meaning(importance)},
        "other_optimizer": fit.thrifty,
        "tried": fit.tried,
        "planned": fit.made,
        "rows": [
            {
                "flags": flags_of(fit.base, row.config),
                "settings": msgspec.to_builtins(changed(fit.base, row.config)),
                "plan": row.plan.hash,
                "ram": row.plan.ram,
                "flash": row.plan.model_flash,
                "weights": row.weights,
                "macs": row.plan.training_macs,
                "insn": None if (insn := row.plan.training_insn) is None else round(insn),
                "gain": row.gain,
                "pick": row is fit.pick,
            }
            for row in fit.rows
        ],
    }
