"""`edgelearn run`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from edgelearn.cli.options import course_options, port_option, session_options, source_options
from edgelearn.cli.output import emit, table, tell

if TYPE_CHECKING:
    from edgelearn.cli.training import Run


@click.command("run")
@session_options
@port_option
@source_options
@click.option("--no-flash", is_flag=True, help="The program is on the board already.")
@click.option("--restore/--fresh", default=None, help="With --save-every: go on from what was saved, or forget it.")
@click.option("--tensorboard", metavar="DIR", help="Write event files for TensorBoard.")
@course_options
def command(
    as_json: bool, port: str | None, no_flash: bool, restore: bool | None, tensorboard: str | None, **flags: Any
) -> None:
    """Train on the board: plan, build, start, train, check, export.

    Evaluates on held-out samples before and after, compares the board with the
    desktop reference, and writes trained.onnx or trained.tflite, metrics.jsonl,
    curve.png and report.html. Where the runtime of such a file is installed,
    the accuracy of what was written is measured too. With --json every event is
    one line of JSON, the last one sums up. An emulated board is started; a real
    one is loaded first and trains on its port.
    """
    from edgelearn.cli.building import build_plan, check_saving, check_tools, load_program, on_port
    from edgelearn.cli.pipeline import load_data, plan_job
    from edgelearn.cli.settings import make_job
    from edgelearn.cli.training import finish, save, train

    job, port = on_port(make_job(flags), port, loads=not no_flash)
    check_saving(job, port, restore)
    loads = port is not None and not no_flash and job.board.platformio is not None
    # What PlatformIO loads it compiles itself, and that is what must be held to the plan.
    builder = check_tools(job, "platformio" if loads else None, starts=port is None)
    plan = plan_job(job, instead=True)
    data = load_data(job, plan)
    folder = job.out
    image = build_plan(job, plan, folder / "build", builder=builder)
    if loads:
        load_program(folder / "build", job.board, port)
    on_line = emit if as_json else None
    run = train(job, plan, image, data, folder, port=port, restore=restore, tensorboard=tensorboard, on_line=on_line)
    save(job, run, data, folder)
    if as_json:
        emit({"event": "done", **run.figures, "files": [str(path) for path in run.files]})
    else:
        _summary(run)
    finish(run, folder)


def _summary(run: Run) -> None:
    from edgelearn.cli.prefix import prefix_lines
    from edgelearn.plots import ASCII, BLOCKS, sparkline

    if run.cut:
        for line in (*prefix_lines(run.plan, run.cut), ""):
            tell(line)
    before, after, file = run.outcome.before, run.outcome.after, run.exported
    if before and after:
        scores = {"before": before, "after": after} | ({file.file: file} if file else {})
        rows = [
            (key, *(f"{getattr(s, key):{form}}" if getattr(s, key) is not None else "" for s in scores.values()))
            for key, form in (("accuracy", ".3f"), ("loss", ".4f"))
            if getattr(after, key) is not None
        ]
        rows += [
            (f"accuracy, {phase}", f"{before.by_phase[phase]:.3f}", f"{share:.3f}", *([""] if file else []))
            for phase, share in after.by_phase.items()
        ]
        for line in table((f"on {after.samples:,} held-out samples", *scores), rows, right=(1, 2, 3)):
            tell(line)
    losses = [e["loss"] for e in run.events if e["event"] == "step" and e["loss"] is not None]
    if losses:
        marks = BLOCKS if (sys.stdout.encoding or "").lower().startswith("utf") else ASCII
        tell(f"training loss {sparkline(losses, 56, marks)}")
    for path in run.files:
        tell(f"wrote {path}")
