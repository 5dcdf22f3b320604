"""`run`, `test` and `export` on the native board: what they write, say and answer."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.support.cli import DATA, MODEL, WEARABLE, Said, edgelearn, small_data, spawn

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small_data(tmp_path / "small.npz")


def _lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _run(capsys: Capture, *more: object, epochs: int = 2) -> Said:
    return edgelearn(
        capsys, "run", MODEL, "--data", "small.npz", "--board", "host", "--lr", "0.005", "--epochs", epochs, *more
    )


def test_run_writes_everything(tmp_path: Path, capsys: Capture) -> None:
    said = _run(capsys)
    assert said.code == 0
    out = tmp_path / "out"
    assert {p.name for p in out.iterdir()} == {
        "build",
        "curve.png",
        "metrics.jsonl",
        "report.html",
        "summary.json",
        "trained.npz",
        "trained.onnx",
    }
    events = _lines(out / "metrics.jsonl")
    kinds = [e["event"] for e in events]
    assert (kinds[0], kinds.count("evaluated"), kinds.count("epoch"), kinds.count("step")) == ("connected", 2, 2, 24)
    steps = [e for e in events if e["event"] == "step"]
    assert {(e["grad_norm"], e["insn"]) for e in steps} == {(None, None)}, "nothing clips, and the host does not count"
    onnx.checker.check_model(onnx.load(out / "trained.onnx"))
    assert (out / "trained.onnx").read_bytes() != MODEL.read_bytes()
    page = (out / "report.html").read_text()
    assert "data:image/png;base64," in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert (out / "build" / "src" / "model.c").is_file()
    assert "\x1b" not in said.out + said.err


def test_run_as_json_lines(capsys: Capture) -> None:
    lines = [json.loads(line) for line in _run(capsys, "--json").out.splitlines()]
    assert lines[0]["event"] == "connected"
    assert lines[-1]["event"] == "done"
    assert lines[-1]["samples"] == 24
    assert lines[-1]["ram"]["total"] > 0


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, capsys: Capture) -> None:
    found = []
    for seed in (1, 1, 2):
        assert _run(capsys, "--seed", seed).code == 0
        found.append((tmp_path / "out" / "trained.onnx").read_bytes())
    a, b, c = found
    assert a == b
    assert a != c


def test_export_writes_what_run_wrote(tmp_path: Path, capsys: Capture) -> None:
    assert _run(capsys).code == 0
    trained = (tmp_path / "out" / "trained.onnx").read_bytes()
    for k, model in enumerate([("--model", MODEL), (MODEL,)]):
        said = edgelearn(capsys, "export", "out/trained.npz", *model, "--out", f"again{k}.onnx")
        assert (said.code, said.out) == (0, f"again{k}.onnx\n")
        assert (tmp_path / f"again{k}.onnx").read_bytes() == trained
    said = edgelearn(capsys, "export", "out/trained.npz", "one.onnx", "--model", "other.onnx")
    assert (said.code, said.err) == (2, "error: two models are named: one.onnx and other.onnx\n")


def test_without_matplotlib_there_is_a_report_all_the_same(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said = _run(capsys)
    assert said.code == 0
    assert "no curve.png: matplotlib is not installed; pip install 'edgelearn[plot]'" in said.err
    assert not (tmp_path / "out" / "curve.png").exists()
    assert "<polyline" in (tmp_path / "out" / "report.html").read_text()


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path, capsys: Capture) -> None:
    said = _run(capsys, "--lr", "1e9")
    assert said.code == 5
    assert "error: the loss became" in said.err
    assert "after step" in said.err
    assert "kept metrics.jsonl, trained.onnx in out" in said.err
    assert _lines(tmp_path / "out" / "metrics.jsonl")[-1]["event"] == "stopped"
    weights = np.load(tmp_path / "out" / "trained.npz")
    assert all(np.isfinite(weights[name]).all() for name in weights.files)
    figures = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert [figures[name] for name in ("loss_error", "output_error", "insn_per_sample")] == [None, None, None]
    assert "<td>not compared</td>" in (tmp_path / "out" / "report.html").read_text()


def _emulators(folder: Path) -> set[str]:
    """Emulators whose image lies below `folder`: other tests run theirs at the same time."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            command = path.read_bytes()
            if b"qemu-system" in command.split(b"\0")[0] and bytes(folder) in command:
                found.add(path.parent.name)
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_what_there_is(number: signal.Signals, tmp_path: Path) -> None:
    folder = tmp_path / "ctrl-c-run"
    args = ("run", "--project", WEARABLE, "--out", folder, "--epochs", 4000)
    process = spawn(*args, cwd=tmp_path)
    partial = folder / "metrics.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (partial.is_file() and '"step"' in partial.read_text()):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    assert len(_emulators(folder)) == 1
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "kept metrics.jsonl, trained.onnx in" in err
    assert _emulators(folder) == set()
    events = _lines(folder / "metrics.jsonl")
    assert events[-1] == {"event": "stopped", "reason": "interrupted"}
    assert any(e["event"] == "step" for e in events)
    assert (folder / "trained.onnx").is_file()


def test_test_holds_limits(tmp_path: Path, capsys: Capture) -> None:
    common = ("test", MODEL, "--data", DATA, "--board", "qemu-m4", "--lr", "0.005", "--epochs", 1, "--json")
    good = (
        "--min-accuracy",
        "0.3",
        "--max-loss",
        "2",
        "--max-ram",
        "256K",
        "--max-flash",
        "256K",
        "--max-insn",
        5_000_000,
    )
    said = edgelearn(capsys, *common, *good, "--junit", "good.xml")
    assert said.code == 0
    cases = {case["name"]: case for case in json.loads(said.out)["cases"]}
    assert all(case["passed"] for case in cases.values())
    assert 100_000 < cases["insn for a training sample"]["value"] < 5_000_000
    bad = ("--min-accuracy", "1", "--max-loss", "0.01", "--max-ram", "20K", "--max-flash", "256K")
    said = edgelearn(capsys, *common, *bad, "--junit", "bad.xml")
    assert said.code == 5
    lines = said.out.splitlines()
    cases = {case["name"]: case for case in json.loads(lines[0])["cases"]}
    assert [name for name, case in cases.items() if not case["passed"]] == ["held-out accuracy", "held-out loss", "RAM"]
    ram = cases["RAM"]
    assert ram["difference"] == ram["value"] - 20 * 1024
    suite = ElementTree.parse(tmp_path / "bad.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("6", "3", "0")
    assert len(suite.findall(".//failure")) == 3
    assert "difference +" in (suite.find(".//testcase[@name='RAM']/failure").get("message") or "")  # type: ignore[union-attr]


def test_test_reports_a_run_that_broke_off(tmp_path: Path, capsys: Capture) -> None:
    said = edgelearn(capsys, "test", MODEL, "--data", "nowhere.npz", "--board", "host", "--junit", "j.xml")
    assert said.code == 1
    error = ElementTree.parse(tmp_path / "j.xml").getroot().find(".//error")
    assert error is not None
    assert error.get("message") == "data file nowhere.npz does not exist"


def test_test_calls_wrong_numbers_a_failure(tmp_path: Path, capsys: Capture) -> None:
    common = ("test", MODEL, "--data", "small.npz", "--board", "host", "--lr", "1e9", "--junit", "j.xml")
    assert edgelearn(capsys, *common).code == 5
    failure = ElementTree.parse(tmp_path / "j.xml").getroot().find(".//failure")
    assert failure is not None
    assert (failure.get("message") or "").startswith("the loss became")


def test_a_board_that_does_not_count(capsys: Capture) -> None:
    said = edgelearn(capsys, "test", MODEL, "--data", "small.npz", "--board", "host", "--max-insn", 5)
    assert said.code == 2


def test_two_runs_in_one_folder_do_not_meet(tmp_path: Path, capsys: Capture) -> None:
    first = spawn("run", "--project", WEARABLE, "--out", tmp_path / "both", "--epochs", 4000, cwd=tmp_path)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (tmp_path / "both" / "build" / ".lock").is_file():
            time.sleep(0.05)
        said = _run(capsys, "--out", tmp_path / "both")
        assert said.code == 1
        assert "another edgelearn is at work in this folder" in said.err
    finally:
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=60)


def test_an_array_is_no_archive(tmp_path: Path, capsys: Capture) -> None:
    np.save(tmp_path / "x.npy", np.zeros(3))
    said = edgelearn(capsys, "run", MODEL, "--data", "x.npy", "--board", "host")
    assert said.code == 1
    assert "not an npz archive" in said.err


def test_training_that_breaks_the_model_is_not_passed_over(capsys: Capture) -> None:
    said = _run(capsys, "--data", DATA, "--lr", "3", "--clip-norm", "5", epochs=1)
    assert said.code == 0
    assert "warning: the held-out loss grew from" in said.err
    assert "try a smaller --lr" in said.err
    assert "RuntimeWarning" not in said.err


def test_more_room_than_samples_is_said(capsys: Capture) -> None:
    said = _run(capsys, "--store", "1000", epochs=1)
    assert "samples to train on:" in said.err
    assert "bytes of RAM stay empty" in said.err
