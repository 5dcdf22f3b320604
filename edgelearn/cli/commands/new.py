"""`edgelearn new`."""

from __future__ import annotations

from pathlib import Path

import click

from edgelearn.cli.options import choices, json_option
from edgelearn.cli.output import emit, say, tell
from edgelearn.errors import InputError


@click.command("new")
@click.argument("folder")
@click.option("--example", metavar="NAME", help="Copy a model and data to try: digits, ecg, keywords or wearable.")
@click.option("--board", metavar="ID", default="qemu-m4", show_default=True, help="Board in edgelearn.toml.")
@click.option(
    "--precision", type=choices("precision"), default="fp32", show_default=True, help="Precision in edgelearn.toml."
)
@json_option
def command(folder: str, example: str | None, board: str, precision: str, as_json: bool) -> None:
    """Start a project: settings, CI workflow, and a model and data to try.

    FOLDER is made; it must be new or empty.
    """
    from edgelearn.cli.files import write_bytes
    from edgelearn.cli.settings import board_named
    from edgelearn.project import project_files

    root = Path(folder)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise InputError("the folder is not empty", where=folder, hint="name a folder that is new or empty")
    files = project_files(root.resolve().name, board_named(board), example, precision)
    for path, content in files.items():
        write_bytes(root / path, content)
    say(f"wrote {len(files)} files")
    if as_json:
        emit({"folder": folder, "files": sorted(files)})
        return
    for path in sorted(files):
        tell(str(root / path))
    say("")
    if example is None:
        say("put model.onnx and data.npz there (README.md says how), then: edgelearn run")
    else:
        say(f"next: cd {folder} && edgelearn run")
    say("CI needs edgelearn from an index or a wheel in vendor/: see README.md there")
