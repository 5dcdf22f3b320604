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
import struct
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgelearn import boards, kernels
from edgelearn.build.compile import FLOATS, SECTIONS, bare_flags, board_header, libraries
from edgelearn.build.toolchain import Compiler, emulator_command, find_compiler
from edgelearn.errors import ToolError
from tools.bench import counting
from tools.bench.counting import CACHE, TIMEOUT, Method, run_tool

HERE = Path(__file__).resolve().parent
FIRMWARE = HERE.parents[1] / "firmware"
SIMULATOR_TIMEOUT = 3600  # seconds
END = struct.pack("<I", 0xFFFFFFFF)
TICKS = struct.Struct("<Q")


@dataclass(frozen=True)
class Alias:
    """The same pointer as an earlier argument: in-place calls."""

    index: int


@dataclass(frozen=True)
class Result:
    """Arrays after the call, by argument index, and executed instructions where they were counted."""

    arrays: dict[int, np.ndarray]
    instructions: int | None


@functools.cache
def signatures(compiler: str = "cc", isas: tuple[str, ...] = kernels.PORTABLE) -> dict[str, tuple[str, ...]]:
    """C parameter types of every kernel of some instruction sets, out of the header as a C compiler preprocesses it."""
    header = FIRMWARE / "include/el/kernels.h"
    text = run_tool([compiler, "-E", "-P", "-ffreestanding", f"-I{FIRMWARE}/include", header], "preprocessing")
    found = {}
    for name, parameters in re.findall(r"void (el_\w+)\(([^)]*)\);", text):
        found[name] = tuple(re.sub(r"\s*\b\w+$", "", p.strip()).strip() for p in parameters.split(","))
    return {entry.symbol: found[entry.symbol] for entry in kernels.runnable(isas)}


def _calls_source(types_of: Mapping[str, tuple[str, ...]]) -> str:
    """probe_call(): one case per kernel, and the last one that calls nothing."""
    lines = ['#include "el/kernels.h"', '#include "probe.h"', ""]
    lines += ["void probe_call(uint32_t id, const probe_arg *a)", "{", "    switch (id) {"]
    for index, (symbol, types) in enumerate(types_of.items()):
        member = ["f" if t == "float" else "i" if t == "int32_t" else "p" for t in types]
        arguments = ", ".join(f"a[{k}].{m}" for k, m in enumerate(member))
        lines.append(f"    case {index}: PROBE_COUNTED({symbol}({arguments})); break;")
    lines.append(f"    case {len(types_of)}: PROBE_COUNTED((void)a); break;")
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


def kernel_sources(isas: Sequence[str] = kernels.PORTABLE) -> list[Path]:
    """Every C file of some instruction sets."""
    return sorted({FIRMWARE / entry.source for entry in kernels.runnable(isas)})


def _digest(*parts: object) -> str:
    files = [p for pattern in ("include/el/*.h", "kernels/**/*.[ch]") for p in FIRMWARE.glob(pattern)]
    files += [*FIRMWARE.glob("hal/**/*.[ch]"), *FIRMWARE.glob("hal/**/*.S"), *HERE.glob("*.[ch]"), HERE / "probe.py"]
    text = repr(parts).encode() + b"".join(f.read_bytes() for f in sorted(files))
    return hashlib.sha256(text).hexdigest()[:16]


def build(board_id: str, flags: Sequence[str] = (), compiler: str = "") -> Path:
    """The probe for one board, or for this computer with "host"; built once for each state of the sources."""
    board = boards.load(board_id)
    compiler = compiler or find_compiler(board).path
    types_of = signatures(compiler, board.kernels)
    version = run_tool([compiler, "--version"], "the compiler")
    image = CACHE / f"probe-{board_id}-{_digest(board, flags, compiler, version, types_of)}.elf"
    if image.exists():
        return image
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        work = Path(folder)
        (work / "calls.c").write_text(_calls_source(types_of))
        (work / "board.h").write_text(board_header(board))
        place = "place_host.c" if board.arch == "host" else "place_bare.c"
        optimize = (*FLOATS, *SECTIONS, board.build.kernel_optimize)  # as the build compiles kernels
        command: list[str | Path] = [compiler, "-std=c11", *board.build.flags, *optimize, *flags]
        command += [f"-I{FIRMWARE}/include", f"-I{HERE}", f"-I{work}"]
        command += [
            work / "calls.c",
            HERE / "driver.c",
            HERE / place,
            *kernel_sources(board.kernels),
            "-o",
            work / "image",
        ]
        if board.arch != "host":
            (work / "link.ld").write_text(_link_script(board))
            command += [*_hal_sources(board), f"-I{FIRMWARE}/hal"]
            command += [*bare_flags(Compiler(compiler, version)), "-nostdlib", "-static", *board.build.link_flags]
            command += [f"-Wl,-T,{work / 'link.ld'},--gc-sections", *libraries(board)]
        run_tool(command, f"compiling the probe for {board_id}")
        os.replace(work / "image", image)  # another test process may have built the same one
    return image


def _hal_sources(board: boards.Board) -> list[Path]:
    """What of the board's HAL is its own: how it calls the host and counts, and what its core needs before C."""
    names = [*board.hal.common, *board.hal.library]
    own = [n for n in names if not n.endswith("reset.S") and (n in board.hal.library or not n.startswith("bare/"))]
    return [FIRMWARE / "hal" / name for name in own]


def _pack(types_of: Mapping[str, tuple[str, ...]], symbol: str, arguments: Sequence[Any]) -> bytes:
    types = types_of[symbol]
    if len(types) != len(arguments):
        raise ValueError(f"{symbol} takes {len(types)} arguments, not {len(arguments)}")
    parts = [struct.pack("<II", list(types_of).index(symbol), len(arguments))]
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
    count: Method | None = None,
) -> list[Result]:  # fmt: skip
    """Run calls (kernel symbol, arguments) one after another in one process or emulator."""
    board = boards.load(board_id)
    image = build(board_id, flags, compiler)
    types_of = signatures(compiler or find_compiler(board).path, board.kernels)
    nothing = struct.pack("<II", len(types_of), 0)
    request = [nothing, *(_pack(types_of, symbol, arguments) for symbol, arguments in calls), END]
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder) / "counts"
        command = [str(image)]
        if board.emulator is not None:
            command = emulator_command(board, image)
            command += counting.options(board, count, counts) if count else []
        limit = SIMULATOR_TIMEOUT if board.simulated else TIMEOUT
        done = subprocess.run(command, input=b"".join(request), capture_output=True, timeout=limit)
        if done.returncode:
            text = done.stderr.decode(errors="replace").splitlines()
            raise ToolError(f"the probe ended with code {done.returncode} on {board_id}", details=tuple(text[:30]))
        marked = [int(line.split()[1]) for line in counts.read_text().splitlines()] if counts.exists() else []
    results, ticks = _unpack(calls, done.stdout, board_id)
    if board.emulator is None or count is None:
        return results
    if count not in (Method.PLUGIN, Method.MODEL):
        marked = [counting.instructions(board.emulator, t - ticks[0]) for t in ticks]
    return [Result(r.arrays, n) for r, n in zip(results, marked[1:], strict=True)]


def _unpack(
    calls: Sequence[tuple[str, Sequence[Any]]], data: bytes, board_id: str
) -> tuple[list[Result], tuple[int, ...]]:
    """The arrays of each call, and the ticks of each and, before them, of nothing."""
    at, ticks, results = TICKS.size, [data[: TICKS.size]], []
    for _, arguments in calls:
        ticks.append(data[at : at + TICKS.size])
        at += TICKS.size
        arrays = {}
        for index, value in enumerate(arguments):
            if isinstance(value, np.ndarray | Mapping):
                raw = data[at : at + len(_words(value))]
                at += len(_words(value))
                if isinstance(value, np.ndarray) and len(raw) == value.nbytes:
                    arrays[index] = np.frombuffer(raw, value.dtype).reshape(value.shape)
        results.append(Result(arrays, None))
    if at != len(data):
        raise ToolError(f"the probe on {board_id} sent {len(data)} bytes instead of {at}")
    return results, tuple(TICKS.unpack(raw)[0] for raw in ticks)
