"""A bar on the last line of a terminal, for what takes longer than two seconds; nothing anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TypeVar

from edgelearn.cli.output import Timer, bar, lively

T = TypeVar("T")
PATIENCE = 2.0  # seconds without a word
PAUSE = 0.1  # between two drawings


class Progress:
    """Called with what is done and of how much; a context that clears its line in the end."""

    def __init__(self, what: str) -> None:
        self.what, self.timer = what, Timer()
        self.live, self.drawn = lively(), 0.0

    def __call__(self, done: int, total: int) -> None:
        now = self.timer.seconds
        if not self.live or now < max(PATIENCE, self.drawn + PAUSE):
            return
        self.drawn = now
        line = f"{self.what:<18}{bar(done / max(total, 1))} {100 * done // max(total, 1):>3} %"
        print(f"\r{line}\x1b[K", end="", file=sys.stderr, flush=True)

    def over(self, items: Sequence[T]) -> Iterator[T]:
        """The items one after another, each counted."""
        for k, item in enumerate(items):
            yield item
            self(k + 1, len(items))

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.drawn:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
