"""PlatformIO projects: what is in them for each board, that PlatformIO reads them, whose files are whose, and what is
said when PlatformIO fails. Nothing is built here.
"""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from edgelearn import boards
from edgelearn.build import keep, pio
from edgelearn.build.keep import LIST, write_generated, write_once
from edgelearn.build.platformio import Project, make_project
from edgelearn.cli.building import load_program
from edgelearn.errors import InputError, ToolError
from tests.support.cli import MODEL, edgelearn
from tests.support.linear import LinearModel

Capture = pytest.CaptureFixture[str]
ALL = [boards.load(name) for name in boards.available()]
REAL = [b for b in ALL if b.platformio]


def _project(board: boards.Board) -> Project:
    return make_project(
        LinearModel().sources(), board, carrier=board.carrier, kernels=["kernels/ref/dense_f16.c"], title="linear"
    )


def _write(board: boards.Board, folder: Path) -> Project:
    made = _project(board)
    write_generated(folder, made.generated)
    write_once(folder, made.own)
    return made


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("board", ALL, ids=lambda b: b.id)
def test_platformio_reads_the_project_of_every_board(board: boards.Board, tmp_path: Path) -> None:
    from platformio.project.config import ProjectConfig

    _write(board, tmp_path)
    config = ProjectConfig(str(tmp_path / "platformio.ini"))
    config.validate([board.id])
    assert config.default_envs() == [board.id]
    env = dict(config.items(env=board.id))
    known = board.platformio
    assert env["platform"] == (known.platform if known else "symlink://platform")
    assert env["board"] == (known.board if known else board.id)
    assert env.get("framework", []) == ([board.framework] if board.framework else [])
    assert env["monitor_speed"] == board.link.baud
    assert env["lib_deps"] == ["edgelearn", "edgelearn_kernels"]
    for key, value in (known.options if known else {}).items():
        assert str(env[key]) == value
    assert (tmp_path / "linker.ld").is_file() == board.bare
    flags = {f for f in board.build.flags if not f.startswith("-misa-spec") or known is None}
    assert set(env.get("custom_machine_flags", "").split()) == (flags if board.bare else set())


@pytest.mark.parametrize("board", [b for b in REAL if b.store], ids=lambda b: b.id)
def test_a_program_that_saves_leaves_room_for_it(board: boards.Board, tmp_path: Path) -> None:
    from platformio.project.config import ProjectConfig

    assert board.store is not None
    kernels = ["features/persist.c", *(f"hal/{name}" for name in board.store.driver)]
    made = make_project(LinearModel().sources(), board, carrier=board.carrier, kernels=kernels, title="linear")
    write_generated(tmp_path, made.generated)
    env = dict(ProjectConfig(str(tmp_path / "platformio.ini")).items(env=board.id))
    for key, value in board.store.options.items():
        assert str(env[key]) == value
        assert key not in _project(board).generated["platformio.ini"]
    if board.framework == "espidf":
        assert "partitions.csv" in made.generated["sdkconfig.defaults"]
        table = [line.split(", ") for line in made.generated["partitions.csv"].splitlines() if line[0] != "#"]
        places = [(int(start, 16), int(size, 16)) for *_, start, size in table]
        for (start, size), (following, _) in pairwise(places):
            assert start + size == following
        assert places[-1] == (board.store.origin, board.store.size)
        assert sum(places[-1]) <= 2 << 20  # what ESP-IDF takes the chip for if nothing is said
        assert made.generated["partitions.csv"] == _project(board).generated["partitions.csv"]
    for name in board.store.driver:
        assert f"lib/edgelearn/hal/{name}" in made.generated


def test_the_command_reads_it_too(tmp_path: Path) -> None:
    """`pio project config`, which needs no network."""
    _write(boards.load("pico2_riscv"), tmp_path)
    command = [sys.executable, "-m", "platformio", "project", "config", "--json-output"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    sections = {name: dict(values) for name, values in json.loads(done.stdout)}
    assert sections["platformio"]["default_envs"] == ["pico2_riscv"]
    assert sections["env:pico2_riscv"]["board_build.mcu"] == "rp2350-riscv"


@pytest.mark.parametrize("board", ALL, ids=lambda b: b.id)
def test_a_project_is_whole(board: boards.Board, tmp_path: Path) -> None:
    """Every file that one of its own includes is in it, or is the framework's."""
    made = _write(board, tmp_path)
    texts = {**made.generated, **made.own}
    theirs = {"Arduino.h", "driver/uart.h", "sdkconfig.h", "freertos/FreeRTOS.h", "freertos/task.h"}
    theirs |= {f"esp_{name}.h" for name in ("cpu", "log", "system", "timer")}
    missing = []
    for name, text in texts.items():
        if Path(name).suffix not in (".c", ".cpp", ".h", ".S"):
            continue
        for line in text.splitlines():
            if line.startswith('#include "') and (wanted := line.split('"')[1]) not in theirs:
                folders = (Path(name).parent, *map(Path, ("lib/edgelearn/include", "lib/edgelearn/hal", "include")))
                if not any((tmp_path / folder / wanted).is_file() for folder in folders):
                    missing.append(f"{name} includes {wanted}")
    assert missing == []
    assert max(len(line) for line in made.generated["platformio.ini"].splitlines()) <= 120


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    board = boards.load("qemu-rv32")
    _write(board, tmp_path / "a")
    _write(board, tmp_path / "b")
    assert _tree(tmp_path / "a") == _tree(tmp_path / "b")


def test_an_edit_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    made = _write(boards.load("qemu-m4"), tmp_path)
    (tmp_path / "platformio.ini").write_text("mine")
    (tmp_path / "src" / "main.c").write_text("/* mine */")
    before = _tree(tmp_path)
    changed = {**made.generated, "linker.ld": "new"}
    with pytest.raises(InputError) as caught:
        write_generated(tmp_path, changed)
    assert caught.value.details == ("platformio.ini",)
    assert _tree(tmp_path) == before
    write_generated(tmp_path, changed, force=True)
    write_once(tmp_path, made.own)
    assert (tmp_path / "platformio.ini").read_text() == made.generated["platformio.ini"]
    assert (tmp_path / "linker.ld").read_text() == "new"
    assert (tmp_path / "src" / "main.c").read_text() == "/* mine */"


def test_what_is_no_longer_generated_goes_and_the_rest_stays(tmp_path: Path) -> None:
    write_generated(tmp_path, {"lib/a/old.c": "old", "lib/a/edited.c": "was", "keep.c": "k"})
    (tmp_path / "lib" / "a" / "mine.c").write_text("mine")
    write_generated(tmp_path, {"lib/a/edited.c": "was", "keep.c": "k"})
    assert not (tmp_path / "lib" / "a" / "old.c").exists()
    (tmp_path / "lib" / "a" / "edited.c").write_text("edited")
    with pytest.raises(InputError):
        write_generated(tmp_path, {"keep.c": "k"})
    assert sorted(_tree(tmp_path)) == [LIST, "keep.c", "lib/a/edited.c", "lib/a/mine.c"]


def test_a_folder_from_before_there_were_lists_is_ours_where_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "model.c").write_text("/* watch. Generated by edgelearn; do not edit. */\nold")
    write_generated(tmp_path, {"model.c": "new"})
    assert (tmp_path / "model.c").read_text() == "new"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "README.md").write_text("mine")
    with pytest.raises(InputError):
        write_generated(tmp_path / "other", {"README.md": "new"})


def test_a_write_that_breaks_off_leaves_nothing_that_looks_edited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{k}.c" for k in range(6)]
    write = keep.replace_text
    for broken in range(1, 8):
        folder = tmp_path / str(broken)
        write_generated(folder, dict.fromkeys(names, "old"))
        left = broken

        def replace(path: Path, text: str) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise KeyboardInterrupt
            write(path, text)

        monkeypatch.setattr(keep, "replace_text", replace)
        with pytest.raises(KeyboardInterrupt):
            write_generated(folder, dict.fromkeys(names, "new"))
        monkeypatch.setattr(keep, "replace_text", write)
        write_generated(folder, dict.fromkeys(names, "third"))
        assert {(folder / name).read_text() for name in names} == {"third"}


def test_write_only_needs_no_tools(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = edgelearn(
        capsys, "build", MODEL, "--board", "esp32-s3-devkitc-1", "--write-only", "--out", tmp_path / "p", "--json"
    )
    assert said.code == 0
    assert json.loads(said.out)["project"] == str(tmp_path / "p")
    assert "CONFIG_ESP_CONSOLE_NONE=y" in (tmp_path / "p" / "sdkconfig.defaults").read_text()
    assert "app_main" in (tmp_path / "p" / "src" / "main.c").read_text()


def _fake(folder: Path, says: str, code: int) -> list[str]:
    script = folder / "pio"
    script.write_text(f"#!/bin/sh\ncat <<'END'\n{says}\nEND\nexit {code}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return [str(script)]


@pytest.mark.parametrize(
    ("says", "message", "detail"),
    [
        (
            "Processing pico\nPlatform Manager: Installing ststm32 @ 19.0.0\nHTTPClientError: ",
            "PlatformIO can't download what pico needs",
            "it was installing ststm32 @ 19.0.0",
        ),
        (
            "Compiling a.o\nsrc/mine.c:3:5: error: 'x' undeclared\n*** [a.o] Error 1",
            "PlatformIO can't build for pico",
            "src/mine.c:3:5: error: 'x' undeclared",
        ),
    ],
)
def test_what_platformio_fails_at_is_said(
    says: str, message: str, detail: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pio, "find_pio", lambda: _fake(tmp_path, says, 1))
    with pytest.raises(ToolError) as caught:
        pio.run_pio(tmp_path, board="pico", local=False)
    assert (caught.value.message, caught.value.exit_code) == (message, 3)
    assert detail in caught.value.details
    assert caught.value.where == str(tmp_path / "build.log")
    assert says in (tmp_path / "build.log").read_text()


def test_loading_takes_the_port_and_names_what_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = boards.load("nucleo_f446re")
    _write(board, tmp_path / "p")
    says = "Error: could not open port /dev/nowhere: No such file"
    monkeypatch.setattr(pio, "find_pio", lambda: [*_fake(tmp_path, says, 1)])
    with pytest.raises(ToolError, match="can't load the program onto nucleo_f446re") as caught:
        load_program(tmp_path / "p", board, "/dev/nowhere")
    assert caught.value.details == (says,)
    script = tmp_path / "pio"
    script.write_text('#!/bin/sh\necho "$@" > args\n')
    monkeypatch.setattr(pio, "find_pio", lambda: [str(script)])
    (tmp_path / "tty").touch()
    load_program(tmp_path / "p", board, str(tmp_path / "tty"))
    asked = (tmp_path / "p" / "args").read_text().split()
    assert asked == [
        "run",
        "--environment",
        "nucleo_f446re",
        "--target",
        "upload",
        "--upload-port",
        str(tmp_path / "tty"),
    ]


def test_without_platformio_it_is_said_what_to_type(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    said = edgelearn(capsys, "build", MODEL, "--board", "teensy41", "--out", tmp_path / "p")
    assert said.code == 3
    assert "PlatformIO is not installed" in said.err
    assert "pip install 'edgelearn[pio]'" in said.err


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[platformio]\nplatform = "x"\nboard = "y"\nframework = "mbed"\nsource = "z"\n', "platformio.framework"),
        ('[platformio]\nplatform = "x"\nboard = "y"\nsource = "z"\nupload = "w"\n', "platformio.upload"),
        ('[usb]\nids = ["0483:374b"]\nsource = "z"\n', "usb.ids[0]"),
        ('[usb]\nids = ["0483:374B"]\n', "usb.source"),
    ],
)
def test_a_mistake_in_the_board_file_is_named(text: str, key: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text((boards.boards_dir() / "qemu-m4.toml").read_text() + text)
    with pytest.raises(InputError) as caught:
        boards.load(file)
    assert (caught.value.where or "").endswith(key)
