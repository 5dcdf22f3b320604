"""`edgelearn monitor`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgelearn.cli.options import json_option
from edgelearn.cli.output import say

if TYPE_CHECKING:
    from edgelearn.boards import Board
    from edgelearn.cli.settings import Settings
    from edgelearn.device import Device
    from edgelearn.watch import Watcher

DEFAULT_BAUD = 115200
FIRST_TRY = 3.0  # seconds for an answer at the usual rate, before others are tried


@click.command("monitor")
@click.option("--port", metavar="PORT", help="Serial port, or socket://host:port.  [default: the board found on USB]")
@click.option("--project", metavar="DIR", help="Folder of edgelearn.toml.  [default: this one]")
@click.option("--board", metavar="ID", help="Board to look for on USB.  [default: the project's, else any]")
@click.option(
    "--baud", type=click.IntRange(min=1, max=2_000_000), help="Up to 2000000.  [default: at which it answers]"
)
@click.option("--plan", metavar="FILE", help="plan.json of the build; a board with another plan is refused.")
@click.option("--interval", type=click.FloatRange(min=0.01), default=1.0, show_default=True, help="Seconds.")
@click.option("--count", type=click.IntRange(min=1), help="End after this many readings.")
@click.option("--timeout", type=click.FloatRange(min=0.1), default=10.0, show_default=True, help="For a first answer.")
@click.option(
    "--give-up", type=click.FloatRange(min=0.1), help="How long a lost board may stay away.  [default: for ever]"
)
@click.option("--headless", is_flag=True, help="Lines of text, even on a terminal.")
@click.option("--tensorboard", metavar="DIR", help="Write event files for TensorBoard.")
@click.option("--report", metavar="HTML", help="Write a page with curves and the memory map at the end.")
@json_option
def command(
    port: str | None,
    project: str | None,
    board: str | None,
    baud: int | None,
    plan: str | None,
    interval: float,
    count: int | None,
    timeout: float,
    give_up: float | None,
    headless: bool,
    tensorboard: str | None,
    report: str | None,
    as_json: bool,
) -> None:
    """Watch a running device.

    Reads counters, loss and accuracy again and again until Ctrl-C, and draws
    them on a terminal. It changes nothing on the device, and finds it again
    when it was reset or plugged in anew. With --json every event is one line of
    JSON. The memory map is that of the project's last build, or of --plan.
    """
    from edgelearn.cli.files import check_file
    from edgelearn.cli.settings import board_named, project_settings
    from edgelearn.cli.watching import Watch, read_plan
    from edgelearn.errors import EdgelearnError
    from edgelearn.watch import Watcher

    folder, settings = project_settings(project)
    check_file(report, "--report")
    name = board or settings.board
    chosen = board_named(name) if name else None
    watch = Watch(as_json=as_json, headless=headless, tensorboard=tensorboard, report=report)
    wanted = None
    if plan is not None:
        watch.candidate = (Path(plan), read_plan(Path(plan)))
        wanted = str(watch.candidate[1]["plan"])
    elif (built := _last_build(folder, settings)) is not None:
        watch.candidate = (built, read_plan(built))
    opener = _Opener(port, chosen, baud, named=board is not None)
    watcher = Watcher(opener, watch.on_event, plan=wanted, timeout=timeout, give_up=give_up)
    try:
        if baud is None:
            opener.find_rate(watcher)
        watcher.run(interval, count)
    except EdgelearnError as error:
        watch.stopped = error.message
        raise
    finally:
        watch.close()


class _Opener:
    """Opens the port that was named, or finds the board on USB, each time anew: it may come back under another name."""

    def __init__(self, port: str | None, board: Board | None, baud: int | None, *, named: bool) -> None:
        # The project's board may be an emulated one while a real one is watched.
        self.port, self.board = port, board if named or (board is not None and board.usb is not None) else None
        self.baud = baud or (board.link.baud if board is not None else 0)
        self.serial, self.said = "", False

    def __call__(self) -> Device:
        from edgelearn import boards
        from edgelearn.device import attach
        from edgelearn.ports import find_port

        if self.port is not None:
            return attach(self.port, baud=self.baud or DEFAULT_BAUD)
        found = find_port(self.board, self.serial)
        if not self.said:
            say(f"found {found}")
        self.serial, self.said = found.serial, True
        return attach(found.port, baud=self.baud or boards.load(found.boards[0]).link.baud)

    def find_rate(self, watcher: Watcher) -> None:
        """Where nobody named a rate, and the board does not answer at the usual one, the one at which it does.

        BoardSilent if there is none and the time for a first answer is over.
        """
        from edgelearn.errors import BoardSilent

        if self.port is not None and "://" in self.port:
            return  # a socket has no rate
        try:
            watcher.attach(min(watcher.timeout, FIRST_TRY))
        except BoardSilent as error:
            if error.rate is None and watcher.timeout <= FIRST_TRY:
                raise
            if error.rate is None:
                return  # which is then said after the whole timeout
            self.baud = error.rate
            say(f"it answers at {error.rate:,} baud")


def _last_build(folder: Path, settings: Settings) -> Path | None:
    """plan.json of the newest of the builds that `run` and `build` leave in a project."""
    from edgelearn.cli.building import PLAN_FILE

    places = (folder / (settings.out or "out") / "build" / PLAN_FILE, folder / "build" / PLAN_FILE)
    built = [path for path in places if path.is_file()]
    return max(built, key=lambda p: p.stat().st_mtime, default=None)
