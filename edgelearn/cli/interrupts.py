"""Ctrl-C, a job runner's SIGTERM and a closed terminal's SIGHUP: all ends in order, and one word says so."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

INTERRUPTED = 130
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SOON = 0.01  # seconds


def guarded(work: Callable[[], int], *, last: bool = False) -> int:
    """The exit code of `work`; INTERRUPTED if one of the signals broke it off.

    `last`: nothing follows but the end of the process, which is not worth breaking off any more. A signal that was
    ignored before, as nohup has it, stays ignored. One that comes while a module is imported waits until that is done:
    extensions that are broken off halfway may crash, or go on as if nothing had happened.
    """
    before = {number: handler for number in STOPS if (handler := signal.getsignal(number)) is not signal.SIG_IGN}
    hook, sys.unraisablehook = sys.unraisablehook, _unraisable
    try:
        _handle(before, _interrupt)
        return work()
    except BaseException as error:
        if not _stop_waiting() and not isinstance(error, KeyboardInterrupt):
            raise
        _handle(before, signal.SIG_IGN)
        with contextlib.suppress(OSError):
            print("interrupted", file=sys.stderr, flush=True)
        return INTERRUPTED
    finally:
        _stop_waiting()
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if last else handler)
        sys.unraisablehook = hook


def _handle(numbers: Any, handler: Any) -> None:
    for number in numbers:
        signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if not _importing(frame):
        raise KeyboardInterrupt
    _soon()


def _importing(frame: FrameType | None) -> bool:
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def _soon() -> None:
    signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, SOON)


def _stop_waiting() -> bool:
    """Whether an interrupt was about to come once more, which it does no longer."""
    if signal.getsignal(signal.SIGALRM) is not _interrupt:
        return False  # the alarm may be somebody else's
    left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    return left > 0


def _unraisable(what: sys.UnraisableHookArgs) -> None:
    """An interrupt in a destructor or the like, where Python drops exceptions, comes once more when that is over."""
    if not issubclass(what.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(what)
        return
    _soon()
