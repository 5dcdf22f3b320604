"""`edgelearn flash`: its place."""

from __future__ import annotations

import click

from edgelearn.errors import UsageError


@click.command("flash", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Load the program onto real hardware (not there yet)."""
    raise UsageError(
        "flashing real hardware comes with PlatformIO support, which this version does not have",
        hint="edgelearn run trains on an emulated board; edgelearn build leaves readable C and an ELF file",
    )
