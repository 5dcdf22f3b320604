"""`edgelearn plan --fit`: the frontier as a table and a plot, the pick, and the files that are asked for."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgelearn.cli.files import write_text
from edgelearn.cli.output import emit, say, table, tell, wrap

if TYPE_CHECKING:
    from edgelearn.cli.settings import Job
    from edgelearn.fit import Fit
    from edgelearn.importance import Importance

ALONE = ("method", "train", "blocks", "fraction", "recompute")


def show_fit(
    flags: dict[str, Any],
    as_json: bool,
    max_macs: float | None,
    max_insn: float | None,
    rank: str | None,
    rank_samples: int | None,
    plot: str | None,
    write: bool,
) -> None:
    """The whole command; UsageError where flags contradict the search."""
    from edgelearn.cli.fitting import choice_of, fit_job
    from edgelearn.cli.pipeline import import_job
    from edgelearn.cli.settings import make_job
    from edgelearn.errors import UsageError
    from edgelearn.fit import Budget
    from edgelearn.frontier import fit_figures, frontier_page, frontier_svg

    given = [name for name in ALONE if flags.get(name) is not None]
    if given:
        raise UsageError(f"--fit is there to find --{given[0]}", where="--fit", hint=f"leave --{given[0]} out")
    if plot and Path(plot).suffix not in (".svg", ".html"):
        raise UsageError(f"'{plot}' is neither .svg nor .html", where="--plot", hint="--plot frontier.svg")
    job = make_job(flags)
    if max_macs and max_insn:
        raise UsageError("a budget is in MACs or in instructions", where="--max-insn", hint="leave one of them out")
    if (rank or rank_samples) and job.data is None:
        from edgelearn.passes.quantize import NO_SAMPLES

        raise UsageError("layers are ranked with samples, and none are given", where="--rank", hint=NO_SAMPLES)
    graph, config = import_job(job)
    budget = Budget(job.ram, job.flash, max_macs, max_insn)
    fit, importance = fit_job(job, graph, config, choice_of(config, rank, rank_samples), budget)
    limit = fit.pick.plan.limits.ram
    if as_json:
        emit(fit_figures(fit, importance))
    else:
        for line in _lines(job, fit, importance):
            tell(line)
    if plot:
        write_text(
            Path(plot), frontier_svg(fit, limit) if plot.endswith(".svg") else frontier_page(fit, limit, importance)
        )
        say(f"wrote {plot}")
    if write:
        _write(job, Path(flags.get("project") or "."), fit)


def _lines(job: Job, fit: Fit, importance: Importance | None) -> list[str]:
    from edgelearn.fit import flags_of
    from edgelearn.frontier import frontier_text, gain_text, meaning, row_flags, shown

    pick, rows = fit.pick, shown(fit)
    limits = pick.plan.limits
    cost = f", {fit.budget.cost:,.0f} {fit.unit} a sample" if fit.budget.cost is not None else ""
    lines = wrap(
        f"{pick.plan.graph.name} on {job.board.id} within {limits.ram:,} bytes of RAM, {limits.flash:,} of flash{cost};"
        f" gain is {meaning(importance)}"
    )
    if job.flash:
        lines += wrap("flash is counted without code, 13 to 40 KB as a rule, which edgelearn build measures")
    if fit.thrifty:
        lines += wrap("nothing fits with the optimizer, batch and kept samples that are set; these are changed as well")
    cells = [
        (
            "*" if row is pick else "",
            f"{row.plan.ram:,}",
            f"{row.weights:,}",
            f"{row.cost:,.0f}",
            gain_text(row.gain),
            row_flags(fit, row),
        )
        for row in rows
    ]
    lines += ["", *table(("", "RAM", "weights", fit.unit, "gain", "flags"), cells, right=(1, 2, 3, 4))]
    if len(fit.rows) > len(rows):
        lines.append(f"and {len(fit.rows) - len(rows)} more between them; --json lists them all")
    lines += ["", *frontier_text(fit.rows, limits.ram), ""]
    total = pick.plan.weights
    lines += wrap(
        f"pick: trains {pick.weights:,} of {total:,} weights in {pick.plan.ram:,} bytes of RAM, {pick.cost:,.0f}"
        f" {fit.unit} a sample"
    )
    flags = flags_of(fit.base, pick.config)
    lines += [f"flags: {flags}" if flags else "flags: none, the settings as they are"]
    return lines


def _write(job: Job, folder: Path, fit: Fit) -> None:
    """The pick into edgelearn.toml; what else stands there stays."""
    from edgelearn.cli.settings import FILE
    from edgelearn.fit.flags import changed

    path = folder / FILE
    if path.is_file():
        text = path.read_text(encoding="utf-8")
    else:
        text = f"model = {json.dumps(str(job.model))}\nboard = {json.dumps(job.board.id)}\n"
    write_text(path, with_settings(text, changed(fit.base, fit.pick.config)))
    say(f"wrote {path}: the pick in [train]")


def with_settings(text: str, changes: dict[str, Any]) -> str:
    """An edgelearn.toml with some keys of [train] set; InputError where that table is not written line by line."""
    from edgelearn.cli.settings import FILE
    from edgelearn.errors import InputError

    lines = text.rstrip("\n").split("\n") if text.strip() else []
    if not any(line.strip() == "[train]" for line in lines):
        lines += ["", "[train]"] if text.strip() else ["[train]"]
    start = next(k for k, line in enumerate(lines) if line.strip() == "[train]") + 1
    end = next((k for k in range(start, len(lines)) if lines[k].startswith("[")), len(lines))
    while end > start and not lines[end - 1].strip():
        end -= 1
    body = [line for line in lines[start:end] if line.partition("=")[0].strip() not in changes]
    body += [f"{key} = {json.dumps(value)}" for key, value in changes.items()]
    found = "\n".join([*lines[:start], *body, *lines[end:]]) + "\n"
    try:
        before, after = tomllib.loads(text), tomllib.loads(found)
    except tomllib.TOMLDecodeError:
        before, after = {}, {}
    if not after or after != {**before, "train": {**before.get("train", {}), **changes}}:
        raise InputError("can't write settings here", where=f"{FILE}: train", hint="a [train] table with a key a line")
    return found
