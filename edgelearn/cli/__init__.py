"""The command line. What a command needs is imported when it runs, so that `edgelearn --help` answers at once."""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """The `edgelearn` program."""
    from edgelearn.cli.app import run

    sys.exit(run(sys.argv[1:]))
