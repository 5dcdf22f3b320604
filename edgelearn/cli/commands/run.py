"""`edgelearn run`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from edgelearn.cli.options import course_options, port_option, session_options, source_options
from edgelearn.cli.output import emit, say, table, tell
from edgelearn.cli.sensing import LABELS

if TYPE_CHECKING:
    from edgelearn.cli.training import Run


@click.command("run")
@session_options
@port_option
@source_options
@click.option("--no-flash", is_flag=True, help="The program is on the board already.")
@click.option("--restore/--fresh", default=None, help="With --save-every: go on from what was saved, or forget it.")
@click.option("--restore-best", is_flag=True, help="The same, from the save with the smallest loss.")
@click.option(
    "--from-sensor", type=click.IntRange(min=1), metavar="N", help="Train on N samples of --sensor, in place of --data."
)
@click.option(
    "--held-out",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="With --from-sensor: evaluate N more of them, before and after.",
)
@click.option(
    "--labels",
    type=click.Choice(LABELS),
    default=LABELS[0],
    help="Who says what the sensor's samples are: the board's button, or lines on stdin, '3' or '3 20'.",
)
@click.option("--tensorboard", metavar="DIR", help="Write event files for TensorBoard.")
@course_options
def command(
    as_json: bool,
    port: str | None,
    no_flash: bool,
    restore: bool | None,
    restore_best: bool,
    from_sensor: int | None,
    held_out: int,
    labels: str,
    tensorboard: str | None,
    **flags: Any,
) -> None:
    """Train on the board: plan, build, start, train, check, export.

    Evaluates on held-out samples before and after, compares the board with the
    desktop reference, and writes trained.onnx or trained.tflite, metrics.jsonl,
    curve.png and report.html. Where the runtime of such a file is installed,
    the accuracy of what was written is measured too. With --json every event is
    one line of JSON, the last one sums up. An emulated board is started; a real
    one is loaded first and trains on its port. With --from-sensor the board
    takes its samples itself, and each is labelled as it comes.
    """
    from edgelearn.cli.building import build_plan, check_saving, check_tools, load_program, on_port
    from edgelearn.cli.pipeline import load_data, plan_job
    from edgelearn.cli.sensing import sensing_of, sensor_job
    from edgelearn.cli.settings import make_job
    from edgelearn.cli.training import finish, save, train

    job, port = on_port(make_job(flags), port, loads=not no_flash)
    sensing = sensing_of(job, from_sensor, held_out, labels, data=flags["data"] is not None)
    if sensing:
        job = sensor_job(job)
    elif job.sensor:
        say("note: this run trains on --data; --from-sensor N takes the sensor's samples")
    restore = check_saving(job, port, restore, best=restore_best)
    loads = port is not None and not no_flash and job.board.platformio is not None
    # What PlatformIO loads it compiles itself, and that is what must be held to the plan.
    builder = check_tools(job, "platformio" if loads else None, starts=port is None)
    plan = plan_job(job, instead=True)
    data = None if sensing else load_data(job, plan)
    folder = job.out
    image = build_plan(job, plan, folder / "build", builder=builder)
    if loads:
        load_program(folder / "build", job.board, port)
    on_line = emit if as_json else None
    run = train(
        job,
        plan,
        image,
        data,
        folder,
        port=port,
        restore=restore,
        best=restore_best,
        sensing=sensing,
        tensorboard=tensorboard,
        on_line=on_line,
    )
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
