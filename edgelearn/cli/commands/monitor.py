"""`edgelearn monitor`."""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from edgelearn.cli.options import json_option
from edgelearn.cli.output import Timer, emit, lively, say, tell

if TYPE_CHECKING:
    from edgelearn.wire import Hello, Status


@click.command("monitor")
@click.option("--port", required=True, metavar="PORT", help="Serial port, or a URL such as socket://host:port.")
@click.option("--baud", type=click.IntRange(min=1), default=115200, show_default=True)
@click.option("--interval", type=click.FloatRange(min=0.01), default=1.0, show_default=True, help="Seconds.")
@click.option("--count", type=click.IntRange(min=1), help="End after this many readings.")
@click.option("--timeout", type=click.FloatRange(min=0.1), default=10.0, show_default=True, help="Longest silence.")
@json_option
def command(port: str, baud: int, interval: float, count: int | None, timeout: float, as_json: bool) -> None:
    """Watch a running device.

    Reads counters, loss and accuracy again and again until Ctrl-C. It changes
    nothing on the device. With --json every reading is one line of JSON.
    """
    from edgelearn.device import attach
    from edgelearn.link import Link

    timer = Timer()
    with attach(port, baud=baud) as device:
        link = Link(device, timeout=timeout)
        hello = link.hello(timeout=timeout)
        say(f"attached to {port} in {timer}: plan {hello.hash.hex()}, protocol {hello.protocol}")
        if as_json:
            emit({"event": "connected", **_greeting(hello), "port": port})
        taken = 0
        previous: Status | None = None
        while True:
            start = time.monotonic()
            status = link.status()
            _show(status, previous, interval, as_json)
            previous, taken = status, taken + 1
            if taken == count:
                break
            time.sleep(max(0.0, interval - (time.monotonic() - start)))
    if lively():
        say("")


def _greeting(hello: Hello) -> dict[str, Any]:
    fields = asdict(hello)
    del fields["nonce"]
    return {**fields, "hash": hello.hash.hex()}


def _show(status: Status, previous: Status | None, interval: float, as_json: bool) -> None:
    if as_json:
        values = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(status).items()}
        emit({"event": "status", **values})
        return
    pace = (status.samples - previous.samples) / interval if previous else 0.0
    text = (
        f"step {status.step:,}  samples {status.samples:,}  loss {status.mean_loss:.4g}"
        f"  accuracy {status.accuracy:.3f}  lr {status.lr:.3g}  {pace:.1f} samples/s"
    )
    troubles = {"skipped": status.skipped, "damaged": status.damaged, "overruns": status.overruns}
    text += "".join(f"  {name} {number}" for name, number in troubles.items() if number)
    tell(text)
