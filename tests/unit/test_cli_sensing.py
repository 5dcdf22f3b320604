"""What a run on a sensor's samples may be asked for, and the lines that label them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelearn.cli.sensing import read_asks
from edgelearn.session import Ask
from edgelearn.wire import Op
from tests.support.cli import DATA, MODEL, WEARABLE, edgelearn

Capture = pytest.CaptureFixture[str]
SENSOR = ("--sensor", WEARABLE / "sensor.c")


def test_lines_are_classes_and_counts(capsys: Capture) -> None:
    lines = ["3\n", "\n", "0 2\n", "? \n", "7\n", "-1\n", "1 x\n", "1 2 3\n", "6 0\n", "q\n", "2\n"]
    asked = list(read_asks(lines, 7))
    assert asked == [Ask(3), Ask(0), Ask(0), Ask(op=Op.INFER)]
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "'7' is no class; they are 0 to 6",
        "'-1' is no class; they are 0 to 6",
        "'1 x' is neither a class nor a class and a number of samples",
        "'1 2 3' is neither a class nor a class and a number of samples",
    ]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--from-sensor", 5), "--from-sensor goes with --sensor FILE.c"),
        ((*SENSOR, "--held-out", 5), "--held-out goes with --from-sensor"),
        ((*SENSOR, "--labels", "stdin"), "--labels goes with --from-sensor"),
        ((*SENSOR, "--from-sensor", 5, "--data", DATA), "not from both"),
        ((*SENSOR, "--from-sensor", 5, "--held-out", 5, "--labels", "stdin"), "labelled by the board"),
        ((*SENSOR, "--from-sensor", 5, "--restore-best"), "--restore-best goes with --save-every"),
    ],
)
def test_what_does_not_go_together(flags: tuple[object, ...], message: str, tmp_path: Path, capsys: Capture) -> None:
    said = edgelearn(capsys, "run", MODEL, "--board", "host", "--out", tmp_path / "out", *flags)
    assert said.code == 2
    assert message in said.err
    assert not (tmp_path / "out").exists()


def test_a_sensor_that_a_run_does_not_ask_is_named(tmp_path: Path, capsys: Capture) -> None:
    said = edgelearn(capsys, "run", tmp_path / "none.onnx", "--board", "host", "--data", DATA, *SENSOR)
    assert said.code == 1
    assert "note: this run trains on --data; --from-sensor N takes the sensor's samples" in said.err
