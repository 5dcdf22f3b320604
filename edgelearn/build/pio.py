"""Runs PlatformIO on a project: where it is found, how it works without its registry, what its failures mean."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
import shutil
import sys
from pathlib import Path

from edgelearn.boards import Board
from edgelearn.build.compile import replace_text
from edgelearn.build.image import Image, read_image
from edgelearn.build.platformio import RUNTIME
from edgelearn.build.process import run_tool
from edgelearn.build.toolchain import find_compiler
from edgelearn.errors import ToolError
from edgelearn.share import cache_dir

INSTALL = "pip install 'edgelearn[pio]'"
LOG = "build.log"
ERROR_LINES = 8
# What PlatformIO says where it wants to download something and can't.
UNREACHABLE = re.compile(
    r"HTTPClientError|InternetConnection|internet connection|Max retries|name resolution|Failed to establish"
    r"|ConnectionError|Could not find the package|Could not install package|Unable to access|Could not resolve host"
)
TELLING = re.compile(
    r"\berror\b|overflowed|undefined reference|[Nn]o such|not found|[Pp]ermission|could not open", re.I
)
SCONS = "tool-scons"


def find_pio() -> list[str]:
    """The command that is PlatformIO: this Python's own, or a program; ToolError if there is none."""
    if importlib.util.find_spec("platformio") is not None:
        return [sys.executable, "-m", "platformio"]
    usual = Path.home() / ".platformio" / "penv" / "bin" / "pio"  # where PlatformIO's IDE puts it
    for name in ("pio", "platformio", str(usual)):
        if path := shutil.which(name):
            return [path]
    raise ToolError("PlatformIO is not installed", hint=INSTALL)


def run_pio(project: Path, *targets: str, board: str, local: bool, port: str | None = None) -> str:
    """`pio run` in a project's folder; what it said, which `build.log` there has too.

    `local`: everything that the build needs is on this computer. ToolError if it fails, with the telling lines.
    """
    command = [*find_pio(), "run", "--environment", board]
    command += [part for target in targets for part in ("--target", target)]
    command += ["--upload-port", port] if port else []
    variables = {"PLATFORMIO_SETTING_ENABLE_TELEMETRY": "false", "PLATFORMIO_NO_ANSI": "true"}
    if local and (core := _own_core()):
        variables["PLATFORMIO_CORE_DIR"] = str(core)
    done = run_tool(command, folder=project, variables=variables, together=True)
    replace_text(project / LOG, done.stdout)
    if done.returncode:
        raise _failure(done.stdout, project / LOG, board, targets)
    return done.stdout


def compile_project(project: Path, board: Board, carrier: str) -> Image:
    """Build a project with PlatformIO and read its image."""
    local = board.platformio is None
    run_pio(project, board=board.id, local=local)
    built = project / ".pio" / "build" / board.id
    elf = next((p for p in (built / "firmware.elf", *sorted(built.glob("*.elf"))) if p.is_file()), None)
    if elf is None:
        raise ToolError("PlatformIO has left no image", where=str(built))
    objects = sorted(built.glob(f"lib*/{RUNTIME}/**/*.o"))
    version = find_compiler(board).version if local else "PlatformIO's compiler"
    return read_image(elf, board, carrier, version, objects)


def _failure(output: str, log: Path, board: str, targets: tuple[str, ...]) -> ToolError:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if UNREACHABLE.search(output):
        wanted = [line.partition(": ")[2] for line in lines if "Installing" in line][-1:]
        return ToolError(
            f"PlatformIO can't download what {board} needs",
            where=str(log),
            details=tuple(f"it was {line[0].lower()}{line[1:]}" for line in wanted),
            hint="connect this computer to the internet and try again; what is downloaded once stays",
        )
    what = f"PlatformIO can't load the program onto {board}" if targets else f"PlatformIO can't build for {board}"
    telling = [line for line in lines if TELLING.search(line)]
    return ToolError(what, where=str(log), details=tuple((telling or lines)[:ERROR_LINES]))


def _own_core() -> Path | None:
    """A folder for PlatformIO in which its build engine is the installed SCons, so that nothing is downloaded.

    None where this Python has no PlatformIO, or not the SCons that it wants. How PlatformIO notes what it has installed
    is its own affair: the extra `pio` pins the version that this was written for.
    """
    if importlib.util.find_spec("platformio") is None:
        return None
    from platformio.dependencies import get_core_dependencies

    wanted = str(get_core_dependencies()[SCONS]).lstrip("~^=")  # 4.41101.0 stands for SCons 4.11.1
    if _packed(wanted) != _installed():
        return None
    core = cache_dir() / "platformio"
    place = core / "packages" / SCONS
    spec = {"owner": "platformio", "id": None, "name": SCONS, "requirements": None, "uri": None}
    note = {"type": "tool", "name": SCONS, "version": wanted, "spec": spec}
    replace_text(place / "package.json", json.dumps({"name": SCONS, "version": wanted}) + "\n")
    replace_text(place / ".piopm", json.dumps(note) + "\n")
    replace_text(place / "scons.py", "import SCons.Script\n\nSCons.Script.main()\n")
    return core


def _packed(version: str) -> str:
    """4.41101.0 as 4.11.1: PlatformIO writes SCons' three numbers as one of its own."""
    digits = version.split(".")[1]
    return f"{int(digits[:-4])}.{int(digits[-4:-2])}.{int(digits[-2:])}"


def _installed() -> str:
    try:
        return importlib.metadata.version("scons")
    except importlib.metadata.PackageNotFoundError:
        return ""
