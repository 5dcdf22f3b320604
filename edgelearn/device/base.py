"""A device is a stream of bytes to a board and back, and what is known of the board behind it."""

from __future__ import annotations

import atexit
import weakref
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Device(ABC):
    """Open from construction on; a context manager; closing twice does nothing."""

    name: str = "device"
    lives_on: bool = False  # whether it goes on when we leave, and keeps what it learned: a board on a port
    counter_hz: int = 0  # what the board said of its counter: clock cycles a second; 0: it counts something else

    def __init__(self) -> None:
        self._closed = False
        _open.add(self)

    @abstractmethod
    def read(self, timeout: float) -> bytes:
        """Whatever has come, at least one byte; b"" after `timeout` seconds of silence. DeviceError if it died."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Send all of it. DeviceError if it died."""

    @abstractmethod
    def _shut(self) -> None:
        """Give everything back; called once."""

    def spent(self, ticks: int) -> int:
        """What the board's counter says, in the board's unit: instructions or cycles; 0 where nobody counts."""
        return ticks if self.counter_hz else 0

    def close(self) -> None:
        """End the process or close the port."""
        if not self._closed:
            self._closed = True
            self._shut()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_open: weakref.WeakSet[Device] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for device in list(_open):
        device.close()
