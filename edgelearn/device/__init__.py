"""Where an image runs: QEMU, a native process, or a board on a serial port."""

from __future__ import annotations

from pathlib import Path

from edgelearn.build.image import Image
from edgelearn.device.base import Device
from edgelearn.device.child import ChildDevice
from edgelearn.device.port import PortDevice

__all__ = ["ChildDevice", "Device", "PortDevice", "attach", "open_device"]


def open_device(
    image: Image,
    *,
    port: str | None = None,
    baud: int | None = None,
    count_instructions: bool = False,
    store: Path | None = None,
) -> Device:
    """Start the image where its board says, on the carrier it was built for; `port`: a real board has it already, at
    `baud` if it is not that of the board's file.

    `count_instructions` makes an emulator count what the guest executes, which is exact, repeatable and slower.
    `store` is a file that keeps what the board's flash for weights holds, where the board itself does not.
    """
    if port is not None:
        return attach(port, baud=baud or image.board.link.baud)
    return ChildDevice(image.board, image.elf, image.carrier, count_instructions=count_instructions, store=store)


def attach(port: str, *, baud: int = 115200) -> Device:
    """A board that runs already, by serial port or URL."""
    return PortDevice(port, baud)
