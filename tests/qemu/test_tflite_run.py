"""The whole round trip of somebody with an int8 TensorFlow Lite file: `run`, what it writes, and `export`."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from edgelearn.importers.tflite import load_tflite
from edgelearn.interpreter import PACKAGES, Interpreter
from tests.support.cli import edgelearn, spawn
from tests.support.int8_nets import backbone
from tests.support.tflite_files import RELU, TfliteNet

Capture = pytest.CaptureFixture[str]
TESTED = 80
# Two of the samples held out: the exported layer has 8 bits, the device's 32.
BOUND = 2 / TESTED
SETTINGS = ("--data", "d.npz", "--train", "last", "--lr", 0.05, "--momentum", 0.9, "--batch", 4)
SCALE, ZERO = 0.05, 3  # of the backbone's input


def waves(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise with a wave that runs down, across, along the diagonal, or is not there: four classes."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(4, size=count)
    rows, columns = np.indices((9, 7))
    phase = labels[:, None, None] % 2 * rows + labels[:, None, None] // 2 * columns
    x = rng.normal(size=(count, 9, 7, 3)) + 2.5 * np.sin(np.pi / 2 * phase)[..., None]
    return x.astype(np.float32), labels


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model, and samples as the model's own integers."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b.tflite").write_bytes(backbone())
    archive(tmp_path / "d.npz", integers=True)


def archive(path: Path, *, integers: bool) -> None:
    arrays = {}
    for part, (count, seed) in {"train": (120, 0), "test": (TESTED, 1)}.items():
        x, y = waves(count, seed)
        raw = np.clip(np.round(x / SCALE) + ZERO, -128, 127).astype(np.int8)
        arrays |= {f"x_{part}": raw if integers else x, f"y_{part}": y}
    np.savez(path, **arrays)


def test_run_and_export(tmp_path: Path, capsys: Capture) -> None:
    said = edgelearn(capsys, "run", "b.tflite", *SETTINGS, "--board", "qemu-m4", "--epochs", 8, "--store", 120)
    assert (said.code, "Traceback" in said.err) == (0, False)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    before, after, file = (summary[key]["accuracy"] for key in ("before", "after", "exported"))
    assert before < 0.4
    assert after > 0.9
    assert abs(after - file) <= BOUND
    assert summary["exported"]["file"] == "trained.tflite"
    assert "read d.npz: 120 samples to train on, 80 held out; x_train, x_test as the model's own integers" in said.err
    assert f"measured trained.tflite in LiteRT: accuracy {file:.3f} on 80 held-out samples" in said.err
    assert f"accuracy                 {before:.3f}   {after:.3f}           {file:.3f}\n" in said.out
    assert "trained.tflite in LiteRT" in (tmp_path / "out" / "report.html").read_text()
    trained = tmp_path / "out" / "trained.tflite"
    own, new = load_tflite(tmp_path / "b.tflite"), load_tflite(trained)
    changed = [n for n, t in own.tensors.items() if t.data is not None and (t.data != new.tensors[n].data).any()]
    assert changed == ["dense_weight", "dense_bias"]

    said = edgelearn(
        capsys, "export", "out/trained.npz", "--model", "b.tflite", "--data", "d.npz", "--out", "again.tflite"
    )
    assert said.code == 0
    assert (tmp_path / "again.tflite").read_bytes() == trained.read_bytes()
    assert "on 80 held-out samples  device  again.tflite\n" in said.out
    assert f"accuracy                 {after:.3f}         {file:.3f}\n" in said.out
    said = edgelearn(
        capsys, "export", "out/trained.npz", "--model", "b.tflite", "--data", "d.npz", "--out", "a.tflite", "--json"
    )
    assert json.loads(said.out)["exported"]["accuracy"] == file


def test_integers_and_real_numbers_give_the_same_weights(tmp_path: Path, capsys: Capture) -> None:
    """The same samples either way: the host rounds real numbers to the integers that the archive could hold."""
    archive(tmp_path / "real.npz", integers=False)
    found = []
    for name in ("d.npz", "real.npz"):
        args = ("run", "b.tflite", *SETTINGS, "--data", name, "--board", "host", "--epochs", 1)
        assert edgelearn(capsys, *args).code == 0
        found.append((tmp_path / "out" / "trained.npz").read_bytes())
    assert found[0] == found[1]


def test_without_a_runtime_there_is_a_word(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in PACKAGES:
        monkeypatch.setitem(sys.modules, package, None)
    said = edgelearn(capsys, "run", "b.tflite", *SETTINGS, "--board", "host", "--epochs", 1)
    assert said.code == 0
    why = "no TensorFlow Lite runtime is installed; pip install 'edgelearn[litert]'"
    assert f"no accuracy of trained.tflite: {why}\n" in said.err
    assert (tmp_path / "out" / "trained.tflite").is_file()
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["exported"] is None


def test_an_interrupted_run_leaves_a_file_that_predicts(tmp_path: Path) -> None:
    process = spawn("run", "b.tflite", *SETTINGS, "--board", "qemu-m4", "--epochs", 4000, cwd=tmp_path)
    metrics = tmp_path / "out" / "metrics.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (metrics.is_file() and '"epoch"' in metrics.read_text()):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "kept metrics.jsonl, trained.tflite in out" in err
    assert "measured" not in err
    trained = tmp_path / "out" / "trained.tflite"
    assert trained.read_bytes() != (tmp_path / "b.tflite").read_bytes()
    x, _ = waves(3, 2)
    assert np.isfinite(Interpreter(trained).predict(x)).all()


def test_a_float_file_is_worth_what_the_device_is(tmp_path: Path, capsys: Capture) -> None:
    """Nothing is rounded on the way back: the same accuracy, sample by sample."""
    rng, net = np.random.default_rng(0), TfliteNet()
    x = net.input((1, 189))
    options = {"FusedActivationFunction": RELU}
    for count, wide in ((16, 189), (4, 16)):
        w = net.const((rng.normal(size=(count, wide)) / np.sqrt(wide)).astype(np.float32))
        x = net.op("FULLY_CONNECTED", [x, w, net.const(np.zeros(count, np.float32))], (1, count), options)
        options = {}
    net.save(tmp_path, "f.tflite")
    arrays = {}
    for part, seed in {"train": 0, "test": 1}.items():
        values, labels = waves(TESTED, seed)
        arrays |= {f"x_{part}": values.reshape(-1, 189), f"y_{part}": labels}
    np.savez("f.npz", **arrays)
    said = edgelearn(
        capsys, "run", "f.tflite", "--data", "f.npz", "--board", "host", "--lr", 0.02, "--epochs", 4, "--json"
    )
    assert said.code == 0
    done = json.loads(said.out.splitlines()[-1])
    assert done["after"]["accuracy"] == done["exported"]["accuracy"] > 0.6
