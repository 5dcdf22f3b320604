"""Every way to go wrong has its exit code, and nobody sees a traceback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgelearn.errors import InputError, nearest
from tests.support.cli import DATA, MODEL, edgelearn, environment, small_data, spawn

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _with(tmp_path: Path, **changes: np.ndarray) -> Path:
    with np.load(small_data(tmp_path / "small.npz")) as archive:
        np.savez(tmp_path / "bad.npz", **{name: changes.get(name, archive[name]) for name in archive.files})
    return tmp_path / "bad.npz"


def test_help_answers_at_once() -> None:
    """Under 150 ms on an idle machine; the best of several, since this one may be busy."""
    times = []
    for _ in range(8):
        start = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "edgelearn", "--help"], check=True, env=environment(), capture_output=True
        )
        times.append(time.monotonic() - start)
    assert min(times) < 0.15


def test_help_imports_none_of_the_heavy_packages() -> None:
    code = "import sys; from edgelearn.cli.app import run; run(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert loaded & {"numpy", "onnx", "rich", "jinja2", "msgspec", "elftools", "serial"} == set()


def test_data_of_the_wrong_shape(tmp_path: Path, capsys: Capture) -> None:
    bad = _with(tmp_path, x_train=np.zeros((12, 128, 6), np.float32))
    said = edgelearn(capsys, "run", MODEL, "--data", bad, "--board", "host")
    assert said.code == 1
    assert "x_train has shape (12, 128, 6), the model's input window is (N, 6, 128)" in said.err


def test_a_label_out_of_range(tmp_path: Path, capsys: Capture) -> None:
    labels = np.zeros(10, np.int32)
    labels[3] = 7
    said = edgelearn(capsys, "run", MODEL, "--data", _with(tmp_path, y_test=labels), "--board", "host")
    assert said.code == 1
    assert "first 7 at sample 3" in said.err


def test_errors_as_json(capsys: Capture) -> None:
    said = edgelearn(capsys, "plan", MODEL, "--board", "qemu-m44", "--json")
    assert said.code == 2
    answer = json.loads(said.out)
    assert answer["error"] == "there is no board 'qemu-m44'"
    assert answer["exit_code"] == 2


def test_a_board_in_the_settings_is_no_flag(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "edgelearn.toml").write_text(f"model = '{MODEL}'\nboard = 'qemu-m44'")
    said = edgelearn(capsys, "plan")
    assert said.code == 1
    assert "there is no board 'qemu-m44'\n  at edgelearn.toml: board\n" in said.err


@pytest.mark.parametrize("name", ["model.onnx", "model.tflite", "data.npz"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file(name: str, make: Callable[[Path], None], tmp_path: Path, capsys: Capture) -> None:
    """A pipe that nobody writes to would be read for ever."""
    make(tmp_path / name)
    model = MODEL if name == "data.npz" else name
    said = edgelearn(capsys, "run", model, "--data", "data.npz" if name == "data.npz" else DATA, "--board", "host")
    assert said.code == 1
    assert f"error: not a file\n  at {name}\n" in said.err


def test_a_device_is_no_file(capsys: Capture) -> None:
    assert "error: not a file\n  at /dev/zero\n" in edgelearn(capsys, "plan", "/dev/zero").err


def test_errors_wrap_at_80_columns() -> None:
    """At blanks alone: a path stays whole, however long."""
    path = "/".join(["folder"] * 20)
    text = InputError(
        "word " * 20, where=f"/my files/{path}", details=("node 7 'n': " + "word " * 20, f"{path} is long"),
        hint=f"write {path} " + "again " * 20,
    ).render()  # fmt: skip
    assert [line for line in text.splitlines() if len(line) > 80 and path not in line] == []
    assert text.count(path) == 3
    assert "\n    word word" in text
    assert " ".join(text.split()) == " ".join(
        f"error: {'word ' * 20} at /my files/{path} node 7 'n': {'word ' * 20} {path} is long"
        f" hint: write {path} {'again ' * 20}".split()
    )


def test_a_bug_is_one_line_and_a_file(capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def broken() -> list[str]:
        raise RuntimeError("the sky\nfell")

    monkeypatch.setattr("edgelearn.boards.available", broken)
    said = edgelearn(capsys, "boards")
    assert said.code == 70
    assert "this is a bug in edgelearn: RuntimeError: the sky fell" in said.err
    assert "Traceback" not in said.err
    saved = next(tmp_path.glob("*.traceback"))
    assert str(saved) in said.err
    assert 'raise RuntimeError("the sky\\nfell")' in saved.read_text()


def test_a_traceback_on_request(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGELEARN_TRACEBACK", "1")
    assert "Traceback" in edgelearn(capsys, "plan", "nowhere.onnx").err


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    command = f"'{sys.executable}' -m edgelearn plan '{MODEL}' --json | head -c 10; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], env=environment(), capture_output=True, text=True)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)


def test_no_colour_where_nobody_can_see_it(tmp_path: Path) -> None:
    process = spawn("plan", MODEL, cwd=tmp_path, FORCE_COLOR="1", TERM="xterm-256color")
    out, err = process.communicate(timeout=60)
    assert "\x1b" not in out + err


def test_out_that_is_a_file(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "out").write_text("")
    said = edgelearn(capsys, "run", MODEL, "--data", DATA, "--board", "host")
    assert said.code == 1
    assert "can't make the folder" in said.err


@pytest.mark.parametrize("command", ["build", "run", "test"])
def test_a_missing_compiler(command: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = edgelearn(capsys, command, MODEL, "--board", "qemu-rv32")
    assert said.code == 3
    assert "hint: apt-get install gcc-riscv64-unknown-elf" in said.err


@pytest.mark.parametrize("command", ["build", "run"])
def test_a_disk_that_takes_no_more(command: str, tmp_path: Path) -> None:
    """No file may grow beyond 3,000 bytes, as on a disk that is full."""
    limited = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000));"
    code = f"{limited} from edgelearn.cli.app import run; sys.exit(run(sys.argv[1:]))"
    flags = ("--data", DATA, "--board", "host", "--out", tmp_path / "out")
    arguments = [sys.executable, "-c", code, command, str(MODEL), *map(str, flags)]
    done = subprocess.run(arguments, env=environment(), capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "error: can't write: file too large" in done.stderr
    assert f"at {tmp_path}/out" in done.stderr
    assert not [p for p in (tmp_path / "out").rglob(".*") if p.is_file() and p.name != ".lock"], "nothing half-written"


@pytest.mark.parametrize(
    ("port", "message"),
    [
        ("/dev/ttyNONE7", "there is no port /dev/ttyNONE7"),
        ("/dev", "/dev is no serial port"),
        (str(MODEL), "is no serial port"),
        ("socket://127.0.0.1", "has no port number"),
    ],
)
def test_a_port_that_can_not_be_is_said_before_anything_is_built(
    port: str, message: str, tmp_path: Path, capsys: Capture
) -> None:
    for more in ((), ("--no-flash",)):
        flags = ("--data", DATA, "--board", "nucleo_f446re", "--port", port, "--out", tmp_path / "out")
        said = edgelearn(capsys, "run", MODEL, *flags, *more)
        assert (said.code, said.out) == (4, "")
        assert message in " ".join(said.err.split())
        assert not (tmp_path / "out").exists()
    said = edgelearn(capsys, "monitor", "--port", port)
    assert said.code == 4
    assert message in " ".join(said.err.split())


@pytest.mark.parametrize(
    ("written", "meant"),
    [("--bord", "--board"), ("epoch", "epochs"), ("--boards", "--board"), ("learning", ""), ("--model", "")],
)
def test_only_what_is_near_is_offered(written: str, meant: str) -> None:
    known = ("--board", "--port", "--batch", "--bake", "epochs", "rounding", "lr")
    assert nearest(written, known) == meant


def test_a_project_and_a_library_have_folders_of_their_own(tmp_path: Path, capsys: Capture) -> None:
    """Each would compile the other's sources."""
    folder = tmp_path / "made"
    project = ("build", MODEL, "--board", "qemu-m4", "--write-only", "--out", folder)
    library = ("build", MODEL, "--library", "--out", folder)
    for first, second, kind in ((project, library, "a project"), (library, project, "a library")):
        assert edgelearn(capsys, *first).code == 0
        before = sorted(folder.rglob("*"))
        said = edgelearn(capsys, *second)
        assert (said.code, f"error: this folder holds {kind}\n" in said.err) == (2, True)
        assert sorted(folder.rglob("*")) == before
        shutil.rmtree(folder)


@pytest.mark.parametrize("flag", [("--builder", "system"), ("--carrier", "uart")])
def test_flags_of_projects_are_not_a_librarys(flag: tuple[str, str], tmp_path: Path, capsys: Capture) -> None:
    said = edgelearn(capsys, "build", MODEL, "--library", "--out", tmp_path / "lib", *flag)
    assert (said.code, f"{flag[0]} is of projects" in said.err) == (2, True)
    assert not (tmp_path / "lib").exists()


def test_a_folder_in_the_place_of_the_checks_file_is_said_at_once(tmp_path: Path, capsys: Capture) -> None:
    said = edgelearn(capsys, "test", MODEL, "--data", DATA, "--board", "host", "--junit", tmp_path)
    assert said.code == 2
    assert said.err == f"error: this is a folder, not a file to write\n  at --junit {tmp_path}\n"
