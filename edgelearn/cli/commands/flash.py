"""`edgelearn flash`."""

from __future__ import annotations

from pathlib import Path

import click

from edgelearn.cli.options import json_option, port_option
from edgelearn.cli.output import emit


@click.command("flash")
@click.argument("folder", default="build")
@port_option
@json_option
def command(folder: str, port: str | None, as_json: bool) -> None:
    """Load a program that edgelearn build wrote onto its board.

    FOLDER is the project, build/ if none is named. PlatformIO does it, with the
    uploader of the board; it finds the port by itself if none is named. What is
    loaded must be the program that was planned.
    """
    from edgelearn.cli.building import check_loadable, load_program, project_board, verify_project
    from edgelearn.device.port import check_port

    root = Path(folder)
    board = project_board(root)
    check_loadable(board)
    if port is not None and not board.framework:
        check_port(port)  # that of a framework may be there only once its program runs
    verify_project(root, board)
    load_program(root, board, port)
    if as_json:
        emit({"board": board.id, "folder": folder, "port": port})
