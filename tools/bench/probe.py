"""Calls any kernel on any board with any operands: compiles the probe (driver.c), feeds it calls over a pipe, and
returns what the arrays hold afterwards and how many instructions each call took.

A call's arguments are, in the order of the C signature: int, float, numpy array (in and out), a dict (a shape struct:
its values as int32), None (NULL), or `Alias(k)`, the same pointer as argument k.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgelearn import boards, kernels
from edgelearn.build.compile import BARE, FLOATS, SECTIONS
from edgelearn.errors import ToolError

HERE = Path(__file__).resolve().parent
FIRMWARE = HERE.parents[1] / "firmware"
PLUGIN = HERE.parent / "insn_plugin.c"
CACHE = Path(os.environ.get("EDGELEARN_CACHE", HERE.parents[1] / ".cache")) / "probe"
TIMEOUT = 120


@dataclass(frozen=True)
class Alias:
    """The same pointer as an earlier argument: in-place calls."""

    index: int


@dataclass(frozen=True)
class Result:
    """Arrays after the call, by argument index, and executed instructions where they were counted."""

    arrays: dict[int, np.ndarray]
    instructions: int | None


def run_tool(command: Sequence[str | Path], what: str) -> str:
    """stdout of a compiler; ToolError with its stderr if it fails."""
    try:
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=TIMEOUT)
    except FileNotFoundError:
        raise ToolError(f"{command[0]} is not installed") from None
    if done.returncode:
        raise ToolError(f"{what} failed", details=tuple(done.stderr.splitlines()[:20]))
    return done.stdout


@functools.cache
def signatures() -> dict[str, tuple[str, ...]]:
    """C parameter types of every registered kernel, out of the preprocessed header."""
    text = run_tool(["cc", "-E", "-P", f"-I{FIRMWARE}/include", FIRMWARE / "include/el/kernels.h"], "preprocessing")
    found = {}
    for name, parameters in re.findall(r"void (el_\w+)\(([^)]*)\);", text):
        found[name] = tuple(re.sub(r"\s*\b\w+$", "", p.strip()).strip() for p in parameters.split(","))
    return {entry.symbol: found[entry.symbol] for entry in kernels.TABLE}


def _calls_source() -> str:
    """probe_call(): one case per kernel."""
    lines = ['#include "el/kernels.h"', '#include "el/mark.h"', '#include "probe.h"', ""]
    lines += ["void probe_call(uint32_t id, const probe_arg *a)", "{", "    switch (id) {"]
    for index, (symbol, types) in enumerate(signatures().items()):
        member = ["f" if t == "float" else "i" if t == "int32_t" else "p" for t in types]
        arguments = ", ".join(f"a[{k}].{m}" for k, m in enumerate(member))
        lines.append(f"    case {index}: {{ EL_MARK(1); {symbol}({arguments}); EL_MARK(0); break; }}")
    return "\n".join([*lines, "    default: probe_exit(4);", "    }", "}", ""])


def _link_script(board: boards.Board) -> str:
    boot, ram = board.boot, board.ram
    return f"""MEMORY {{ code (rx) : ORIGIN = {boot.origin:#x}, LENGTH = {boot.size:#x}
ram (rwx) : ORIGIN = {ram.origin:#x}, LENGTH = {ram.size:#x} }}
SECTIONS {{
  .text : {{ KEEP(*(.start)) *(.text*) *(.rodata*) *(.srodata*) *(.data*) *(.sdata*) }} > code
  .ARM.exidx : {{ *(.ARM.exidx*) }} > code
  .bss (NOLOAD) : {{ __bss_start = .; *(.bss*) *(.sbss*) *(COMMON) . = ALIGN(16); __bss_end = .; }} > ram
  __pool_start = __bss_end;
  __stack_top = ORIGIN(ram) + LENGTH(ram);
  __pool_end = __stack_top - 65536;
  /DISCARD/ : {{ *(.note*) *(.comment) *(.eh_frame*) }}
}}
"""


def kernel_sources() -> list[Path]:
    """Every C file that the table names."""
    return sorted({FIRMWARE / entry.source for entry in kernels.TABLE})


def _digest(*parts: object) -> str:
    files = [p for pattern in ("include/el/*.h", "kernels/**/*.[ch]") for p in FIRMWARE.glob(pattern)]
    files += [*HERE.glob("*.[ch]"), HERE / "probe.py"]
    text = repr(parts).encode() + b"".join(f.read_bytes() for f in sorted(files))
    return hashlib.sha256(text).hexdigest()[:16]


def build(board_id: str, flags: Sequence[str] = (), compiler: str = "") -> Path:
    """The probe for one board, or for this computer with "host"; built once for each state of the sources."""
    board = boards.load(board_id)
    compiler = compiler or board.build.compilers[0]
    image = CACHE / f"probe-{board_id}-{_digest(board, flags, compiler, signatures())}.elf"
    if image.exists():
        return image
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        work = Path(folder)
        (work / "calls.c").write_text(_calls_source())
        place = "place_host.c" if board.arch == "host" else "place_bare.c"
        optimize = (*FLOATS, *SECTIONS, board.build.kernel_optimize)  # as the build compiles kernels
        command: list[str | Path] = [compiler, "-std=c11", *board.build.flags, *optimize, *flags]
        command += [f"-I{FIRMWARE}/include", f"-I{HERE}"]
        command += [work / "calls.c", HERE / "driver.c", HERE / place, *kernel_sources(), "-o", work / "image"]
        if board.arch != "host":
            (work / "link.ld").write_text(_link_script(board))
            command += [*BARE, "-nostdlib", "-static", f"-Wl,-T,{work / 'link.ld'},--gc-sections", "-lgcc"]
        run_tool(command, f"compiling the probe for {board_id}")
        os.replace(work / "image", image)  # another test process may have built the same one
    return image


def compiler_version(board_id: str) -> str:
    """First line of the compiler's --version: counts compare only within one."""
    return run_tool([boards.load(board_id).build.compilers[0], "--version"], "the compiler").splitlines()[0]


@functools.cache
def plugin() -> Path:
    """The instruction counter, built by the host's compiler."""
    target = CACHE / f"insn-{hashlib.sha256(PLUGIN.read_bytes()).hexdigest()[:16]}.so"
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            output = Path(folder) / "insn.so"
            run_tool(["cc", "-shared", "-fPIC", "-O2", "-fvisibility=hidden", PLUGIN, "-o", output], "the plugin")
            os.replace(output, target)
    return target


def _pack(symbol: str, arguments: Sequence[Any]) -> bytes:
    types = signatures()[symbol]
    if len(types) != len(arguments):
        raise ValueError(f"{symbol} takes {len(types)} arguments, not {len(arguments)}")
    parts = [struct.pack("<II", list(signatures()).index(symbol), len(arguments))]
    for ctype, value in zip(types, arguments, strict=True):
        if value is None:
            parts.append(struct.pack("<I", 2))
        elif isinstance(value, Alias):
            parts.append(struct.pack("<II", 4, value.index))
        elif isinstance(value, np.ndarray | Mapping):
            data = bytes(_words(value))
            parts.append(struct.pack("<II", 3, len(data)) + data)
        elif ctype == "float":
            parts.append(struct.pack("<If", 1, value))
        else:
            parts.append(struct.pack("<Ii", 0, value))
    return b"".join(parts)


def _words(value: np.ndarray | Mapping[str, int]) -> bytes:
    if isinstance(value, np.ndarray):
        return np.ascontiguousarray(value).tobytes()
    return np.array(list(value.values()), np.int32).tobytes()


def call_of(arguments: Sequence[Any], kernel: kernels.Kernel) -> tuple[str, list[Any]]:
    """A call for `run`, with as much scratch as the kernel wants, filled with what must not matter."""
    scratch = [np.full(kernel.scratch // 4, np.nan, np.float32)] if kernel.scratch else []
    return kernel.name, [*arguments, *scratch]


def run(
    board_id: str, calls: Sequence[tuple[str, Sequence[Any]]], flags: Sequence[str] = (), compiler: str = "",
    count: bool = False,
) -> list[Result]:  # fmt: skip
    """Run calls (kernel symbol, arguments) one after another in one process or emulator."""
    board = boards.load(board_id)
    image = build(board_id, flags, compiler)
    request = b"".join(_pack(symbol, arguments) for symbol, arguments in calls) + struct.pack("<I", 0xFFFFFFFF)
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder) / "counts"
        command = [str(image)] if board.emulator is None else _emulate(board, image, counts if count else None)
        done = subprocess.run(command, input=request, capture_output=True, timeout=TIMEOUT)
        if done.returncode:
            text = done.stderr.decode(errors="replace").splitlines()
            raise ToolError(f"the probe ended with code {done.returncode} on {board_id}", details=tuple(text[:30]))
        insns = [int(line.split()[1]) for line in counts.read_text().splitlines()] if count else [None] * len(calls)
    results, at = [], 0
    for (_, arguments), executed in zip(calls, insns, strict=True):
        arrays = {}
        for index, value in enumerate(arguments):
            if isinstance(value, np.ndarray | Mapping):
                raw = done.stdout[at : at + len(_words(value))]
                at += len(raw)
                if isinstance(value, np.ndarray):
                    arrays[index] = np.frombuffer(raw, value.dtype).reshape(value.shape)
        results.append(Result(arrays, executed))
    if at != len(done.stdout):
        raise ToolError(f"the probe on {board_id} sent {len(done.stdout)} bytes instead of {at}")
    return results


def _emulate(board: boards.Board, image: Path, counts: Path | None) -> list[str]:
    assert board.emulator is not None
    program = shutil.which(board.emulator.program)
    if program is None:
        raise ToolError(f"{board.emulator.program} is not installed", hint=board.emulator.install)
    command = [program, *board.emulator.args, "-kernel", str(image), "-display", "none", "-serial", "null"]
    command += ["-monitor", "none", "-semihosting-config", "enable=on,target=native"]
    if counts is not None:
        isa = "riscv" if board.arch == "riscv" else "arm"
        command += ["-plugin", f"{plugin()},isa={isa},out={counts}"]
    return command
