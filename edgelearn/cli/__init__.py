"""The command line. What a command needs is imported when it runs, so that `edgelearn --help` answers at once."""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """The `edgelearn` program."""
    from edgelearn.cli.interrupts import guarded

    sys.exit(guarded(_command, last=True))


def _command() -> int:
    from edgelearn.cli.app import run

    return run(sys.argv[1:])
