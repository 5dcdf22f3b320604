"""`--int8-prefix` from flags and settings: what runs say and write, and what comes home."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.support.cli import DATA, MODEL, edgelearn, small_data

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small_data(tmp_path / "small.npz")


def test_a_run_measures_the_cut_and_brings_the_float_model_home(tmp_path: Path, capsys: Capture) -> None:
    flags = ("--train", "last", "--int8-prefix", "--lr", "0.01", "--epochs", "2", "--board", "host")
    said = edgelearn(capsys, "run", MODEL, "--data", "small.npz", *flags)
    assert said.code == 0, said.err
    assert "int8 prefix: 4 of 4 frozen layers" in said.out
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    found = summary["int8_prefix"]
    assert found["int8"]["samples"] == summary["before"]["samples"]
    assert found["int8"]["loss"] == pytest.approx(summary["before"]["loss"], rel=1e-5)
    assert found["int8"]["accuracy"] == summary["before"]["accuracy"]
    assert found["int8"]["loss"] == pytest.approx(found["f32"]["loss"], rel=0.1)
    assert found["snr_db"].keys() == {"pool_out"}
    assert found["snr_db"]["pool_out"] > 30
    assert found["ram"]["int8"] < found["ram"]["f32"]
    assert summary["loss_error"] < 1e-4
    page = (tmp_path / "out" / "report.html").read_text()
    assert "4 of 4 frozen layers" in page
    assert f"{found['snr_db']['pool_out']:.1f} dB" in page
    assert summary["output_error"] < 1e-5
    before, after = (
        {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
        for path in (MODEL, tmp_path / "out" / "trained.onnx")
    )
    changed = {name for name, value in before.items() if value.tobytes() != after[name].tobytes()}
    trained = set(np.load(tmp_path / "out" / "trained.npz"))
    assert len(changed) == len(trained) == 2
    assert {after[name].dtype for name in changed} == {np.dtype(np.float32)}
    nodes = [[n.SerializeToString() for n in onnx.load(p).graph.node] for p in (MODEL, tmp_path / "out/trained.onnx")]
    assert nodes[0] == nodes[1]


def test_settings_may_say_it_and_a_flag_takes_it_back(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "edgelearn.toml").write_text(
        f'model = "{MODEL}"\ndata = "{DATA}"\n'
        '[train]\ntrain = "last"\nint8_prefix = true\ncalibrate = "mse"\ncalibration_samples = 8\n'
    )
    said = edgelearn(capsys, "plan", "--json")
    assert "calibrated by mse over 8 training samples" in said.err
    figures = json.loads(said.out)
    assert figures["samples"] == "s8"
    assert figures["int8_prefix"]["layers"] == figures["int8_prefix"]["frozen_layers"] == 4
    plain = json.loads(edgelearn(capsys, "plan", "--json", "--float-prefix").out)
    assert plain["int8_prefix"] is None
    assert plain["ram"]["total"] == figures["int8_prefix"]["ram"]["f32"]
    assert plain["flash"]["weights"] == figures["int8_prefix"]["flash"]["f32"]


@pytest.mark.parametrize("flags", [("--method", "sparse"), ("--method", "bias"), ("--replay", "8"), ("--batch", "3")])
def test_it_goes_with_other_choices(flags: tuple[str, ...], capsys: Capture) -> None:
    more = ("--data", DATA, "--train", "last", "--int8-prefix", "--calibration-samples", "6", "--json")
    figures = json.loads(edgelearn(capsys, "plan", MODEL, *more, *flags).out)
    assert figures["int8_prefix"]["layers"] == figures["int8_prefix"]["frozen_layers"] == 4
    assert figures["int8_prefix"]["int8"]["accuracy"] == pytest.approx(0.881, abs=0.03)


def test_the_same_data_and_seed_give_the_same_plan(capsys: Capture) -> None:
    def plan(*more: object) -> str:
        flags = ("--data", DATA, "--train", "last", "--int8-prefix", "--calibration-samples", "6", "--json")
        return str(json.loads(edgelearn(capsys, "plan", MODEL, *flags, *more).out)["plan"])

    assert plan() == plan() == plan("--seed", "0")
    assert plan() != plan("--seed", "1")


def test_build_calibrates_too(tmp_path: Path, capsys: Capture) -> None:
    flags = ("--train", "last", "--int8-prefix", "--board", "host")
    assert edgelearn(capsys, "build", MODEL, "--data", "small.npz", *flags).code == 0
    assert "el_conv2d_fwd_s8__" in (tmp_path / "build" / "src" / "model.c").read_text()
    assert edgelearn(capsys, "build", MODEL, *flags).code == 2
