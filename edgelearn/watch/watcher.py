"""Reads a board's counters again and again. A board that was reset, and a port that comes back, are found again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from edgelearn.device import Device, PortDevice
from edgelearn.errors import BoardSilent, DeviceError, PortLost
from edgelearn.link import Link
from edgelearn.session import Event
from edgelearn.wire import Hello, Status

SILENCE = 2.0  # seconds without an answer before the board is asked for its name again
PAUSE = 0.25  # between two looks for a port that is gone
ONLY_UP = ("samples", "step", "ticks", "damaged", "gaps", "duplicates", "overruns")  # until a reset


class Watcher:
    """Changes nothing on the board. `open_port` opens it, and again each time it was lost.

    Events: `connected` with what the board says of itself; `status` with counters, running means and rates; `lost` with
    the reason; `found` with the seconds that it took, whether the board was `reset`, and its plan.
    """

    def __init__(
        self,
        open_port: Callable[[], Device],
        on_event: Callable[[Event], None],
        *,
        plan: str | None = None,
        timeout: float = 10.0,
        give_up: float | None = None,
    ) -> None:
        """`plan`: the hash that the board must have. `give_up`: seconds that a lost board may stay away."""
        self.open_port, self.on_event = open_port, on_event
        self.plan, self.timeout, self.give_up = plan, timeout, give_up
        self.device: Device | None = None
        self.link: Link | None = None
        self.hello: Hello | None = None
        self._last: tuple[float, Status] | None = None

    def run(self, interval: float, count: int | None = None) -> None:
        """Readings every `interval` seconds, for ever or `count` of them. DeviceError if the board does not answer at
        first, if it stays away too long, or if it runs another plan.
        """
        try:
            self._watch(interval, count)
        finally:
            self._close()

    def attach(self, timeout: float) -> None:
        """Open and greet; `run` then goes on from there. BoardSilent, and a closed port, if there is no answer."""
        try:
            self._attach(timeout, diagnose=True)
        except DeviceError:
            self._close()
            raise

    def _watch(self, interval: float, count: int | None) -> None:
        if self.hello is None:
            self._attach(self.timeout, diagnose=True)
        assert self.hello is not None
        self._emit("connected", **self._where(), **_greeting(self.hello))
        taken = 0
        while True:
            start = time.monotonic()
            self._show(self._read())
            taken += 1
            if taken == count:
                return
            time.sleep(max(0.0, interval - (time.monotonic() - start)))

    def _emit(self, kind: str, **values: Any) -> None:
        self.on_event(Event(kind, values))

    def _where(self) -> dict[str, Any]:
        assert self.device is not None
        baud = self.device.baud if isinstance(self.device, PortDevice) else None
        return {"port": self.device.name, "baud": baud}

    def _attach(self, timeout: float, *, diagnose: bool = False) -> None:
        """Open what is not open, and greet."""
        if self.device is None:
            self.device = self.open_port()
        if self.link is None:
            self.link = Link(self.device, timeout=min(SILENCE, self.timeout))
        self.hello = self.link.hello(self.plan, timeout=timeout, diagnose=diagnose)

    def _read(self) -> Status:
        """The counters; if they don't come, wait until the board is back."""
        assert self.link is not None
        try:
            return self.link.status()
        except (BoardSilent, PortLost) as error:
            return self._recover(error)

    def _recover(self, error: DeviceError) -> Status:
        start, before = time.monotonic(), self.hello
        self._emit("lost", reason=error.message)
        while True:
            try:
                if isinstance(error, PortLost):
                    self._close()
                self._attach(min(SILENCE, self.timeout))
                assert self.link is not None
                assert self.hello is not None
                status = self.link.status()
                break
            except DeviceError as again:
                if self.link is not None and self.link.info is not None and not _passes(again):
                    raise  # it answers, and is another one
                error = again if isinstance(again, PortLost) else error
                self._wait_or_give_up(start, again)
        last = self._last[1] if self._last else None
        reset = last is not None and any(getattr(status, name) < getattr(last, name) for name in ONLY_UP)
        plan = self.hello.hash.hex()
        changed = before is None or before.hash != self.hello.hash
        seconds = time.monotonic() - start
        steps = {"step": status.step, "step_before": last.step if last else None}
        self._emit("found", seconds=seconds, reset=reset, plan=plan, other_plan=changed, **steps, **self._where())
        if changed or reset:
            self._last = None
        return status

    def _wait_or_give_up(self, start: float, error: DeviceError) -> None:
        away = time.monotonic() - start
        if self.give_up is not None and away >= self.give_up:
            raise DeviceError(
                f"the board did not come back in {self.give_up:g} s",
                details=(error.message,),
                hint="--give-up says how long to wait; without it, until Ctrl-C",
            )
        if self.device is None:
            time.sleep(PAUSE)

    def _show(self, status: Status) -> None:
        assert self.hello is not None
        now = time.monotonic()
        rates: dict[str, float | None] = {"samples_per_s": None, "steps_per_s": None}
        if self._last is not None:
            then, before = self._last
            span = max(now - then, 1e-9)
            rates["samples_per_s"] = (status.samples - before.samples) / span
            rates["steps_per_s"] = (status.step - before.step) / span
        self._last = (now, status)
        values = asdict(status)
        del values["spent"]
        if self.hello.target_kind != 0:
            values["accuracy"] = None
        self._emit("status", time=time.time(), **values, **rates)

    def _close(self) -> None:
        if self.device is not None:
            self.device.close()
        self.device = self.link = None


def _passes(error: DeviceError) -> bool:
    """Whether waiting may help."""
    return isinstance(error, BoardSilent | PortLost)


def _greeting(hello: Hello) -> dict[str, Any]:
    fields = asdict(hello)
    del fields["nonce"]
    return {**fields, "hash": hello.hash.hex()}
