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
    max_insn: float | None,
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
    --ram, --flash and --max-macs or --max-insn, as a table of plans that were
    made. With --data layers are ranked by what they are worth.
    """
    if fit:
        from edgelearn.cli.frontier import show_fit

        show_fit(flags, as_json, max_macs, max_insn, rank, rank_samples, plot, write)
        return
    only = {"--max-macs": max_macs, "--max-insn": max_insn, "--rank": rank, "--rank-samples": rank_samples,
            "--plot": plot, "--write": write}  # fmt: skip
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
    if plan.config.multiply != "float":
        from edgelearn.report import product_words

        lines += wrap(product_words(plan))
    if about := plan.approximated():
        lines += wrap(f"approximate derivatives (hard_swish_signed): {', '.join(about)}")
    if plan.shift_latents:
        from edgelearn.report import latents_words

        lines += wrap(latents_words(plan))
    return lines


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _isas(names: tuple[str, ...]) -> str:
    """The instruction sets of a layer's kernels, in the order of first use."""
    return ",".join(dict.fromkeys(name.rpartition("__")[2] for name in names))


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "~"


def _thousands(count: float | None) -> str:
    """A count in five columns."""
    if count is None:
        return ""
    if count < 9_999.5:
        return f"{count:,.0f}"
    unit, letter = next((u, x) for u, x in ((1e9, "G"), (1e6, "M"), (1e3, "K")) if count >= 0.9995 * u)
    return f"{count / unit:.3g}{letter}" if count < 999.5 * unit else f"{count / unit:,.0f}{letter}"


def _layers(plan: Plan) -> list[str]:
    from edgelearn.report import insn_figures, layers

    rows: list[tuple[str, ...]] = []
    found, insn = layers(plan), insn_figures(plan)
    for layer in found:
        weights = f"{layer.weights:,}" if layer.trained else f"({layer.weights:,})" if layer.weights else ""
        macs = (f"{layer.forward_macs:,}", f"{layer.backward_macs:,}")
        figures = (weights, *(m if m != "0" else "" for m in macs), *([_thousands(layer.insn)] if insn else []))
        rows.append((layer.name, layer.op, _shape(layer.shape), *figures, _isas(layer.kernels)))
    totals = (f"{sum(x.forward_macs for x in found):,}", f"{sum(x.backward_macs for x in found):,}")
    rows.append(("a sample", "", "", "", *totals, *([_thousands(insn["training"])] if insn else []), ""))
    header = ("layer", "op", "output", "weights", "MACs fwd", "MACs bwd", *(["insn"] if insn else []), "kernel")
    lines = table(header, _narrowed(rows, header), right=(3, 4, 5, 6) if insn else (3, 4, 5))
    frozen = any(x.weights and not x.trained for x in found)
    lines += ["(weights in brackets are frozen)"] if frozen else []
    return [*lines, *(wrap(_about(plan, insn)) if insn else [])]


def _narrowed(rows: list[tuple[str, ...]], header: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Names of layers, ops and kernels as short as the line needs."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    kernels = min(widths[-1], 16)
    room = WIDTH - sum(widths[2:-1]) - kernels - 2 * (len(widths) - 1)
    name = min(widths[0], 16, max(8, room - widths[1]))
    op = min(widths[1], 14, max(8, room - name))
    last = room + kernels - name - op
    return [(_short(row[0], name), _short(row[1], op), *row[2:-1], _short(row[-1], last)) for row in rows]


def _about(plan: Plan, insn: dict[str, Any]) -> str:
    """What the column insn is."""
    text = (
        f"insn: instructions of a sample as costs recorded on {plan.board.id} predict them, {insn['training']:,} in all"
    )
    if plan.config.batch > 1:
        text += ", updates included"
    if left := insn["without_steps"]:
        text += f", without {len(left)} steps whose kernels have no costs"
    return text


def _memory(plan: Plan) -> list[str]:
    from edgelearn.report import saving_words

    board, weights = plan.board, plan.model_flash
    ram = [
        ("weights", plan.params.nbytes),
        ("optimizer", plan.state.nbytes - plan.shift_latents),
        *([("of shifts", plan.shift_latents)] if plan.shift_latents else []),
        ("arena", plan.arena_bytes),
        ("samples", plan.store_bytes),
        *([("latents", plan.replay_bytes)] if plan.replay_bytes else []),
        ("runtime", board.runtime_ram),
        ("stack", board.stack),
    ]
    flash = [("trained", plan.params.nbytes), ("frozen", plan.consts.nbytes)]
    flash += [("samples", plan.set_used)] if plan.set_used else []
    lines = []
    groups = (("RAM", ram, plan.ram, plan.limits.ram, ""), ("flash", flash, weights, plan.limits.flash, " + code"))
    for name, parts, used, limit, more in groups:
        share = used / limit
        lines.append(f"{name:<6}{bar(share)} {used:,}{more} of {limit:,} bytes, {percent(share)}")
        lines += [f"  {part:<10}{size:>12,}" for part, size in parts]
        if used == plan.ram and len(plan.regions) > 1:
            lines += [f"  in {memory}: {have:,} of {size:,}" for memory, (have, size) in plan.regions.items()]
    return [*lines, *wrap(saving_words(plan))]


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
    if plan.spared:
        what = "1 step takes a kernel" if len(plan.spared) == 1 else f"{len(plan.spared)} steps take kernels"
        lines += wrap(f"for want of RAM {what} with less scratch: {', '.join(plan.spared)}")
    if held := plan.graph.meta["held"]:
        lines += wrap(f"gradient held back until its layer's input is no longer needed: {', '.join(held)}")
    return lines
