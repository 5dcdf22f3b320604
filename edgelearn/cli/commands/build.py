"""`edgelearn build`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgelearn.cli.options import (
    board_option,
    carrier_option,
    data_option,
    json_option,
    limit_options,
    model_argument,
    out_option,
    train_options,
)
from edgelearn.cli.output import emit, percent, table, tell


@click.command("build")
@model_argument
@data_option
@board_option
@carrier_option
@out_option("build")
@limit_options
@train_options
@json_option
def command(as_json: bool, out: str | None, **flags: Any) -> None:
    """Compile the training program for a board.

    Writes readable C, the linker script and the image, and checks that the
    linker placed exactly the bytes that were planned.
    """
    from edgelearn.cli.pipeline import build_plan, check_tools, plan_job
    from edgelearn.cli.settings import make_job
    from edgelearn.report import image_figures

    job = make_job(flags)
    check_tools(job)
    plan = plan_job(job, instead=True)
    folder = Path(out) if out else Path(flags["project"] or ".") / "build"
    image = build_plan(job, plan, folder)
    figures = image_figures(image)
    if as_json:
        emit({**figures, "plan": plan.hash, "elf": str(folder / "image.elf")})
        return
    rows: list[tuple[str, ...]] = []
    for name, limit in (("ram", plan.limits.ram), ("flash", plan.limits.flash)):
        parts = dict(figures[name])
        total = parts.pop("total")
        if name == "ram" and not plan.board.emulated:
            # A native process has the stack that the system gives it.
            total, parts["stack"] = plan.ram, plan.board.stack
        rows += [(name if k == 0 else "", part, f"{size:,}", "") for k, (part, size) in enumerate(parts.items())]
        rows.append(("", "total", f"{total:,}", f"{percent(total / limit)} of {limit:,}"))
    for line in table(("", "linked", "bytes", ""), rows, right=(2,)):
        tell(line)
