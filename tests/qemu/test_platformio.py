"""PlatformIO without its registry: an emulated Arm and a RISC-V board built through it train as the direct build does,
bit by bit, and a board with a framework is built, loaded and trained over its port, with an Arduino core of our own in
the place of a vendor's.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgelearn import boards
from edgelearn.build import Image, build_image
from edgelearn.build.keep import write_generated, write_once
from edgelearn.build.pio import _own_core, compile_project
from edgelearn.build.platformio import make_project
from edgelearn.build.verify import verify_image
from edgelearn.codegen import generate
from edgelearn.config import TrainConfig
from edgelearn.data import load_dataset
from edgelearn.device import open_device
from edgelearn.importers import load
from edgelearn.link import Link
from edgelearn.plan import Plan, compile_model
from edgelearn.session import Session
from edgelearn.share import boards_dir
from tests.support.cli import MODEL, ROOT, edgelearn, small_data

STUB, BARE = (ROOT / "tests" / "support" / name for name in ("pio_arduino", "pio_bare"))


def _trained(plan: Plan, image: Image, data: Path) -> dict[str, np.ndarray]:
    with contextlib.closing(Link(open_device(image))) as link:
        session = Session(
            plan, link, load_dataset(data, plan.imported, str(plan.graph.meta["loss"])), lambda event: None
        )
        session.run()
    assert session.outcome.weights is not None
    return session.outcome.weights


def _assert_same_parts(one: Image, other: Image) -> None:
    """The same functions and objects, of the same sizes where the linker does not shorten calls, as RISC-V's does.

    Objects are linked in another order, so that there is other padding between functions, and between what they keep in
    read-only data.
    """
    assert one.ram == other.ram
    assert one.flash.consts == other.flash.consts
    assert abs(one.flash.rest - other.flash.rest) < 16
    assert abs(one.flash.code - other.flash.code) <= 64
    exact = one.board.arch != "riscv"
    assert (one.symbols if exact else one.symbols.keys()) == (other.symbols if exact else other.symbols.keys())


@pytest.mark.parametrize("name", ["qemu-m4", "qemu-rv32"])
def test_both_ways_to_build_give_the_same_program(name: str, tmp_path: Path) -> None:
    """In a folder with blanks in its name."""
    board = boards.load(name)
    plan = compile_model(load(MODEL), TrainConfig(epochs=1), board)
    sources = generate(plan)
    made = make_project(sources.files, board, carrier=board.carrier, kernels=sources.kernels, title="wearable")
    project = tmp_path / "a project"
    write_generated(project, made.generated)
    write_once(project, made.own)
    ours = build_image(sources.files, board, tmp_path / "direct", kernel_sources=sources.kernels)
    theirs = compile_project(project, board, board.carrier)
    assert verify_image(plan, theirs) == ()
    _assert_same_parts(theirs, ours)
    data = small_data(tmp_path / "small.npz")
    direct, through = _trained(plan, ours, data), _trained(plan, theirs, data)
    assert [name for name in direct if not np.array_equal(direct[name], through[name])] == []


def test_a_bare_board_is_the_planned_image_whatever_the_platform_adds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a vendor's flags around ours; the stand-in for its platform comes by a user's own settings."""
    board = boards.load("nucleo_f446re")
    plan = compile_model(load(MODEL), TrainConfig(), board)
    sources = generate(plan)
    made = make_project(sources.files, board, carrier="uart", kernels=sources.kernels, title="wearable")
    project = tmp_path / "project"
    write_generated(project, made.generated)
    write_once(project, made.own)
    platform = f"[env:{board.id}]\nplatform = symlink://{BARE}\nboard = {board.id}\n"
    (project / "platformio.local.ini").write_text(platform)
    monkeypatch.setenv("EDGELEARN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(_own_core()))
    theirs = compile_project(project, board, "uart")
    assert verify_image(plan, theirs) == ()
    ours = build_image(sources.files, board, tmp_path / "direct", kernel_sources=sources.kernels)
    _assert_same_parts(theirs, ours)


@pytest.fixture
def stub_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A board file whose platform is the stub, and the port that its program will be on."""
    monkeypatch.setenv("EDGELEARN_CACHE", str(tmp_path / "cache"))
    core = _own_core()
    assert core is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pid = tmp_path / "pid"
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(core))
    monkeypatch.setenv("STUB_PORT", str(port))
    monkeypatch.setenv("STUB_PID", str(pid))
    text = (boards_dir() / "qemu-m4.toml").read_text()
    head, rest = text.split("[hal]")
    hal = '[hal]\ncommon = ["arduino/micros.cpp"]\nuart = ["arduino/serial.cpp"]\n[link]\ncarriers = ["uart"]\n'
    pio = f'[platformio]\nplatform = "symlink://{STUB}"\nboard = "an386"\nframework = "arduino"\nsource = "tests"\n'
    assert "[emulator]" in rest
    file = tmp_path / "stub.toml"
    file.write_text(head.replace("mfloat-abi=hard", "mfloat-abi=softfp").replace("1808", "1804") + hal + pio)
    yield file, f"socket://127.0.0.1:{port}"
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        os.kill(int(pid.read_text()), signal.SIGKILL)


def test_a_board_with_a_framework_is_built_loaded_and_trained(
    stub_board: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, port = stub_board
    flags = ("--data", small_data(tmp_path / "small.npz", 5, 3), "--epochs", "1")
    said = edgelearn(capsys, "run", MODEL, *flags, "--board", file, "--port", port, "--out", tmp_path / "stub")
    assert said.code == 0, said.err
    assert "loaded build onto stub" in said.err
    project = tmp_path / "stub" / "build"
    assert (project / "src" / "main.cpp").is_file()
    assert not (project / "linker.ld").exists()
    assert edgelearn(capsys, "run", MODEL, *flags, "--board", "qemu-m4", "--out", tmp_path / "direct").code == 0
    through, direct = (np.load(tmp_path / name / "trained.npz") for name in ("stub", "direct"))
    assert direct.files == through.files
    assert [name for name in direct.files if not np.array_equal(direct[name], through[name])] == []


def test_what_is_flashed_must_be_what_was_planned(
    stub_board: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By a board file of a user's own, in a folder with blanks, and watched afterwards."""
    file, port = stub_board
    project = tmp_path / "my own" / "build"
    said = edgelearn(capsys, "build", MODEL, "--board", file, "--write-only", "--out", project)
    assert said.code == 0, said.err
    source = project / "src" / "model.c"
    text = source.read_text()
    source.write_text(text.replace("el_arena[", "el_arena[16 + "))
    assert source.read_text() != text
    said = edgelearn(capsys, "flash", project)
    assert said.code == 1, said.err
    assert "the program in this project is not that of its plan" in said.err
    assert "arena (RAM): planned 22,976 bytes, linked" in said.err
    source.write_text(text)
    said = edgelearn(capsys, "flash", project)
    assert said.code == 0, said.err
    assert "loaded build onto stub" in said.err
    said = edgelearn(capsys, "monitor", "--port", port, "--count", 1, "--plan", project / "plan.json")
    assert said.code == 0, said.err
