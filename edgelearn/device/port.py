"""Real boards on a serial port, and whatever else pyserial opens by URL (`socket://host:port`)."""

from __future__ import annotations

import errno
import grp
import os
import stat
import termios
from pathlib import Path
from urllib.parse import urlsplit

import serial

from edgelearn.device.base import Device
from edgelearn.errors import DeviceError, PortLost

MOST_BAUD = 2_000_000
LIST_PORTS = "python -m serial.tools.list_ports"
# What is tried where a board does not answer, the most usual first.
RATES = (115_200, 921_600, 1_000_000, 2_000_000, 460_800, 230_400, 1_500_000, 57_600, 9_600)
_BROKEN = (serial.SerialException, OSError, termios.error)


class PortDevice(Device):
    """A serial port."""

    lives_on = True

    def __init__(self, port: str, baud: int) -> None:
        self.name = port
        check_port(port)
        try:
            self._port = serial.serial_for_url(port, baudrate=baud, timeout=0, write_timeout=10, exclusive=True)
        except (*_BROKEN, ValueError) as error:
            raise _explain(port, baud, error) from None
        super().__init__()

    @property
    def baud(self) -> int | None:
        """The rate; None for a socket, which has none."""
        return int(self._port.baudrate) if isinstance(self._port, serial.Serial) else None

    def set_baud(self, baud: int) -> bool:
        """Change the rate, dropping what has come; False where the port can't do it."""
        try:
            self._port.baudrate = baud
            self._port.reset_input_buffer()
        except (*_BROKEN, ValueError):
            return False
        return True

    def read(self, timeout: float) -> bytes:
        try:
            self._port.timeout = timeout
            first = self._port.read(1)
            if not first:
                return b""
            self._port.timeout = 0
            waiting = max(int(self._port.in_waiting), 1)
            return bytes(first + self._port.read(waiting))
        except _BROKEN:
            raise self._lost() from None

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
            self._port.flush()
        except _BROKEN:
            raise self._lost() from None

    def _lost(self) -> PortLost:
        if self.baud is None:
            return PortLost(f"{self.name} closed the connection")
        if not Path(self.name).exists():
            return PortLost(f"{self.name} is gone: unplugged, or the board has restarted")
        return PortLost(f"the link on {self.name} broke")

    def _shut(self) -> None:
        self._port.close()


def check_port(port: str) -> None:
    """DeviceError if a port can't be there: a path that is missing, no device or not ours, an address without a number.

    Nothing is opened: that would reset some boards.
    """
    scheme, found, _ = port.partition("://")
    if found:
        if scheme == "socket" and not _has_number(port):
            raise DeviceError(f"{port} has no port number", hint="socket://HOST:PORT, such as socket://127.0.0.1:5555")
        return
    try:
        kind = os.stat(port).st_mode
    except OSError as error:
        raise _explain(port, 0, error) from None
    if not stat.S_ISCHR(kind):
        raise DeviceError(f"{port} is no serial port", hint=LIST_PORTS)
    if not os.access(port, os.R_OK | os.W_OK):
        raise DeviceError(f"no permission to open {port}", hint=_way_in(port))


def _has_number(address: str) -> bool:
    try:
        return urlsplit(address).port is not None
    except ValueError:
        return False


def _explain(port: str, baud: int, error: Exception) -> DeviceError:
    text, number = str(error).lower(), getattr(error, "errno", None)
    if number in (errno.EAGAIN, errno.EBUSY) or "busy" in text or "lock" in text:
        user = _user_of(port)
        return DeviceError(
            f"{port} is in use by {user or 'another program'}", hint="close the program that has it open"
        )
    if number in (errno.EACCES, errno.EPERM) or "permission" in text:
        return DeviceError(f"no permission to open {port}", hint=_way_in(port))
    if "refused" in text:
        return DeviceError(f"nobody listens on {port}")
    if "baud" in text:
        return DeviceError(f"{port} can't do {baud:,} baud", hint="--baud 115200 works on nearly all ports")
    if number == errno.ENOENT or "no such file" in text or "not find" in text or isinstance(error, ValueError):
        return DeviceError(f"there is no port {port}", hint=LIST_PORTS)
    if "[errno -" in text:  # of the resolver, which counts down from 0
        return DeviceError(f"there is no host {urlsplit(port).hostname}", where=port)
    return DeviceError(f"{port} can't be opened: {error}")


def _way_in(port: str) -> str:
    """What gives a user the port: membership in its group, which is called otherwise elsewhere than on Debian."""
    try:
        group = grp.getgrgid(os.stat(port).st_gid).gr_name
    except (OSError, KeyError):
        group = "dialout"
    if group == "root":
        return f"sudo chmod a+rw {port}"
    return f"sudo usermod -aG {group} $USER, then log in again"


def _user_of(port: str) -> str:
    """The program that has a port open, as far as /proc tells us; "" if it does not."""
    real = os.path.realpath(port)
    for entry in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(entry) == real and entry.parts[2] != str(os.getpid()):
                name = Path(*entry.parts[:3], "comm").read_text().strip()
                return f"{name} (process {entry.parts[2]})"
        except OSError:
            continue
    return ""
