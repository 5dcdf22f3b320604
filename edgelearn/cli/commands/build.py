"""`edgelearn build`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgelearn.cli.building import BUILDERS
from edgelearn.cli.options import (
    board_option,
    carrier_option,
    data_option,
    json_option,
    limit_options,
    model_argument,
    out_option,
    source_options,
    train_options,
)
from edgelearn.cli.output import emit, percent, say, table, tell


@click.command("build")
@model_argument
@data_option
@board_option
@carrier_option
@out_option("build")
@click.option(
    "--builder",
    type=click.Choice(BUILDERS),
    help="Who compiles: the compiler that is installed, or PlatformIO.  [default: the former where it can]",
)
@click.option("--overwrite", is_flag=True, help="Replace generated files that somebody has changed.")
@click.option("--write-only", is_flag=True, help="Write the project and compile nothing.")
@click.option(
    "--library",
    is_flag=True,
    help="Write a library for Arduino and PlatformIO that trains from your own sketch; for every core, or for --board.",
)
@source_options
@limit_options
@train_options
@json_option
def command(
    as_json: bool,
    out: str | None,
    builder: str | None,
    overwrite: bool,
    write_only: bool,
    library: bool,
    **flags: Any,
) -> None:
    """Compile the training program for a board.

    Writes a PlatformIO project of readable C that an IDE can open, compiles it,
    and checks that the linker placed exactly the bytes that were planned. Files
    of your own in its src/ are compiled too; src/main is yours from the start.
    """
    from edgelearn.cli.building import build_plan, check_tools, library_job, write_library, write_project
    from edgelearn.cli.pipeline import plan_job
    from edgelearn.cli.settings import make_job
    from edgelearn.report import image_figures

    job = make_job(flags)
    if library:
        from edgelearn.build.library import library_name
        from edgelearn.errors import UsageError

        for flag, given in (("--builder", builder), ("--carrier", flags["carrier"])):
            if given:
                raise UsageError(f"{flag} is of projects; --library writes C that your own sketch is compiled with")

        job = library_job(job, named=flags["board"] is not None)
        plan = plan_job(job, instead=True)
        name = library_name(plan)
        folder = Path(out or Path(flags["project"] or ".") / name)
        write_library(job, plan, folder, overwrite=overwrite)
        say(f"wrote {folder}: a library for Arduino and PlatformIO, {plan.model_ram:,} bytes of RAM in its arrays")
        if as_json:
            emit({"plan": plan.hash, "library": str(folder), "name": name})
        return
    chosen = "" if write_only else check_tools(job, builder, starts=False)
    plan = plan_job(job, instead=True)
    folder = Path(out) if out else Path(flags["project"] or ".") / "build"
    if write_only:
        write_project(job, plan, folder, overwrite=overwrite)
        say(f"wrote {folder}: a PlatformIO project for {job.board.id}")
        if as_json:
            emit({"plan": plan.hash, "project": str(folder)})
        return
    image = build_plan(job, plan, folder, builder=chosen, overwrite=overwrite)
    figures = image_figures(image)
    if as_json:
        elf = folder / "image.elf" if chosen == "system" else image.elf
        emit({**figures, "plan": plan.hash, "elf": str(elf), "project": str(folder)})
        return
    rows: list[tuple[str, ...]] = []
    for name, limit in (("ram", plan.limits.ram), ("flash", plan.limits.flash)):
        parts = dict(figures[name])
        total = parts.pop("total")
        if name == "ram" and not plan.board.bare:
            # A native process has the stack that the system gives it, a framework's program that of the framework.
            total, parts["stack"] = plan.ram, plan.board.stack
        rows += [(name if k == 0 else "", part, f"{size:,}", "") for k, (part, size) in enumerate(parts.items())]
        rows.append(("", "total", f"{total:,}", f"{percent(total / limit)} of {limit:,}"))
    for line in table(("", "linked", "bytes", ""), rows, right=(2,)):
        tell(line)
