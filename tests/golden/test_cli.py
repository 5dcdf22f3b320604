"""What people read at the terminal, word by word. `pytest --update-golden` rewrites the files; read the diff."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from edgelearn import boards
from edgelearn.cli.app import COMMANDS
from tests.support.cli import DATA, MODEL, WEARABLE, edgelearn, tidy

Golden = Callable[[str, str], None]
ROOT = Path(__file__).parents[2]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help(command: str, golden: Golden, capsys: Capture) -> None:
    said = edgelearn(capsys, *([command] if command else []), "--help")
    assert (said.code, said.err) == (0, "")
    assert max(map(len, said.out.splitlines())) <= 80
    golden(f"help/{command or 'edgelearn'}.txt", said.out)
    if command:
        assert COMMANDS[command] in " ".join(said.out.split())


@pytest.mark.parametrize("command", ["boards", "ops"])
def test_lists(command: str, golden: Golden, capsys: Capture) -> None:
    said = edgelearn(capsys, command)
    assert max(map(len, said.out.splitlines())) <= 80
    golden(f"{command}.txt", said.transcript)


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("all", ()),
        ("bias", ("--method", "bias")),
        ("fp16", ("--precision", "fp16")),
        ("saves", ("--save-every", "50", "--board", "host")),
        ("replay", ("--train", "last", "--replay", "50")),
        ("last", ("--train", "last", "--optimizer", "adam", "--batch", "4", "--board", "qemu-m55")),
    ],
)
def test_plan(name: str, flags: tuple[str, ...], golden: Golden, capsys: Capture) -> None:
    said = edgelearn(capsys, "plan", MODEL, *flags)
    assert max(map(len, said.out.splitlines())) <= 80
    golden(f"plan-{name}.txt", said.transcript)


def test_the_plan_of_a_method(golden: Golden, capsys: Capture) -> None:
    """An approximation is said by name."""
    said = edgelearn(
        capsys, "plan", ROOT / "tests" / "assets" / "watch_v3.onnx", "--method", "mobiletl", "--blocks", "1"
    )
    assert max(map(len, said.out.splitlines())) <= 80
    golden("plan-mobiletl.txt", said.transcript)


def test_the_plan_of_shifts_that_train(golden: Golden, capsys: Capture, tmp_path: Path) -> None:
    tuned = edgelearn(capsys, "shift", MODEL, "--data", DATA, "--bits", "3", "--epochs", "1", "--out", "watch.onnx")
    assert tuned.code == 0
    said = edgelearn(capsys, "plan", "watch.onnx", "--shift-latents", "all", "--momentum", "0.9")
    assert max(map(len, said.out.splitlines())) <= 80
    golden("plan-latents.txt", said.out.partition("\narena")[0] + "\n")


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("macs", ("--ram", "56K", "--max-macs", "0.5M")),
        ("gradient", ("--ram", "44K", "--rank", "gradient", "--data", DATA, "--optimizer", "adam")),
    ],
)
def test_fit(name: str, flags: tuple[object, ...], golden: Golden, capsys: Capture) -> None:
    said = edgelearn(capsys, "plan", MODEL, "--fit", *flags)
    assert max(map(len, said.out.splitlines())) <= 80
    golden(f"fit-{name}.txt", said.transcript)


@pytest.mark.parametrize("rank", ["fisher", "gradient", "gain"])
def test_rank(rank: str, golden: Golden, capsys: Capture) -> None:
    said = edgelearn(capsys, "rank", MODEL, "--data", DATA, "--rank", rank, "--lr", "0.001")
    assert max(map(len, said.out.splitlines())) <= 80
    golden(f"rank-{rank}.txt", said.transcript)


def test_the_table_in_the_documents_is_the_one_printed(capsys: Capture) -> None:
    said = edgelearn(capsys, "ops", "--table")
    assert (ROOT / "docs" / "OPERATORS.md").read_text().endswith(said.out)


def test_inspect(golden: Golden, capsys: Capture) -> None:
    said = edgelearn(capsys, "inspect", MODEL)
    assert max(map(len, said.out.splitlines())) <= 80
    golden("inspect.txt", said.transcript)


ERRORS: dict[str, tuple[str, ...]] = {
    "no-command": ("pln",),
    "no-option": ("plan", "--bord", "x"),
    "wrong-value": ("plan", "m.onnx", "--optimizer", "sdg"),
    "wrong-size": ("plan", "m.onnx", "--ram", "64Q"),
    "no-model": ("plan",),
    "missing-model": ("plan", "nowhere.onnx"),
    "broken-model": ("plan", "broken.onnx"),
    "wrong-board": ("plan", "model.onnx", "--board", "qemu-m44"),
    "wrong-layer": ("plan", "model.onnx", "--train", "conv9"),
    "restore-alone": ("run", "model.onnx", "--restore"),
    "save-not-modelled": ("run", "model.onnx", "--save-every", "50", "--board", "netduinoplus2"),
    "save-no-store": ("plan", "model.onnx", "--save-every", "50", "--board", "rtl-cv32e40p"),
    "no-shifts": ("plan", "model.onnx", "--shift-latents", "all"),
    "fit-latents": ("plan", "model.onnx", "--fit", "--shift-latents", "all"),
    "raw-sensor": ("plan", "model.onnx", "--standardise"),
    "negative-lr": ("plan", "model.onnx", "--lr", "-1"),
    "wrong-option": ("plan", "model.onnx", "--method", "bias", "--fraction", "0.5"),
    "no-blocks": ("plan", "model.onnx", "--method", "mobiletl", "--blocks", "2"),
    "fit-alone": ("plan", "model.onnx", "--max-macs", "5M"),
    "fit-and-train": ("plan", "model.onnx", "--fit", "--train", "last"),
    "fit-rank-no-data": ("plan", "model.onnx", "--fit", "--rank", "gain"),
    "fit-wrong-plot": ("plan", "model.onnx", "--fit", "--plot", "plot.gif"),
    "fit-wrong-macs": ("plan", "model.onnx", "--fit", "--max-macs", "few"),
    "fit-few-macs": ("plan", "model.onnx", "--fit", "--max-macs", "1K"),
    "fit-nothing": ("plan", "model.onnx", "--fit", "--ram", "8K", "--flash", "32K"),
    "rank-no-data": ("rank", "model.onnx"),
    "does-not-fit": ("plan", "model.onnx", "--ram", "40K"),
    "nothing-frozen": ("plan", "model.onnx", "--replay", "50"),
    "few-latents": ("plan", "model.onnx", "--train", "last", "--replay", "6"),
    "too-many-latents": ("plan", "model.onnx", "--train", "last", "--replay", "2000", "--ram", "64K"),
    "no-data": ("run", "model.onnx"),
    "missing-data": ("run", "model.onnx", "--data", "nowhere.npz"),
    "flash": ("flash", "--port", "x"),
    "flash-emulated": ("flash", "emulated"),
    "folder-not-empty": ("new", "."),
    "no-example": ("new", "mine", "--example", "fridge"),
    "no-weights": ("export", "nowhere.npz", "--model", "model.onnx"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str, tmp_path: Path, golden: Golden, capsys: Capture) -> None:
    shutil.copy(MODEL, tmp_path / "model.onnx")
    (tmp_path / "broken.onnx").write_bytes(MODEL.read_bytes()[:5000])
    (tmp_path / "emulated").mkdir()
    (tmp_path / "emulated" / "board.json").write_text(boards.to_json(boards.load("qemu-m4")))
    said = edgelearn(capsys, *ERRORS[name])
    assert said.code in (1, 2)
    assert said.out == ""
    golden(f"error/{name}.txt", said.transcript)


SETTINGS = {
    "not-toml": "model = ",
    "unknown-key": "modell = 'm.onnx'",
    "unknown-limit": "model = 'm.onnx'\n[test]\nmax_rom = 3",
    "wrong-type": "model = 'm.onnx'\n[test]\nmin_accuracy = '95 %'",
    "wrong-setting": "model = 'm.onnx'\n[train]\nepochs = 0",
    "unknown-setting": "model = 'm.onnx'\n[train]\nlearning_rate = 0.1",
    "wrong-size": "model = 'm.onnx'\n[limits]\nram = '64 apples'",
}


@pytest.mark.parametrize("name", SETTINGS)
def test_mistakes_in_the_settings(name: str, tmp_path: Path, golden: Golden, capsys: Capture) -> None:
    (tmp_path / "edgelearn.toml").write_text(SETTINGS[name])
    said = edgelearn(capsys, "plan")
    assert said.code == 1
    golden(f"settings/{name}.txt", said.transcript)


def test_doctor_without_tools(tmp_path: Path, golden: Golden, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("platform.python_version", lambda: "3.11.0")
    monkeypatch.setattr("edgelearn.cli.commands.doctor._package_version", lambda name: "")
    said = edgelearn(capsys, "doctor")
    assert said.code == 3
    golden("doctor-empty.txt", said.transcript)


@pytest.mark.parametrize("board", ["qemu-m4", "host"])
def test_build_and_run_without_tools(
    board: str, tmp_path: Path, golden: Golden, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = edgelearn(capsys, "build", MODEL, "--board", board)
    assert said.code == 3
    golden(f"error/no-compiler-{board}.txt", said.transcript)


EXAMPLES = sorted(path.parent.name for path in (ROOT / "examples").glob("*/README.md"))


@pytest.mark.parametrize("example", [None, *EXAMPLES])
def test_new(example: str | None, tmp_path: Path, golden: Golden, capsys: Capture) -> None:
    said = edgelearn(capsys, "new", "watch", *(["--example", example] if example else []))
    assert said.code == 0
    text = said.transcript
    for path in sorted(p for p in (tmp_path / "watch").rglob("*") if p.is_file()):
        if path.suffix in (".onnx", ".tflite", ".npz") or path.name.startswith(("LICENSE", "EXAMPLE")):
            continue
        text += f"\n=== {path.relative_to(tmp_path)}\n{path.read_text()}"
    golden(f"new-{example or 'plain'}.txt", text)
    if example:
        folder = ROOT / "examples" / example
        settings = tomllib.loads((folder / "edgelearn.toml").read_text())
        for name, source in (("model", settings["model"]), ("data", settings["data"]), ("EXAMPLE", "README.md")):
            copy = (tmp_path / "watch" / name).with_suffix(Path(source).suffix)
            assert copy.read_bytes() == (folder / source).read_bytes()
        assert {p.name for p in folder.glob("LICENSE*")} == {p.name for p in (tmp_path / "watch").glob("LICENSE*")}


def test_run(tmp_path: Path, golden: Golden, capsys: Capture) -> None:
    """The demo, with everything that it says; its accuracy is the README's."""
    said = edgelearn(capsys, "run", "--project", WEARABLE, "--out", "out")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["before"]["accuracy"] < 0.9
    assert summary["after"]["accuracy"] >= 0.95
    readme = (WEARABLE.parents[1] / "README.md").read_text()
    ram = f"{summary['ram']['total']:,} bytes"
    assert [w for w in (ram, f"{summary['after']['accuracy']:.3f}") if w not in " ".join(readme.split())] == []
    stable = [line for line in tidy(said.err).splitlines() if not line.startswith(("built", "checked", "started"))]
    golden("run.txt", said.out + "--- stderr\n" + "\n".join(stable) + "\n")
