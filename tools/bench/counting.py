"""Two ways to count executed guest instructions: a plugin in QEMU, or QEMU's -icount and the board's own counter.

The plugin counts between marks in the instruction stream and is exact. It needs a C compiler on this computer and a
QEMU that takes it. Where either is missing, -icount gives every instruction the same guest time, and the counter of the
board's HAL, read before and after a call, divides back to instructions. Both give the same, give or take two (a dozen
in the call in which a 32-bit counter wraps).

A board whose core is simulated counts clock cycles instead, with a counter of its own. For a Cortex-M4 the plugin adds
up modelled cycles on request: what its manual says of each instruction, see tools/m4_cycles.h.
"""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import tempfile
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from edgelearn.boards import Board, Emulator
from edgelearn.build.toolchain import find_emulator
from edgelearn.errors import ToolError

SOURCE = Path(__file__).resolve().parents[1] / "insn_plugin.c"
PARTS = (SOURCE, SOURCE.with_name("m4_cycles.h"))
CACHE = Path(os.environ.get("EDGELEARN_CACHE", SOURCE.parents[1] / ".cache")) / "probe"
TIMEOUT = 600
CC, FLAGS = "cc", ("-shared", "-fPIC", "-O2", "-fvisibility=hidden")


class Method(Enum):
    """How instructions are counted; the value is what people read and type."""

    PLUGIN = "plugin"
    ICOUNT = "icount"
    CYCLES = "mcycle"
    MODEL = "model"


@dataclass(frozen=True)
class Choice:
    """The method for a board, and why it is not the plugin: empty if it is."""

    method: Method
    reason: str = ""


def choose(board: Board) -> Choice:
    """The plugin where it works; a simulator's own counter."""
    if board.simulated:
        return Choice(Method.CYCLES)
    try:
        _check(find_emulator(board))
    except ToolError as error:
        return Choice(Method.ICOUNT, ": ".join([error.message, *error.details[:1]]))
    return Choice(Method.PLUGIN)


def options(board: Board, method: Method, out: Path, weights: str = "arithmetic") -> list[str]:
    """What QEMU is told; the plugin writes its counts to `out`. `weights`: see the plugin's beats."""
    assert board.emulator is not None
    if method is Method.CYCLES:
        return []
    if method is Method.ICOUNT:
        return ["-icount", f"shift={board.emulator.icount_shift}"]
    if method is Method.MODEL:
        return ["-plugin", f"{plugin()},isa=arm,out={out},cycles=m4"]
    isa = "riscv" if board.arch == "riscv" else "arm"
    beats = f",beats={weights}" if has_groups(board) else ""
    return ["-plugin", f"{plugin()},isa={isa},out={out}{beats}"]


def has_model(board: Board) -> bool:
    """Whether there is a table of cycles for this core."""
    return board.cpu == "cortex-m4"


def has_groups(board: Board) -> bool:
    """Whether an instruction may work on a group of vector registers, and so takes several beats of the unit."""
    return "_zve" in board.cpu


def instructions(emulator: Emulator, ticks: int) -> int:
    """Ticks of the board's counter, in instructions under -icount, in cycles in a simulator."""
    return round(ticks * emulator.tick_ns / (1 << emulator.icount_shift)) if emulator.tick_ns else ticks


@functools.cache
def plugin() -> Path:
    """The plugin, compiled once for each state of its source."""
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in PARTS)).hexdigest()
    target = CACHE / f"insn-{digest[:16]}.so"
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            output = Path(folder) / "insn.so"
            run_tool([CC, *FLAGS, SOURCE, "-o", output], "compiling the plugin")
            os.replace(output, target)
    return target


@functools.cache
def _check(program: str) -> None:
    """Start QEMU without a machine; ToolError if it does not take the plugin."""
    command = [program, "-M", "none", "-display", "none", "-serial", "none", "-monitor", "stdio"]
    command += ["-plugin", f"{plugin()},out={os.devnull}"]
    done = subprocess.run(command, input="quit\n", capture_output=True, text=True, timeout=TIMEOUT)
    if done.returncode:
        raise ToolError("QEMU refuses the plugin", details=tuple(done.stderr.splitlines()[:3]))


def run_tool(command: list[str | Path], what: str) -> str:
    """stdout of a compiler; ToolError with its stderr if it fails."""
    try:
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=TIMEOUT)
    except FileNotFoundError:
        raise ToolError(f"{command[0]} is not installed") from None
    if done.returncode:
        raise ToolError(f"{what} failed", details=tuple(done.stderr.splitlines()[:20]))
    return done.stdout
