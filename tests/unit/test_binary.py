"""Two classes behind one output: which loss, which labels, what is said, and that predictions count as they should."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgelearn.boards import load as load_board
from edgelearn.cli.targets import target_notes
from edgelearn.config import TrainConfig
from edgelearn.data import load_dataset
from edgelearn.errors import InputError
from edgelearn.importers import load
from edgelearn.passes.dequantize import dequantize
from edgelearn.passes.differentiate import choose_loss
from edgelearn.plan import make_plan
from edgelearn.replay import Latents
from edgelearn.verdict import threshold, verdicts
from tests.support.binary_files import archive, onnx_file, tflite_file
from tests.support.cli import edgelearn

Capture = pytest.CaptureFixture[str]
BINARY = "binary-cross-entropy"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    onnx_file(tmp_path / "sigmoid.onnx")
    onnx_file(tmp_path / "logit.onnx", sigmoid=False)
    onnx_file(tmp_path / "several.onnx", 3)
    tflite_file(tmp_path / "int8.tflite")
    archive(tmp_path / "d.npz")


@pytest.mark.parametrize(
    ("file", "loss", "limit"),
    [
        ("sigmoid.onnx", BINARY, 0.5),
        ("logit.onnx", "mse", 0.0),
        ("several.onnx", "mse", 0.5),
        ("int8.tflite", BINARY, 0.5),
    ],
)
def test_the_loss_follows_from_the_end(file: str, loss: str, limit: float) -> None:
    graph = load(Path(file))
    assert choose_loss(dequantize(graph), "auto") == loss
    assert threshold(dequantize(graph)) == limit
    assert make_plan(graph, TrainConfig(), load_board("host")).graph.meta["loss"] == loss


def test_the_loss_reads_the_logit_and_the_sigmoid_stays() -> None:
    plan = make_plan(load(Path("sigmoid.onnx")), TrainConfig(), load_board("host"))
    ops = [node.op for node in plan.graph.nodes]
    assert ops[:4] == ["dense", "relu", "dense", "sigmoid"]
    assert "sigmoid_bwd" not in ops
    assert plan.graph.producer(plan.graph.outputs[0]).op == "sigmoid"


def test_a_loss_that_does_not_fit_is_refused() -> None:
    for file, loss, said in (
        ("several.onnx", BINARY, "needs one output, a sigmoid or its logit"),
        ("sigmoid.onnx", "cross-entropy", "at least two class scores"),
    ):
        with pytest.raises(InputError, match=said) as caught:
            make_plan(load(Path(file)), TrainConfig(loss=loss), load_board("host"))
        assert "--loss" in caught.value.hint


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int64, np.float32, np.bool_])
@pytest.mark.parametrize("file", ["sigmoid.onnx", "int8.tflite"])
def test_labels_are_zero_or_one_of_any_type(kind: type, file: str, tmp_path: Path) -> None:
    y = np.arange(200) % 3 == 0
    for shape in ((200,), (200, 1)):
        data = load_dataset(archive(tmp_path / "k.npz", y.astype(kind).reshape(shape)), load(Path(file)), BINARY)
        assert data.y_train.dtype == np.int64
        assert data.y_train.tolist() == y[:120].astype(int).tolist()


def test_what_is_no_label_is_refused(tmp_path: Path) -> None:
    graph, ramp = load(Path("sigmoid.onnx")), np.arange(200)
    for y, said in (
        (ramp % 3, "labels outside 0..1, first 2 at sample 2: the model has one output"),
        (ramp % 2 * 2 - 1, "labels outside 0..1, first -1 at sample 0"),
        (ramp / 200, "labels are 0 or 1, one a sample; --loss mse for any other number"),
    ):
        with pytest.raises(InputError) as caught:
            load_dataset(archive(tmp_path / "k.npz", y), graph, BINARY)
        assert [said in line for line in caught.value.details] == [True, True]


def test_verdicts() -> None:
    assert verdicts(np.array([[0.2], [0.5], [0.7], [np.nan]]), 0.5).tolist() == [0, 0, 1, 0]
    assert verdicts(np.array([[0.2, 0.1], [0.5, 0.9]]), 0.5).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("file", "loss", "y", "said"),
    [
        ("logit.onnx", "auto", np.arange(200) % 2, ["labels 0..1; --loss binary-cross-entropy"]),
        ("logit.onnx", "auto", np.arange(200) % 3, ["labels 0..2; 3 classes take 3 scores"]),
        ("logit.onnx", "mse", np.arange(200) % 3, []),
        ("logit.onnx", "auto", np.arange(200) / 7, []),
        ("several.onnx", "auto", np.arange(600).reshape(200, 3) % 2, ["3 sigmoid outputs train with mean squared"]),
        ("sigmoid.onnx", "mse", np.arange(200) % 4, ["50.0% of the targets are outside 0..1"]),
        ("sigmoid.onnx", "mse", np.arange(200) / 200, []),
        ("sigmoid.onnx", "auto", np.arange(200) % 2, []),
    ],
)
def test_targets_that_may_mean_something_else(
    file: str, loss: str, y: np.ndarray, said: list[str], tmp_path: Path
) -> None:
    plan = make_plan(load(Path(file)), TrainConfig(loss=loss), load_board("host"))
    data = load_dataset(archive(tmp_path / "k.npz", y), plan.imported, plan.graph.meta["loss"])
    notes = list(target_notes(plan, data, chosen=loss == "auto"))
    assert len(notes) == len(said)
    assert all(part in note for part, note in zip(said, notes, strict=True))


@pytest.mark.parametrize("file", ["sigmoid.onnx", "logit.onnx"])
def test_a_run_counts_what_is_right(file: str, tmp_path: Path, capsys: Capture) -> None:
    """The board's share is the exported file's in its own runtime, and it has learnt."""
    loss = () if file == "sigmoid.onnx" else ("--loss", BINARY)
    settings = ("--data", "d.npz", "--board", "host", "--lr", 0.1, "--epochs", 8, *loss)
    said = edgelearn(capsys, "test", file, *settings, "--min-accuracy", 0.85)
    assert said.code == 0, said.err
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["before"]["accuracy"] < 0.7
    assert summary["after"]["accuracy"] == summary["exported"]["accuracy"] >= 0.85
    assert len(summary["after"]["by_class"]) == 2


def test_an_accuracy_that_nobody_has_says_why(capsys: Capture) -> None:
    said = edgelearn(
        capsys, "test", "logit.onnx", "--data", "d.npz", "--board", "host", "--epochs", 1, "--min-accuracy", 0.5
    )
    assert said.code == 5
    (row,) = (line.split() for line in said.out.splitlines() if line.startswith("MISS"))
    assert row == ["MISS", "held-out", "accuracy", "none", "0.5000"]
    assert "note: mean squared error on what looks like labels 0..1" in said.err
    assert "held-out accuracy: there is no accuracy: the model trains with mean squared" in said.err


def test_both_classes_have_a_place_in_the_replay_memory() -> None:
    plan = make_plan(load(Path("sigmoid.onnx")), TrainConfig(train="last", replay=4), load_board("host"))
    assert Latents.of(plan.graph, "s8").classes == 2
    with pytest.raises(InputError, match="1 latents are fewer than the model's 2 classes"):
        make_plan(load(Path("sigmoid.onnx")), TrainConfig(train="last", replay=1), load_board("host"))
