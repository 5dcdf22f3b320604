"""`edgelearn test`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgelearn.cli.options import Size, course_options, session_options
from edgelearn.cli.output import Timer, emit, say, table, tell
from edgelearn.errors import EdgelearnError, NumbersError, UsageError

if TYPE_CHECKING:
    from edgelearn.cli.limits import Case
    from edgelearn.cli.settings import Job


@click.command("test")
@session_options
@click.option("--min-accuracy", type=click.FloatRange(0, 1), help="Held-out accuracy after training, 0 to 1.")
@click.option("--max-loss", type=click.FloatRange(0), help="Held-out loss after training.")
@click.option("--max-ram", type=Size(), metavar="SIZE", help="RAM: weights, state, arena, runtime and stack.")
@click.option("--max-flash", type=Size(), metavar="SIZE", help="Flash: code and constants as linked.")
@click.option(
    "--max-insn",
    type=click.IntRange(min=1),
    help="Instructions for one training sample: forward, loss, backward and its share of the updates, without the"
    " link; the mean over the run.",
)
@click.option(
    "--max-cycles", type=click.IntRange(min=1), help="The same in clock cycles, on a board whose core is simulated."
)
@click.option("--junit", metavar="FILE", help="Write the results as JUnit XML.")
@course_options
def command(as_json: bool, junit: str | None, **flags: Any) -> None:
    """Train on an emulated board and hold limits, for your own CI.

    Every limit is reported with its value, the limit and the difference. Exit
    code 5 if one is missed or if the board's numbers are not the reference's.
    """
    from edgelearn.cli.files import check_file, write_text
    from edgelearn.cli.limits import junit_xml
    from edgelearn.cli.settings import make_job

    job = make_job(flags)
    _check_units(job)
    check_file(junit, "--junit")
    timer = Timer()
    cases, broken = _try(job)
    if junit:
        write_text(Path(junit), junit_xml(f"edgelearn test {job.model.stem}", cases, timer.seconds))
        say(f"wrote {junit}")
    missed = [case for case in cases if not case.passed]
    if as_json:
        emit({"passed": not missed, "cases": [case.to_json() for case in cases]})
    else:
        rows = [(case.verdict, case.name, case.value, case.limit, case.difference) for case in cases]
        for line in table(("", "check", "value", "limit", "difference"), rows, right=(2, 3, 4)):
            tell(line)
    if broken:
        raise broken
    if missed:
        raise NumbersError(
            f"{len(missed)} of {len(cases)} checks missed",
            where=f"{job.model.name} on {job.board.id}",
            details=tuple(f"{c.name}: {c.message}" for c in missed),
        )


def _check_units(job: Job) -> None:
    """UsageError for a limit in a unit that the board does not count."""
    from edgelearn.boards import UNIT_WORDS

    counted = job.board.unit if job.board.emulated else None
    for unit, word in UNIT_WORDS.items():
        if unit != counted and job.checks.most(unit) is not None:
            hint = f"use --max-{counted}" if counted else f"use --max-{unit} with an emulated board"
            raise UsageError(f"'{job.board.id}' does not count {word}", hint=hint)


def _try(job: Job) -> tuple[list[Case], EdgelearnError | None]:
    """Train and judge; an error that ended it is a case of its own."""
    from edgelearn.cli.building import build_plan, check_tools
    from edgelearn.cli.limits import failed_case, judge
    from edgelearn.cli.pipeline import load_data, plan_job
    from edgelearn.cli.training import save, train

    folder = job.out
    try:
        check_tools(job)
        plan = plan_job(job, instead=True)
        data = load_data(job, plan)
        image = build_plan(job, plan, folder / "build")
        count = job.checks.most(job.board.unit) is not None
        run = train(job, plan, image, data, folder, count=count, restore=False)  # a check of the whole run, each time
        save(job, run, data, folder)
    except EdgelearnError as error:
        return [failed_case(error)], error
    if run.interrupted:
        raise KeyboardInterrupt
    if run.error:
        return [failed_case(run.error)], run.error
    return judge(job.checks, plan, image, run.outcome), None
