"""A simulator that can't be built says why, and a build that was interrupted leaves nothing behind."""

from __future__ import annotations

import shutil
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest

from edgelearn.build import simulator as module
from edgelearn.build.process import Done
from edgelearn.build.simulator import simulator
from edgelearn.errors import InternalError, ToolError

HINT = "apt-get install verilator"
RECIPE = """
package = "some-core"
version = "1.0"
sha256 = "{sha256}"
source = "a test"
root = "core/rtl"
files = "core.flist"
files_root = "RTL"
top = "core"
harness = "harness.cpp"
[[patch]]
file = "core.sv"
old = "off"
new = "on"
"""


class World:
    """A recipe, the package it names, and tools that only note what they were told."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.recipes, self.cache = folder / "boards", folder / "cache"
        (self.recipes / "core").mkdir(parents=True)
        self.commands: list[list[str]] = []
        self.seen = ""
        self.package("switch = off;")
        monkeypatch.setattr(module, "boards_dir", lambda: self.recipes)
        monkeypatch.setattr(module, "cache_dir", lambda: self.cache)
        monkeypatch.setattr(shutil, "which", lambda name: f"/tools/{name}")
        monkeypatch.setattr(module, "run_tool", self.run)

    @property
    def rtl(self) -> Path:
        return self.cache / "rtl"

    def package(self, text: str) -> None:
        self.rtl.mkdir(parents=True, exist_ok=True)
        self.wheel = self.rtl / "some_core-1.0-py3-none-any.whl"
        with zipfile.ZipFile(self.wheel, "w") as archive:
            archive.writestr("core/rtl/core.sv", text)
        sha256 = module.hashlib.sha256(self.wheel.read_bytes()).hexdigest()
        (self.recipes / "core" / "recipe.toml").write_text(RECIPE.format(sha256=sha256))

    def run(self, command: list[str], variables: dict[str, str]) -> Done:
        self.commands.append(command)
        if command[0] == "verilator":
            folder = Path(variables["RTL"])
            self.seen = (folder / "core.sv").read_text()
            made = Path(command[command.index("-Mdir") + 1])
            made.mkdir()
            (made / "simulator").write_text("program")
        return Done(command, 0, "", "")

    def left(self) -> list[str]:
        return sorted(p.name for p in self.rtl.iterdir() if not p.name.startswith("core-"))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def test_built_once_and_patched(world: World) -> None:
    said: list[str] = []
    program = simulator("core", HINT, said.append)
    assert program.read_text() == "program"
    assert world.seen == "switch = on;"
    assert [c[0] for c in world.commands] == ["verilator", "make"]
    assert simulator("core", HINT, said.append) == program
    assert len(world.commands) == 2
    assert said == ["building the simulator of core with Verilator, about half a minute, once"]
    assert world.left() == ["lock", world.wheel.name]


def test_missing_tools_are_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name in ("verilator", "g++") else name)
    with pytest.raises(ToolError, match=r"verilator and g\+\+ are not installed") as caught:
        simulator("core", HINT)
    assert caught.value.hint == HINT


def test_another_package_is_refused(world: World) -> None:
    world.wheel.write_bytes(b"something else")
    with pytest.raises(ToolError, match="not the file that the recipe names"):
        simulator("core", HINT)
    assert not world.wheel.exists()
    assert world.left() == ["lock"]


def test_a_patch_that_does_not_fit_is_our_bug(world: World) -> None:
    world.package("off off")
    with pytest.raises(InternalError, match="2 times, not once"):
        simulator("core", HINT)


def test_a_failed_tool_shows_its_errors(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(command: list[str], **options: Any) -> Done:
        return Done(command, 1, "", "notes\n%Error: core.sv:1: what is this\n")

    monkeypatch.setattr(module, "run_tool", fail)
    with pytest.raises(ToolError, match="Verilator refuses the RTL") as caught:
        simulator("core", HINT)
    assert caught.value.details == ("%Error: core.sv:1: what is this",)


def test_an_interrupted_build_leaves_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (world.rtl / "build-killed").mkdir()  # by SIGKILL, which nobody can clean up after

    def interrupt(command: list[str], **options: Any) -> Done:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "run_tool", interrupt)
        with pytest.raises(KeyboardInterrupt):
            simulator("core", HINT)
    assert world.left() == ["lock", world.wheel.name]
    assert simulator("core", HINT).is_file()


def test_two_builds_wait_for_one_another(world: World) -> None:
    programs: list[Path] = []
    threads = [threading.Thread(target=lambda: programs.append(simulator("core", HINT))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(programs)) == 1
    assert [c[0] for c in world.commands] == ["verilator", "make"]
