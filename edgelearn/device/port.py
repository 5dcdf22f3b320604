"""Real boards on a serial port, and whatever else pyserial opens by URL (`socket://host:port`)."""

from __future__ import annotations

import serial

from edgelearn.device.base import Device
from edgelearn.errors import DeviceError


class PortDevice(Device):
    """A serial port."""

    def __init__(self, port: str, baud: int) -> None:
        self.name = port
        try:
            self._port = serial.serial_for_url(port, baudrate=baud, timeout=0, write_timeout=10, exclusive=True)
        except (serial.SerialException, OSError, ValueError) as error:
            raise _explain(port, error) from None
        super().__init__()

    def read(self, timeout: float) -> bytes:
        try:
            self._port.timeout = timeout
            first = self._port.read(1)
            if not first:
                return b""
            self._port.timeout = 0
            waiting = max(int(self._port.in_waiting), 1)
            return bytes(first + self._port.read(waiting))
        except (serial.SerialException, OSError) as error:
            raise DeviceError(f"the link on {self.name} broke: {error}") from None

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
            self._port.flush()
        except (serial.SerialException, OSError) as error:
            raise DeviceError(f"the link on {self.name} broke: {error}") from None

    def _shut(self) -> None:
        self._port.close()


def _explain(port: str, error: Exception) -> DeviceError:
    text = str(error).lower()
    if "busy" in text or "lock" in text:
        return DeviceError(f"{port} is in use by another program", hint="close the program that has it open")
    if "permission" in text:
        return DeviceError(f"no permission to open {port}", hint="sudo usermod -aG dialout $USER, then log in again")
    if "refused" in text:
        return DeviceError(f"nobody listens on {port}")
    if "no such file" in text or "not find" in text or isinstance(error, ValueError):
        return DeviceError(f"there is no port {port}", hint="python -m serial.tools.list_ports")
    return DeviceError(f"{port} can't be opened: {error}")
