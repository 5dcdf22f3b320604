"""Boards that are child processes: QEMU, a simulator, or the image itself on this computer."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

from edgelearn.boards import Board
from edgelearn.build.toolchain import emulator_command
from edgelearn.device.base import Device
from edgelearn.errors import DeviceError, UsageError

CHUNK = 1 << 16
POLITE_EXIT = 0.5  # seconds a child gets to leave by itself once its input is closed
NO_ESCAPE = ("-echr", "0x100")  # the multiplexer's escape character must be none of the 256 bytes
FAULT = 3  # EL_EXIT_FAULT of firmware/include/el/hal.h
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _die_with_parent() -> None:
    """In the child, before exec: whatever kills us, even SIGKILL, leaves no orphan that burns a core."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class ChildDevice(Device):
    """A process that speaks through two pipes, or through one socket in the place of a UART.

    It runs in a session of its own: Ctrl-C at the terminal reaches us only, and we end it in order.
    """

    def __init__(
        self, board: Board, elf: Path, carrier: str, *, count_instructions: bool = False, store: Path | None = None
    ) -> None:
        if carrier not in board.link.carriers:
            raise UsageError(f"{board.id} has no carrier '{carrier}'", hint=f"it has {', '.join(board.link.carriers)}")
        self.board = board
        self.name = board.id
        self._store = store.resolve() if store else None
        self._counts = board.simulated or (count_instructions and board.emulated)
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in _shut
        self._files: list[socket.socket | IO[bytes]] = []
        if carrier == "uart":
            self._start_on_socket(elf)
        else:
            self._start_on_pipes(elf)
        os.set_blocking(self._out, False)
        super().__init__()

    def _start_on_pipes(self, elf: Path) -> None:
        command = self._command(elf, ["-serial", "null"])
        self._process = self._popen(command, subprocess.PIPE, subprocess.PIPE)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._files = [self._process.stdin, self._process.stdout]
        self._out, self._in = self._process.stdin.fileno(), self._process.stdout.fileno()

    def _start_on_socket(self, elf: Path) -> None:
        """A connected pair of sockets: no port to be taken, nobody to wait for."""
        ours, theirs = socket.socketpair()
        self._files = [ours]
        self._in = self._out = ours.fileno()
        fd = theirs.fileno()
        with theirs:
            if self.board.emulated:
                mux = ",mux=on" if self.board.link.mux else ""
                serial = ["-chardev", f"socket,id=uart,fd={fd}{mux}", "-serial", "chardev:uart", *NO_ESCAPE]
                self._process = self._popen(
                    self._command(elf, serial), subprocess.DEVNULL, subprocess.DEVNULL, keep=(fd,)
                )
            else:
                self._process = self._popen(self._command(elf, []), fd, fd)

    def _command(self, elf: Path, serial: list[str]) -> list[str]:
        emulator = self.board.emulator
        if emulator is None:
            return [str(elf)]
        command = [*emulator_command(self.board, elf, serial), *self._store_arguments()]
        icount = self._counts and not self.board.simulated  # a simulator always counts
        return [*command, "-icount", f"shift={emulator.icount_shift}"] if icount else command

    def _store_arguments(self) -> list[str]:
        """What gives an emulator the file that keeps its flash, which is made where there is none."""
        flash = self.board.store
        if flash is None or self._store is None or not flash.file_bytes:
            return []
        try:
            self._store.touch()
            if self._store.stat().st_size != flash.file_bytes:
                os.truncate(self._store, flash.file_bytes)
        except OSError as error:
            raise DeviceError(f"can't keep the board's flash: {error.strerror}", where=str(self._store)) from None
        return [arg.replace("{file}", str(self._store)) for arg in flash.args]

    def _popen(
        self, command: list[str], stdin: int, stdout: int, keep: tuple[int, ...] = ()
    ) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                command,
                stdin=stdin,
                stdout=stdout,
                stderr=self._errors,
                bufsize=0,
                env={**os.environ, "EL_STORE_FILE": str(self._store)} if self._store else None,
                pass_fds=keep,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        except OSError as error:
            raise DeviceError(f"the image does not start: {error.strerror}", where=command[0]) from None

    def read(self, timeout: float) -> bytes:
        ready, _, _ = select.select([self._in], [], [], timeout)
        if not ready:
            return b""
        with contextlib.suppress(ConnectionError):
            data = os.read(self._in, CHUNK)
            if data:
                return data
        raise self._death()

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._out, view) :]
            except BlockingIOError:
                select.select([], [self._out], [], 1.0)
                if self._process.poll() is not None:
                    raise self._death() from None
            except (BrokenPipeError, ConnectionError):
                raise self._death() from None

    def spent(self, ticks: int) -> int:
        """Ticks of a timer become instructions by the guest time that one takes; a simulator's ticks are cycles."""
        emulator = self.board.emulator
        if emulator is None or not self._counts:
            return 0
        if emulator.tick_ns == 0:
            return ticks
        return round(ticks * emulator.tick_ns / (1 << emulator.icount_shift))

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def wait(self, timeout: float) -> int | None:
        """Its exit code once it has left by itself, or None."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout)
        return None

    def _death(self) -> DeviceError:
        code = self.wait(2.0)
        self._errors.seek(0)
        tail = self._errors.read().decode(errors="replace").splitlines()[-8:]
        if code is None:
            what = f"{self.name} closed the link"
        elif code == FAULT and self.board.arch != "host":
            what = f"the program on {self.name} hit a fault"
        elif code < 0:
            what = f"{self.name} was killed by {signal.Signals(-code).name}"
        else:
            what = f"{self.name} ended with exit code {code}"
        return DeviceError(what, details=tuple(tail))

    def _shut(self) -> None:
        """Closing its input ends a child that waits for it; one that computes is killed."""
        for file in self._files:
            with contextlib.suppress(OSError):
                file.close()
        deadline = time.monotonic() + POLITE_EXIT
        while self._process.poll() is None and time.monotonic() < deadline and self._can_leave:
            time.sleep(0.002)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._errors.close()

    @property
    def _can_leave(self) -> bool:
        """QEMU on a socket never notices that the other end is closed."""
        return not (self.board.emulated and self._in == self._out)
