"""`edgelearn shift` as people use it: the file, the numbers, an interruption, and what it refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgelearn.interpreter import OnnxInterpreter
from edgelearn.shift.tuning import Tuning
from tests.support.cli import DATA, MODEL, ROOT, edgelearn
from tests.support.qdq_files import quantised

Capture = pytest.CaptureFixture[str]
FLAGS = ("--data", DATA, "--bits", 4, "--batch", 16, "--epochs", 3)


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_file_and_its_numbers(capsys: Capture, tmp_path: Path) -> None:
    said = edgelearn(capsys, "shift", MODEL, *FLAGS, "--json")
    assert said.code == 0
    found = json.loads(said.out)
    assert [(layer["name"], layer["weights"], layer["bytes"]) for layer in found["layers"]] == [
        ("conv2", 2560, 1280),
        ("conv3", 5120, 2560),
    ]
    assert len(found["epochs"]) == 3
    with np.load(DATA) as data:
        correct = OnnxInterpreter(tmp_path / "shift.onnx").predict(data["x_test"]).argmax(axis=1) == data["y_test"]
    assert found["after"] == pytest.approx(correct.mean(), abs=0.5 / len(correct))
    assert found["before"] == pytest.approx(0.881, abs=0.001)
    assert found["after"] > 0.7
    assert [path.name for path in tmp_path.iterdir()] == ["shift.onnx"]


def test_both_backends_say_the_same(capsys: Capture) -> None:
    losses = []
    for backend in ("numpy", "torch"):
        said = edgelearn(capsys, "shift", MODEL, *FLAGS, "--epochs", 1, "--backend", backend, "--json")
        assert (said.code, json.loads(said.out)["backend"]) == (0, backend)
        losses.append(json.loads(said.out)["epochs"][0]["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("raise ModuleNotFoundError", "torch is not installed"),
        ("raise OSError('libc10.so: no such file')", "torch can't be imported: libc10.so: no such file"),
    ],
)
def test_without_torch(text: str, words: str, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torch.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "torch"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "edgelearn.shift.torch_network", raising=False)
    said = edgelearn(capsys, "shift", MODEL, *FLAGS, "--epochs", 1, "--backend", "torch")
    assert (said.code, said.out, words in said.err) == (3, "", True)
    said = edgelearn(capsys, "shift", MODEL, *FLAGS, "--epochs", 1, "--json")
    assert (said.code, json.loads(said.out)["backend"]) == (0, "numpy")


def test_an_interrupted_call_goes_on(capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, calls = Tuning.run, []

    def once(self, *args):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(1)
        return run(self, *args)

    monkeypatch.setattr(Tuning, "run", once)
    said = edgelearn(capsys, "shift", MODEL, *FLAGS)
    assert (said.code, [path.name for path in tmp_path.iterdir()]) == (130, ["shift.onnx.unfinished.npz"])
    assert "kept 2 epochs in shift.onnx.unfinished.npz; the same command goes on" in said.err
    monkeypatch.setattr(Tuning, "run", run)
    kept = (tmp_path / "shift.onnx.unfinished.npz").read_bytes()
    other = edgelearn(capsys, "shift", MODEL, *FLAGS, "--seed", 1)
    assert (other.code, other.out, "left by a call with another model" in other.err) == (2, "", True)
    assert (tmp_path / "shift.onnx.unfinished.npz").read_bytes() == kept
    again = edgelearn(capsys, "shift", MODEL, *FLAGS)
    assert again.code == 0
    assert "went on behind epoch 2 of 3, from shift.onnx.unfinished.npz" in again.err
    assert "tuned 1 epoch " in again.err
    assert [path.name for path in tmp_path.iterdir()] == ["shift.onnx"]
    assert max(map(len, again.out.splitlines())) <= 80


def test_a_file_of_another_call_goes_if_one_says_so(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "shift.onnx.unfinished.npz").write_bytes(b"damaged")
    said = edgelearn(capsys, "shift", MODEL, *FLAGS, "--epochs", 1, "--fresh")
    assert (said.code, [path.name for path in tmp_path.iterdir()]) == (0, ["shift.onnx"])


def test_shifts_that_become_floats_again_are_named(capsys: Capture) -> None:
    assert "warning" not in edgelearn(capsys, "shift", MODEL, *FLAGS, "--epochs", 0).err
    said = edgelearn(capsys, "shift", "shift.onnx", *FLAGS, "--epochs", 0, "--layers", "conv3", "--out", "less.onnx")
    assert (said.code, "warning: shifts until now, floats from now on: conv2;" in said.err) == (0, True)


def test_single_samples_train(capsys: Capture) -> None:
    """The watch has no norms, which one sample would be too few for; what too large a rate loses gets a word."""
    said = edgelearn(capsys, "shift", MODEL, *FLAGS, "--epochs", 1, "--batch", 1, "--lr", 0.1, "--backend", "numpy")
    lines = said.out.splitlines()
    (epoch,) = (line.split() for line in lines if line.startswith("    1  "))
    assert float(epoch[1]) > 0
    assert float(epoch[2]) > 0
    assert lines[-1] == "to lose less, try --lr 0.025, more epochs or more bits"
    assert "to lose less" not in edgelearn(capsys, "shift", MODEL, *FLAGS, "--epochs", 0).out


def test_single_samples_are_too_few_for_norms(capsys: Capture) -> None:
    said = edgelearn(capsys, "shift", ROOT / "tests" / "assets" / "watch_v3.onnx", *FLAGS, "--batch", 1)
    assert (said.code, said.out, "a norm over one sample has no variance" in said.err) == (2, "", True)


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (("--layers", "conv9"), 1, "no layer that can be shifted is called conv9"),
        (("--lr", "-1"), 2, "a learning rate of -1.0 is no positive number"),
        (("--lr", "1e30"), 1, "the loss is not finite any more in epoch 1"),
        (("--bits", "5"), 2, "5 is not in the range 2<=x<=4"),
        (("--out", "."), 2, "this is a folder, not a file to write"),
        (("--out", MODEL), 2, "this is a file that is read, not one to write"),
        (("--out", "less.tflite"), 2, "what is written is an ONNX file"),
    ],
)
def test_what_it_refuses(capsys: Capture, tmp_path: Path, flags: tuple[str, ...], code: int, words: str) -> None:
    said = edgelearn(capsys, "shift", MODEL, *FLAGS, *flags)
    assert (said.code, said.out) == (code, "")
    assert words in said.err
    assert "Traceback" not in said.err
    assert list(tmp_path.rglob("*.onnx")) == []


def test_without_samples_or_with_another_kind_of_file(capsys: Capture, tmp_path: Path) -> None:
    said = edgelearn(capsys, "shift", MODEL)
    assert said.code == 2
    assert "weights are tuned with samples" in said.err
    (tmp_path / "model.tflite").write_bytes(b"")
    said = edgelearn(capsys, "shift", "model.tflite", "--data", DATA)
    assert (said.code, "only ONNX files can be shifted" in said.err) == (1, True)


def test_an_int8_model(capsys: Capture, tmp_path: Path) -> None:
    with np.load(DATA) as data:
        model = quantised(tmp_path, onnx.load(MODEL), data["x_train"].astype(np.float32))
    said = edgelearn(capsys, "shift", model, "--data", DATA)
    assert (said.code, said.out) == (1, "")
    assert "error: the weights of an int8 model are integers already" in said.err
