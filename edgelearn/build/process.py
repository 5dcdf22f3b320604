"""Runs compilers and other tools, and ends them with whoever wanted them.

Each has a session of its own: Ctrl-C at the terminal reaches us only, and we end it in order, with all that it has
started. Threads start them, since what interrupts the main thread then finds every one of them noted.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Done = subprocess.CompletedProcess[str]
POLITE_END = 0.5  # seconds in which tools may tidy up before they are killed


class Crew:
    """Up to `size` tools at a time; an exception that leaves the context ends those that still run."""

    def __init__(self, size: int = 1) -> None:
        self._pool = ThreadPoolExecutor(size)
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._over = False

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._pool.shutdown(wait=error is None, cancel_futures=error is not None)
        finally:
            self._end()

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """What `work`, which calls `run`, gives for each item; the first exception of one."""
        return list(self._pool.map(work, items))

    def run(
        self,
        command: list[str],
        *,
        folder: Path | None = None,
        variables: Mapping[str, str] | None = None,
        together: bool = False,
    ) -> Done:
        """Run one to its end, in the work of `map`: its exit code and what it said, `together` all in `stdout`.

        `variables` are those of the environment that differ from ours.
        """
        process = self._start(command, folder, variables or {}, subprocess.STDOUT if together else subprocess.PIPE)
        try:
            out, err = process.communicate()
            return subprocess.CompletedProcess(command, process.returncode, out, err)
        finally:
            with self._lock:
                self._running.discard(process)

    def _start(
        self, command: list[str], folder: Path | None, variables: Mapping[str, str], errors: int
    ) -> subprocess.Popen[str]:
        with self._lock:
            if self._over:
                raise InterruptedError("nobody waits for this tool any more")
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, **variables},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            self._running.add(process)
            return process

    def _end(self) -> None:
        """Ask what runs to end, and all that it has started; whoever does not is killed."""
        with self._lock:
            self._over = True
            groups = [process.pid for process in self._running]
        try:
            _signal(groups, signal.SIGTERM)
            deadline = time.monotonic() + POLITE_END
            while any(map(_alive, groups)) and time.monotonic() < deadline:
                time.sleep(0.01)
        finally:
            _signal(groups, signal.SIGKILL)


def run_tool(
    command: list[str],
    *,
    folder: Path | None = None,
    variables: Mapping[str, str] | None = None,
    together: bool = False,
) -> Done:
    """Run one tool to its end, with the arguments of `Crew.run`; OSError if it does not start."""
    with Crew() as crew:
        work = partial(crew.run, folder=folder, variables=variables, together=together)
        return crew.map(work, [command])[0]


def _signal(groups: Iterable[int], number: signal.Signals) -> None:
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
