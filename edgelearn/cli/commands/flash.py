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
    uploader of the board; it finds the port by itself if none is named.
    """
    from edgelearn.cli.building import load_program, project_board

    root = Path(folder)
    board = project_board(root)
    load_program(root, board, port)
    if as_json:
        emit({"board": board.id, "folder": folder, "port": port})
