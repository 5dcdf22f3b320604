"""`edgelearn doctor`."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import PurePath

import click

from edgelearn.cli.options import json_option
from edgelearn.cli.output import emit, table, tell
from edgelearn.errors import ToolError

# Optional packages, any of which will do; what needs them; what to type.
OPTIONAL = (
    (("matplotlib",), "curve.png", "pip install 'edgelearn[plot]'"),
    (("tensorboardX",), "--tensorboard", "pip install 'edgelearn[tensorboard]'"),
    (("ai-edge-litert", "tflite-runtime"), "accuracy of trained.tflite", "pip install 'edgelearn[litert]'"),
    (("onnxruntime",), "accuracy of trained.onnx", "pip install 'edgelearn[ort]'"),
    (("platformio",), "edgelearn flash, boards with a framework", "pip install 'edgelearn[pio]'"),
)


@dataclass(frozen=True)
class Tool:
    """One thing that may be installed: its version ("" if it is not there), who needs it, what to type."""

    name: str
    version: str
    needed_by: tuple[str, ...]
    install: str
    required: bool = True


def _program_version(name: str) -> str:
    """The version a program reports of itself; "" if it is not there or does not run."""
    path = shutil.which(name)
    if path is None:
        return ""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    words = done.stdout.split("\n")[0].replace("(", " ").replace(")", " ").split()
    numbers = [w for w in words if w[:1].isdigit() and "." in w]
    return numbers[-1] if name.endswith(("gcc", "g++")) and numbers else next(iter(numbers), "there")


def _package_version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def find_tools() -> list[Tool]:
    """Python, every compiler and emulator that a board names, and the optional packages."""
    from edgelearn import boards
    from edgelearn.build.toolchain import emulator_programs, find_compiler, outdated

    tools = [Tool("python", platform.python_version(), ("edgelearn",), "")]
    compilers: dict[tuple[str, ...], list[boards.Board]] = {}
    emulators: dict[tuple[str, bool], list[boards.Board]] = {}
    for board in map(boards.load, boards.available()):
        if not board.framework:  # whose compiler PlatformIO brings
            compilers.setdefault(board.build.compilers, []).append(board)
        for program in emulator_programs(board):
            emulators.setdefault((program, bool(outdated(board))), []).append(board)
    for names, users in compilers.items():
        try:
            found = PurePath(find_compiler(users[0]).path).name
        except ToolError:
            found = ""
        ids = tuple(b.id for b in users)
        tools.append(Tool(found or names[0], _program_version(found) if found else "", ids, users[0].build.install))
    for (program, old), users in emulators.items():
        emulator, ids = users[0].emulator, tuple(b.id for b in users)
        assert emulator is not None
        if old:  # there is one, which other boards may do with
            tools.append(Tool(f"{program} {emulator.version}", "", ids, emulator.install, required=False))
        else:
            tools.append(Tool(program, _program_version(program), ids, emulator.install))
    for names, user, hint in OPTIONAL:
        found = next((n for n in names if _package_version(n)), names[0])
        tools.append(Tool(found, _package_version(found), (user,), hint, required=False))
    return tools


def commands_to_type(missing: list[Tool]) -> list[str]:
    """What to type for the missing tools; all of apt's packages in one line."""
    prefix = "apt-get install "
    packages = [w for t in missing if t.install.startswith(prefix) for w in t.install.removeprefix(prefix).split()]
    lines = [f"sudo {prefix}{' '.join(dict.fromkeys(packages))}"] if packages else []
    return lines + list(dict.fromkeys(t.install for t in missing if not t.install.startswith(prefix)))


@click.command("doctor")
@json_option
def command(as_json: bool) -> None:
    """Check which tools are installed and say what to type for the rest.

    Exit code 3 if a tool is missing that some board needs.
    """
    tools = find_tools()
    missing = [t for t in tools if not t.version]
    if as_json:
        emit({"tools": [asdict(t) for t in tools], "install": commands_to_type(missing)})
    else:
        rows = [(t.name, t.version or "missing", _users(t)) for t in tools]
        for line in table(("tool", "version", "needed by"), rows):
            tell(line)
    required = [t for t in missing if t.required]
    if required:
        raise ToolError(
            f"{len(required)} {'tools are' if len(required) > 1 else 'tool is'} missing",
            details=tuple(f"{t.name} for {_users(t)}" for t in required),
            hint="\n      ".join(commands_to_type(required)),
        )
    if missing and not as_json:
        tell()
        for line in commands_to_type(missing):
            tell(f"optional: {line}")


def _users(tool: Tool) -> str:
    return ", ".join(tool.needed_by)
