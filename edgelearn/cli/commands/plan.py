"""`edgelearn plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from edgelearn.cli.options import (
    board_option,
    data_option,
    fit_options,
    json_option,
    limit_options,
    model_argument,
    train_options,
)
from edgelearn.cli.output import WIDTH, bar, emit, percent, table, tell, wrap

if TYPE_CHECKING:
    from edgelearn.plan import Plan

LEGEND_ROWS = 12


@click.command("plan")
@model_argument
@data_option
@board_option
@limit_options
@fit_options
@train_options
@json_option
def command(
    as_json: bool,
    fit: bool,
    max_macs: float | None,
    rank: str | None,
    rank_samples: int | None,
    plot: str | None,
    write: bool,
    **flags: Any,
) -> None:
    """Show every byte of RAM before anything is compiled.

    MODEL is an ONNX or TensorFlow Lite file. What is not given here comes from
    edgelearn.toml in the current folder. Of flash the weights are planned; code is
    measured by `edgelearn build`.

    With --fit: what of the model can learn within the board's RAM and flash, or
    --ram, --flash and --max-macs, as a table of plans that were made. With
    --data layers are ranked by what they are worth.
    """
    if fit:
        from edgelearn.cli.frontier import show_fit

        show_fit(flags, as_json, max_macs, rank, rank_samples, plot, write)
        return
    only = {"--max-macs": max_macs, "--rank": rank, "--rank-samples": rank_samples, "--plot": plot, "--write": write}
    if alone := next((flag for flag, value in only.items() if value), None):
        from edgelearn.errors import UsageError

        raise UsageError(f"{alone} goes with --fit", where=alone, hint=f"edgelearn plan --fit {alone} ...")
    from edgelearn.cli.pipeline import compare_prefix, load_data, plan_job
    from edgelearn.cli.prefix import prefix_lines
    from edgelearn.cli.settings import make_job
    from edgelearn.report import plan_figures

    job = make_job(flags)
    plan = plan_job(job)
    cut = compare_prefix(plan, load_data(job, plan)) if job.config.int8_prefix else None
    if as_json:
        emit(plan_figures(plan, cut))
        return
    prefix = ("", *prefix_lines(plan, cut)) if cut else ()
    for line in (*_head(plan), "", *_layers(plan), "", *_memory(plan), "", *_arena(plan), "", *_savings(plan), *prefix):
        tell(line)


def _head(plan: Plan) -> list[str]:
    figures = plan.config
    trained = sum(t.count for t, _ in plan.params.tensors)
    total = plan.weights
    how = figures.rule if figures.method == "full" else f"{figures.rule}, method {figures.method}"
    text = (
        f"{plan.graph.name} on {plan.board.id}: trains {trained:,} of {total:,} weights with {how},"
        f" batch {figures.batch}, {plan.graph.meta['loss']}, samples in {plan.samples}"
    )
    lines = wrap(text)
    if plan.config.precision != "fp32":
        from edgelearn.report import precision_words

        lines += wrap(precision_words(plan))
    if about := plan.approximated():
        lines += wrap(f"approximate derivatives (hard_swish_signed): {', '.join(about)}")
    return lines


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _isas(names: tuple[str, ...]) -> str:
    """The instruction sets of a layer's kernels, in the order of first use."""
    return ",".join(dict.fromkeys(name.rpartition("__")[2] for name in names))


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "~"


def _layers(plan: Plan) -> list[str]:
    from edgelearn.report import layers

    rows: list[tuple[object, ...]] = []
    found = layers(plan)
    for layer in found:
        weights = f"{layer.weights:,}" if layer.trained else f"({layer.weights:,})" if layer.weights else ""
        row = (_short(layer.name, 16), _short(layer.op, 14), _shape(layer.shape), weights)
        macs = (f"{layer.forward_macs:,}", f"{layer.backward_macs:,}")
        rows.append((*row, *(m if m != "0" else "" for m in macs), _isas(layer.kernels)))
    totals = (f"{sum(x.forward_macs for x in found):,}", f"{sum(x.backward_macs for x in found):,}")
    rows.append(("a sample", "", "", "", *totals, ""))
    lines = table(("layer", "op", "output", "weights", "MACs fwd", "MACs bwd", "kernel"), rows, right=(3, 4, 5))
    frozen = any(x.weights and not x.trained for x in found)
    return [*lines, "(weights in brackets are frozen)"] if frozen else lines


def _memory(plan: Plan) -> list[str]:
    board, weights = plan.board, plan.model_flash
    ram = [
        ("weights", plan.params.nbytes),
        ("optimizer", plan.state.nbytes),
        ("arena", plan.arena_bytes),
        ("samples", plan.store_bytes),
        *([("latents", plan.replay_bytes)] if plan.replay_bytes else []),
        ("runtime", board.runtime_ram),
        ("stack", board.stack),
    ]
    flash = [("trained", plan.params.nbytes), ("frozen", plan.consts.nbytes)]
    lines = []
    groups = (("RAM", ram, plan.ram, plan.limits.ram, ""), ("flash", flash, weights, plan.limits.flash, " + code"))
    for name, parts, used, limit, more in groups:
        share = used / limit
        lines.append(f"{name:<6}{bar(share)} {used:,}{more} of {limit:,} bytes, {percent(share)}")
        lines += [f"  {part:<10}{size:>12,}" for part, size in parts]
        if used == plan.ram and len(plan.regions) > 1:
            lines += [f"  in {memory}: {have:,} of {size:,}" for memory, (have, size) in plan.regions.items()]
    return lines


def _arena(plan: Plan) -> list[str]:
    from edgelearn.plan import peak_step
    from edgelearn.plots import arena_text, slot_letters

    arena, peak = plan.arena, peak_step(plan)
    above = arena.nbytes - arena.lower_bound
    least = "no order of these steps and no placement needs less"
    if not plan.schedule.exact:
        least = "no placement of these steps needs less; of their orders, not all were tried"
    reached = least if above <= 0 else f"{above:,} bytes above the lower bound"
    lines = [f"arena {arena.nbytes:,} bytes; steps run to the right, addresses down", ""]
    lines += arena_text(plan)
    lines += wrap(
        f"fullest at step {peak.index} of {len(plan.schedule.steps)}, {peak.node.name}:"
        f" {arena.lower_bound:,} bytes live; {reached}"
    )
    shown = slot_letters(plan)[:LEGEND_ROWS]
    rows = [
        (
            letter,
            f"{s.offset:,}",
            f"{s.size:,}",
            f"{max(s.buffer.first, 0)}..{s.buffer.last}",
            _short(", ".join(s.buffer.tensors) or s.buffer.name, WIDTH - 36),
        )
        for letter, s in shown
    ]
    lines += ["", *table(("", "offset", "bytes", "steps", "holds"), rows, right=(1, 2))]
    rest = len(arena.slots) - len(shown)
    if rest > 0:
        lines.append(f"and {rest} smaller ones; --json lists them all")
    return lines


def _savings(plan: Plan) -> list[str]:
    from edgelearn.peaks import peaks

    rows = peaks(plan)
    most = max(row.nbytes for row in rows)
    lines = table(("arena", "bytes", ""), [(r.way, f"{r.nbytes:,}", bar(r.nbytes / most)) for r in rows], right=(1,))
    if dropped := plan.graph.meta["dropped"]:
        before = plan.training_macs - plan.recomputed_macs
        lines += wrap(
            f"computed a second time: {', '.join(dropped)}: {plan.recomputed_macs:,} MACs a sample,"
            f" {percent(plan.recomputed_macs / before)} more"
        )
    if held := plan.graph.meta["held"]:
        lines += wrap(f"gradient held back until its layer's input is no longer needed: {', '.join(held)}")
    return lines
