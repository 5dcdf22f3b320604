"""What a run on a sensor's samples may be asked for, and the lines that label them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelearn.cli.sensing import read_asks
from edgelearn.session import Ask
from edgelearn.wire import Op
from tests.support.cli import DATA, MODEL, WEARABLE, Said, edgelearn

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


WRONG = (
    '#include "el/port.h"\n\nint el_port_sample(float *to, uint32_t count)\n{\n    return to[count + nothing] > 0;\n}\n'
)


def _built(capsys: Capture, sensor: Path | str, *flags: object) -> Said:
    return edgelearn(capsys, "build", MODEL, "--sensor", sensor, *flags)


@pytest.mark.parametrize(("builder", "board"), [("system", "host"), ("platformio", "qemu-m4")])
def test_an_error_in_a_sensor_names_the_users_file(
    builder: str, board: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine").mkdir()
    Path("mine/own.c").write_text(WRONG)
    said = _built(capsys, "mine/own.c", "--board", board, "--builder", builder, "--out", "here/build")
    assert said.code == 3
    assert "\n  mine/own.c:5:23: error: " in said.err
    assert "sensor.c" not in said.err
    copy = Path("here/build/src/sensor.c").read_text().splitlines()
    assert copy[1:3] == ['#line 1 "../../mine/own.c"', '#include "el/port.h"']
    assert (Path("here/build") / copy[1].split('"')[1]).samefile("mine/own.c")


def test_what_a_sensor_lacks_is_said(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "own.c"
    path.write_text(WRONG.replace("+ nothing", "- 1"))
    said = _built(capsys, path, "--board", "host", "--out", tmp_path / "out")
    assert said.code == 3
    assert "`el_port_label'" in said.err
    assert f"hint: {path} has to define what is undefined" in " ".join(said.err.split())


def test_a_sensor_may_have_any_name_and_a_byte_order_mark(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / 'a "b" \\ \\n ö.c'
    path.write_text((WEARABLE / "sensor.c").read_text() + "#error the last line\n", encoding="utf-8-sig")
    lines = len(path.read_text().splitlines())
    said = _built(capsys, path, "--board", "host", "--out", tmp_path / "out")
    assert f"{path}:{lines}:2: error: #error the last line" in " ".join(said.err.split())
    assert 'error: a "b" \\ \\n ö.c does not compile for host' in said.err
    path.write_text((WEARABLE / "sensor.c").read_text(), encoding="utf-8-sig")
    said = _built(capsys, path, "--board", "host", "--out", tmp_path / "out")
    assert said.code == 0


def test_a_sensor_that_can_not_be_read_says_why(tmp_path: Path, capsys: Capture) -> None:
    missing = tmp_path / "none.c"
    reasons = {missing: "no such file or directory", tmp_path: "is a directory", DATA: "it is no UTF-8 text"}
    for path, why in reasons.items():
        said = _built(capsys, path, "--board", "host", "--out", tmp_path / "out")
        assert said.code == 1
        assert f"error: the sensor's C file can't be read: {why}\n" in said.err
