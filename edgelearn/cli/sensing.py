"""A run on samples of the board's own sensor: how many, and who says what they are."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgelearn.cli.output import say
from edgelearn.errors import UsageError

if TYPE_CHECKING:
    from edgelearn.cli.settings import Job
    from edgelearn.plan import Plan
    from edgelearn.session import Ask

LABELS = ("board", "stdin")
NOT_ALONE = "--from-sensor goes with --sensor FILE.c"


@dataclass(frozen=True)
class Sensing:
    """What `--from-sensor`, `--held-out` and `--labels` say."""

    count: int
    held_out: int
    labels: str

    def asks(self, plan: Plan) -> Iterator[Ask] | None:
        """What to do with each sample; None where the board says all labels."""
        if self.labels == "board":
            return None
        outputs: int = math.prod(plan.graph.meta["output"].device_shape)
        classes = 2 if outputs == 1 else outputs
        if sys.stdin.isatty():
            say(f"type a class, 0 to {classes - 1}, for the next sample, or 3 20 for twenty of class 3;")
            say("  ? shows what the board takes the next one for, q ends the run")
        return read_asks(sys.stdin, classes)


def sensing_of(job: Job, count: int | None, held_out: int, labels: str, *, data: bool) -> Sensing | None:
    """What was asked for; None for a run on an archive, UsageError for what does not go together.

    `data`: an archive was named at the command line.
    """
    if count is None:
        for flag, given in (("--held-out", held_out > 0), ("--labels", labels != LABELS[0])):
            if given:
                raise UsageError(f"{flag} goes with --from-sensor", where=flag)
        return None
    if job.sensor is None:
        raise UsageError(NOT_ALONE, where="--from-sensor", hint="examples/wearable/sensor.c is such a file")
    if data:
        raise UsageError("samples come from --data or from the sensor, not from both", where="--from-sensor")
    if held_out and labels == "stdin":
        raise UsageError("held-out samples of a sensor are labelled by the board", where="--held-out")
    return Sensing(count, held_out, labels)


def sensor_job(job: Job) -> Job:
    """The job without room for samples that a host would send."""
    return replace(job, bake=False, config=job.config.with_changes(store=0, store_latents=False, epochs=1))


def read_asks(lines: Iterable[str], classes: int) -> Iterator[Ask]:
    """A class and how many samples of it on each line; `?` to infer, `q` to end. Other lines are named and skipped."""
    from edgelearn.session import Ask
    from edgelearn.wire import Op

    for line in lines:
        what, *more = line.split() or [""]
        if what == "q":
            return
        if not what:
            continue
        times = int(more[0]) if more and more[0].isdecimal() else 1
        if len(more) > 1 or (more and not more[0].isdecimal()):
            say(f"'{line.strip()}' is neither a class nor a class and a number of samples")
        elif what == "?":
            yield from [Ask(op=Op.INFER)] * times
        elif what.isdecimal() and int(what) < classes:
            yield from [Ask(int(what))] * times
        else:
            say(f"'{what}' is no class; they are 0 to {classes - 1}")
