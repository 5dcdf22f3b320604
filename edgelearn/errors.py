"""Every error a user can meet: one sentence, where, and a hint; the class decides the exit code.

Exit codes: 0 done, 1 the input can't be done, 2 usage, 3 a compiler failed, 4 board or link failed,
5 it ran but the numbers are wrong, 70 a bug of ours, 130 Ctrl-C.
"""

from __future__ import annotations

from collections.abc import Iterable

WIDTH = 80
LIKENESS = 0.7  # of a word that may have been meant
COMMANDS = ("sudo ", "apt-get ", "pip ", "numpy.")


def nearest(name: str, known: Iterable[str]) -> str:
    """The one of `known` that somebody who wrote `name` most likely meant; "" if none is near."""
    import difflib  # not at the top: most commands never need it

    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=LIKENESS)), "")


def _wrapped(text: str, indent: str) -> list[str]:
    """Lines of at most WIDTH columns, those behind the first indented; only at blanks, so that paths stay whole."""
    lines = []
    for line in text.splitlines():
        while len(line) > WIDTH and (blank := _last_blank(line, len(indent))):
            lines.append(line[:blank].rstrip())
            line = indent + line[blank:].lstrip()
        lines.append(line)
    return lines


def _last_blank(line: str, indent: int) -> int:
    """Where to break a line: the last blank within WIDTH, else the first one behind it; 0 if there is none."""
    start = max(indent, len(line) - len(line.lstrip())) + 1
    within = line.rfind(" ", start, WIDTH + 1)
    return within if within > 0 else max(line.find(" ", WIDTH), 0)


class EdgelearnError(Exception):
    """Base of all expected errors. `message` is one lower-case line without a period.

    `where` says which file, node or key is meant; `hint` is what to do, checked to work;
    `details` are further lines (one per problem) printed under the message.
    """

    exit_code = 70

    def __init__(
        self, message: str, *, where: str | None = None, hint: str | None = None, details: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint
        self.details = tuple(details)

    def render(self) -> str:
        """The text for a terminal, 80 columns: error line, where, details, a blank line, the hint."""
        lines = _wrapped(f"error: {self.message}", "  ")
        if self.where:
            place = f"  at {self.where}"
            # A path may have blanks in it.
            lines += [place] if "/" in place else _wrapped(place, "     ")
        for line in self.details:
            lines += _wrapped(f"  {line}", "    ")
        if self.hint:
            # A command stays whole, so that it can be copied.
            hint = f"hint: {self.hint}"
            lines += ["", *([hint] if self.hint.startswith(COMMANDS) else _wrapped(hint, "  "))]
        return "\n".join(lines)

    def to_json(self) -> dict[str, object]:
        """The same as a JSON object, for `--json`."""
        return {
            "error": self.message,
            "where": self.where,
            "details": list(self.details),
            "hint": self.hint,
            "exit_code": self.exit_code,
        }


class InputError(EdgelearnError):
    """A model, data set, board file or configuration that can't be done as it is."""

    exit_code = 1


class UsageError(EdgelearnError):
    """A flag or an argument that does not exist or does not fit."""

    exit_code = 2


class ToolError(EdgelearnError):
    """A compiler, an emulator or another tool is missing or failed."""

    exit_code = 3


class DeviceError(EdgelearnError):
    """The board or the link to it failed."""

    exit_code = 4


class BoardFailed(DeviceError):
    """The board understood a command and could not do it."""


class BoardSilent(DeviceError):
    """The link is up and nothing that is an answer comes: the board computes, was reset, or runs something else.

    `rate` is the baud rate at which it was found to answer, where that is another one than the port's.
    """

    rate: int | None = None


class BoardReset(BoardSilent):
    """It does not answer because it knows of no session: it has started anew."""


class PortLost(DeviceError):
    """The port or the connection is gone: unplugged, or its other end was closed."""


class NumbersError(EdgelearnError):
    """Everything ran, and a number is not what it must be."""

    exit_code = 5


class InternalError(EdgelearnError):
    """A promise of our own is broken; please report it."""

    exit_code = 70
