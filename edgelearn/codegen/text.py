"""Pieces of C as text: literals, identifiers, calls, rows of values."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

WIDTH = 100
RESERVED = frozenset(
    (
        "auto break case char const continue default do double else enum extern float for goto if inline int long"
        " register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while"
        " asm typeof bool true false main o latents prefix head memcpy memset int8_t uint8_t int32_t uint32_t"
    ).split()
)


def c_float(value: float) -> str:
    """The shortest decimal that is exactly this float32 again, as a C literal."""
    single = np.float32(value)
    if np.isinf(single):
        return "-EL_INFINITY" if single < 0 else "EL_INFINITY"
    text = str(single)
    return f"{text}f" if any(c in text for c in ".e") else f"{text}.0f"


def c_name(name: str) -> str:
    """A C identifier for a tensor; the runtime's names and C's words get a trailing underscore."""
    clean = re.sub(r"\W", "_", name)
    if clean[0].isdigit() or clean.startswith("el_"):
        clean = f"t_{clean}"
    return f"{clean}_" if clean in RESERVED else clean


def wrap_call(name: str, arguments: Iterable[str], indent: str = "    ") -> str:
    """A call statement, broken between arguments where the line would be longer than WIDTH."""
    lines, line = [], f"{indent}{name}("
    items = list(arguments)
    for k, item in enumerate(items):
        piece = item + (", " if k + 1 < len(items) else ");")
        if len(line) + len(piece.rstrip()) > WIDTH:
            lines.append(line.rstrip())
            line = indent + "    "
        line += piece
    return "\n".join([*lines, line if items else line + ");"])


def value_lines(values: list[str], spaces: int = 4) -> list[str]:
    """Values with commas behind them, as many in a line as WIDTH has room for."""
    indent = " " * spaces
    lines, line = [], indent
    for value in values:
        if len(line) + len(value) + 1 > WIDTH:
            lines.append(line.rstrip())
            line = indent
        line += f"{value}, "
    return [*lines, line.rstrip()]
