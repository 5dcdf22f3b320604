"""Words at the terminal: status on stderr, data on stdout, tables and bars of plain text, at most 80 columns."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any, TextIO

WIDTH = 80


def say(text: str) -> None:
    """Status for a person: stderr."""
    print(text, file=sys.stderr, flush=True)


def tell(text: str = "") -> None:
    """Data: stdout."""
    print(text.rstrip())


def emit(value: Any) -> None:
    """Data as one line of JSON: stdout, at once, because a program may be waiting for the line."""
    print(json.dumps(value, allow_nan=False), flush=True)


class Timer:
    """Seconds since it was made, as text for a status line."""

    def __init__(self) -> None:
        self.start = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.start

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s" if self.seconds < 10 else f"{self.seconds:.0f} s"


def lively(stream: TextIO | None = None) -> bool:
    """Whether lines may be redrawn and coloured: a terminal, and nobody asked for plain text."""
    stream = stream or sys.stderr
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def bytes_text(count: int) -> str:
    """1234 as 1,234 bytes."""
    return f"{count:,} bytes"


def table(header: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[int] = ()) -> list[str]:
    """Aligned columns, two blanks apart; columns listed in `right` are right-aligned, the last one wraps at WIDTH."""
    cells = [list(header), *([str(c) for c in row] for row in rows)]
    widths = [max(len(line[k]) for line in cells) for k in range(len(header))]
    left = sum(widths[:-1]) + 2 * (len(widths) - 1)
    room = max(WIDTH - left, 16)

    def lines(row: Sequence[str]) -> list[str]:
        fields = [c.rjust(w) if k in right else c.ljust(w) for k, (c, w) in enumerate(zip(row, widths, strict=True))]
        first, *more = wrap(row[-1], room) if len(row[-1]) > room else [fields[-1]]
        return ["  ".join([*fields[:-1], first]).rstrip(), *(" " * left + line for line in more)]

    return [line for row in cells for line in lines(row)]


def bar(part: float, width: int = 24) -> str:
    """A share of one as `[####....]`; anything above nothing shows at least one mark."""
    filled = min(width, max(round(part * width), 1 if part > 0 else 0))
    return f"[{'#' * filled}{'.' * (width - filled)}]"


def percent(part: float) -> str:
    """A share of one as a percentage short enough to read."""
    return f"{100 * part:.1f} %" if part < 0.995 else f"{100 * part:.0f} %"


def wrap(text: str, width: int = WIDTH, indent: str = "") -> list[str]:
    """Text in lines of at most `width` columns."""
    import textwrap

    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
