"""Devices end as they should: no orphans, clear errors, serial ports by URL."""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgelearn.device import attach, open_device
from edgelearn.device.child import ChildDevice
from edgelearn.errors import DeviceError, InputError, InternalError
from edgelearn.link import Link, decode_frame, encode_frame
from edgelearn.wire import Command
from tests.qemu.images import image_of
from tests.support.linear import LinearModel

ROOT = Path(__file__).parents[2]


def _gone(pid: int, within: float = 3.0) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def _pid(device: object) -> int:
    assert isinstance(device, ChildDevice)
    return device._process.pid


@pytest.mark.parametrize("board", ["host", "qemu-m4", "qemu-rv32"])
@pytest.mark.parametrize("carrier", ["pipe", "uart"])
def test_closing_ends_the_process(board: str, carrier: str) -> None:
    with open_device(image_of(board, carrier)) as device:
        pid = _pid(device)
        Link(device).hello()
    assert _gone(pid)
    device.close()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize(("board", "carrier"), [("qemu-m4", "pipe"), ("qemu-rv32", "uart")])
def test_no_orphans_whatever_kills_us(board: str, carrier: str, end: signal.Signals) -> None:
    """QEMU would burn a core for ever."""
    program = textwrap.dedent(f"""
        import time
        from edgelearn.device import open_device
        from edgelearn.link import Link
        from tests.qemu.images import image_of
        device = open_device(image_of({board!r}, {carrier!r}))
        Link(device).hello()
        print(device._process.pid, flush=True)
        time.sleep(60)
    """)
    child = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert child.stdout is not None
    with child.stdout:
        qemu = int(child.stdout.readline())
        assert not _gone(qemu, 0.1)
        child.send_signal(end)
        child.wait(10)
    assert _gone(qemu)


def test_a_board_that_dies_is_reported_with_its_end() -> None:
    with open_device(image_of("qemu-m4")) as device:
        link = Link(device)
        link.hello()
        os.kill(_pid(device), signal.SIGKILL)
        with pytest.raises(DeviceError, match="killed by SIGKILL"):
            link.train(*LinearModel().samples(1)[0])


def test_a_silent_board_is_reported() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, _served(theirs) as port, attach(port) as device, pytest.raises(DeviceError, match="silent"):
        Link(device).hello(timeout=0.5)


def test_a_port_that_is_not_there_is_reported() -> None:
    with pytest.raises(DeviceError, match="no port"):
        attach("/dev/ttyNOWHERE9")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(DeviceError, match="nobody listens"):
            attach(f"socket://127.0.0.1:{free.getsockname()[1]}")


@contextmanager
def _served(inner: socket.socket) -> Iterator[str]:
    """A TCP port that leads to `inner`: what a serial server on a bench does."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def copy(source: socket.socket, target: socket.socket) -> None:
            try:
                while data := source.recv(4096):
                    target.sendall(data)
            except OSError:
                return

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                back = threading.Thread(target=copy, args=(inner, peer), daemon=True)
                back.start()
                copy(peer, inner)
                inner.shutdown(socket.SHUT_RDWR)
                back.join(2)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"socket://127.0.0.1:{server.getsockname()[1]}"
        thread.join(2)


def test_a_board_on_a_port_trains() -> None:
    """The image runs on its own; we know it only by its port."""
    image = image_of("host", "uart")
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen([image.elf], stdin=theirs, stdout=theirs)
    model = LinearModel()
    with ours, _served(ours) as port, open_device(image, port=port) as device:
        link = Link(device)
        link.hello(model.hash)
        for result, sample in zip(link.train_many(model.samples(20)), model.samples(20), strict=True):
            assert result.loss == pytest.approx(model.train(*sample, 0.01), rel=1e-5)
        link.close()
    assert process.wait(5) == 0


def test_wrong_sizes_are_refused_on_both_sides() -> None:
    with open_device(image_of("host")) as device:
        link = Link(device)
        with pytest.raises(InternalError):
            link.train(b"", b"")
        link.hello()
        with pytest.raises(InputError, match="24 and 4"):
            link.train(bytes(20), bytes(4))
        with pytest.raises(InputError):
            link.write("params", b"123")
        for kind, payload in (
            (Command.DATA, (30).to_bytes(4, "little")),
            (Command.DATA, (4 << 28).to_bytes(4, "little")),
            (Command.DATA, b"ab"),
            (Command.READ, bytes(12)[:8]),
            (Command.READ, bytes([0, 0, 0, 0, 1, 0, 0, 0, 84, 0, 0, 0])),
            (Command.READ, bytes([9, 0, 0, 0]) + bytes(8)),
            (Command.WRITE, bytes([2, 0, 0, 0]) + bytes(8)),
            (Command.WRITE, b""),
            (Command.CONFIG, bytes(43)),
            (Command.RESET, bytes(24)),
        ):
            with pytest.raises(DeviceError, match="bad argument"):
                link._call(kind, payload)
        assert link.status().samples == 0


def test_frames_survive_and_damage_is_seen() -> None:
    for length in (0, 1, 247, 248, 249, 253, 254, 255, 480):
        for payload in (bytes(length), b"\xff" * length):
            frame = encode_frame(3, 200, payload)
            assert frame.index(0) == len(frame) - 1
            assert decode_frame(frame[:-1]) == (3, 200, payload)
            assert decode_frame(frame[:-2]) is None
            assert decode_frame(bytes([frame[0], frame[1] ^ 4]) + frame[2:-1]) is None


def test_a_port_that_another_program_has_open_is_refused() -> None:
    master, slave = pty.openpty()
    try:
        name = os.ttyname(slave)
        with attach(name), pytest.raises(DeviceError, match="in use by another program"):
            attach(name)
    finally:
        os.close(master)
        os.close(slave)
