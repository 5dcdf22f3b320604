"""Which serial port a board is on, by the ids that it, or the adapter on it, gives on USB."""

from __future__ import annotations

from dataclasses import dataclass

from edgelearn import boards
from edgelearn.boards import Board
from edgelearn.errors import DeviceError

QEMU_SERIAL = "-serial tcp:127.0.0.1:5555,server=on,wait=off"


@dataclass(frozen=True)
class UsbPort:
    """A serial port on USB. `ids` is VID:PID in capital hex digits, `boards` are those whose files name it."""

    port: str
    ids: str
    serial: str
    product: str
    boards: tuple[str, ...]

    def __str__(self) -> str:
        known = f": {', '.join(self.boards)}" if self.boards else ""
        return " ".join(filter(None, (self.port, self.ids, self.product))) + known


def usb_ports() -> list[UsbPort]:
    """All serial ports on USB, sorted by name."""
    from serial.tools import list_ports

    known = {board.id: board.usb.ids for board in map(boards.load, boards.available()) if board.usb}
    found = []
    for port in list_ports.comports():
        if port.vid is None or port.pid is None:
            continue
        ids = f"{port.vid:04X}:{port.pid:04X}"
        matching = tuple(name for name, listed in known.items() if ids in listed)
        found.append(UsbPort(port.device, ids, port.serial_number or "", port.product or "", matching))
    return sorted(found, key=lambda p: p.port)


def find_port(board: Board | None = None, serial: str = "") -> UsbPort:
    """The one port with this board on it; without a board, with any that has a file. `serial` picks one of several.

    DeviceError if there is none, and if there are several, with all of them.
    """
    if board is not None and board.usb is None:
        raise _portless(board)
    ports = usb_ports()
    ids = board.usb.ids if board is not None and board.usb is not None else None
    candidates = [p for p in ports if (p.ids in ids if ids is not None else p.boards)]
    if serial:
        candidates = [p for p in candidates if p.serial == serial]
    if len(candidates) == 1:
        return candidates[0]
    name = board.id if board is not None else "board"
    if candidates:
        raise DeviceError(
            f"{len(candidates)} ports may have the {name}",
            details=tuple(map(str, candidates)),
            hint=f"name one: --port {candidates[0].port}",
        )
    seen = tuple(f"{p} is something else" for p in ports) or ("there is no serial port on USB at all",)
    raise DeviceError(
        f"no {name} is plugged in",
        details=seen,
        hint="a cable that only charges shows nothing; --port PORT takes any port, and socket://HOST:PORT too",
    )


def _portless(board: Board) -> DeviceError:
    if board.emulated:
        return DeviceError(
            f"{board.id} is emulated, nothing on USB is it",
            hint=f"--port socket://127.0.0.1:5555 for a QEMU started with {QEMU_SERIAL}",
        )
    return DeviceError(f"the file of {board.id} does not say what it is on USB", hint="name its port with --port")
