"""A page for people about a run: one HTML file with everything in it, which needs no network."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from edgelearn import __version__, plots
from edgelearn.boards import UNIT_WORDS
from edgelearn.charts import Series, svg_chart
from edgelearn.plan import Plan, peak_step
from edgelearn.report import layers


def _scaling_facts(figures: dict[str, Any]) -> list[tuple[str, str]]:
    if figures["loss_scale"] is None:
        return []
    skipped = f"{figures['skipped_updates']:,} updates left out for a gradient that was not finite"
    return [("precision", figures["precision"]), ("loss scale at the end", f"{figures['loss_scale']:,.0f}; {skipped}")]


STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2933; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% } td, th { padding: .2rem .5rem; border-bottom: 1px solid #d9e2ec }
th { text-align: left } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
img, svg { width: 100%; height: auto } footer { margin-top: 3rem; color: #627d98 }
"""


def html_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table; columns of numbers alone are right-aligned."""
    numeric = [all(isinstance(r[k], int | float) for r in rows) if rows else False for k in range(len(header))]

    def cell(tag: str, k: int, value: object) -> str:
        text = f"{value:,}" if isinstance(value, int | float) else str(value)
        return f"<{tag}{' class=n' if numeric[k] else ''}>{escape(text)}</{tag}>"

    lines = ["<table>", "<tr>" + "".join(cell("th", k, h) for k, h in enumerate(header)) + "</tr>"]
    lines += ["<tr>" + "".join(cell("td", k, v) for k, v in enumerate(row)) + "</tr>" for row in rows]
    return "\n".join([*lines, "</table>"])


def _scores(figures: dict[str, Any]) -> str:
    file = figures["exported"]
    columns = {"before": figures["before"] or {}, "after": figures["after"] or {}}
    columns |= {f"{file['file']} in {file['runtime']}": file} if file else {}
    rows = [
        (key, *(f"{s[key]:.4g}" if s.get(key) is not None else "–" for s in columns.values()))
        for key in ("accuracy", "loss")
        if columns["before"].get(key) is not None
    ]
    shares = {name: score.get("by_phase") or {} for name, score in columns.items()}
    rows += [
        (f"accuracy, {phase}", *(f"{found[phase]:.4g}" if phase in found else "–" for found in shares.values()))
        for phase in shares["after"]
    ]
    return html_table(("held out", *columns), rows)


def _prefix_facts(prefix: dict[str, Any] | None) -> list[tuple[str, str]]:
    if prefix is None:
        return []
    ratios = ", ".join(f"{name} {value:.1f} dB" for name, value in prefix["snr_db"].items() if value is not None)
    kept = f"{prefix['ram']['int8']:,} bytes of RAM instead of {prefix['ram']['f32']:,}"
    return [
        ("int8 prefix", f"{prefix['layers']} of {prefix['frozen_layers']} frozen layers; {kept}"),
        ("signal to noise where training begins", ratios),
    ]


def _error(value: float | None) -> str:
    return "not compared" if value is None else f"{value:.1e}"


def link_words(link: Mapping[str, int]) -> str:
    """What the host counted on the link: frames, and what was put right."""
    return f"{link['frames']:,} frames, {link['resends']:,} sent again, {link['damaged']:,} damaged"


def _norms(events: Sequence[dict[str, Any]]) -> list[str]:
    """The gradient's norm over the samples, where the board computed it."""
    found = [(float(e["samples"]), e["grad_norm"]) for e in events if e["event"] == "step" and e.get("grad_norm")]
    chart = svg_chart("gradient norm", [Series("before clipping", plots.INK, found)], "samples")
    return [f"<h2>Gradient norm</h2>{chart}"] if chart else []


def run_page(plan: Plan, figures: dict[str, Any], events: Sequence[dict[str, Any]], png: bytes | None) -> str:
    """One HTML file with everything in it: figures, curve, memory map, layers."""
    curve = plots.curve_svg(events)
    if png is not None:
        curve = f'<img alt="curve" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
    title = escape(f"{figures['model']} on {figures['board']}")
    unit = plan.board.unit
    spent = figures[f"{unit}_per_sample"]
    facts = [
        ("training samples", f"{figures['samples']:,}"),
        ("updates", f"{figures['steps']:,}"),
        ("time here", f"{figures['seconds']:.1f} s"),
        (f"{UNIT_WORDS[unit]} for one training sample", f"{spent:,} {unit}" if spent else "not counted"),
        *([("predicted", f"{predicted:,} insn")] if (predicted := figures["insn_predicted"]) else []),
        ("RAM", f"{figures['ram']['total']:,} of {plan.limits.ram:,} bytes"),
        ("flash", f"{figures['flash']['total']:,} of {plan.limits.flash:,} bytes"),
        ("stack used", f"{figures['stack_used']:,} of {plan.board.stack:,} bytes"),
        ("largest loss error against the reference", _error(figures["loss_error"])),
        ("largest prediction error against the reference", _error(figures["output_error"])),
        *_prefix_facts(figures["int8_prefix"]),
        *_scaling_facts(figures),
        *([("link", link_words(figures["link"]))] if figures["link"] else []),
        ("plan", figures["plan"]),
    ]
    table = [
        (x.name, x.op, "×".join(map(str, x.shape)), x.weights, x.trained, x.forward_macs, x.backward_macs)
        for x in layers(plan)
    ]
    header = ("layer", "op", "output", "weights", "trained", "MACs forward", "MACs backward")
    stopped = f"<p><strong>Stopped: {escape(figures['stopped'])}</strong></p>" if figures["stopped"] else ""
    return "\n".join(
        [
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
            f"<style>{STYLE}</style></head><body><h1>{title}</h1>{stopped}",
            _scores(figures),
            f"<h2>Training</h2>{curve}",
            *_norms(events),
            html_table(("what", "value"), facts),
            f"<h2>Arena, {plan.arena_bytes:,} bytes</h2>{plots.arena_svg(plan)}",
            f"<p>The largest live set is {plan.arena.lower_bound:,} bytes, at {escape(peak_step(plan).node.name)}:"
            " no placement of these steps can need less.</p>",
            f"<h2>Layers</h2>{html_table(header, table)}",
            f"<footer>Made by edgelearn {__version__}.</footer></body></html>\n",
        ]
    )
