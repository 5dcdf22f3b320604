"""`plan --fit` and `rank` at the terminal: flags that reproduce, files that are written, what is read again."""

from __future__ import annotations

import json
import shlex
import tomllib
from pathlib import Path

import pytest

from edgelearn.cli import progress
from edgelearn.cli.frontier import with_settings
from edgelearn.errors import InputError
from tests.support.cli import DATA, MODEL, edgelearn, small_data

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("more", [(), ("--data", DATA, "--optimizer", "adam", "--batch", "2")])
def test_the_flags_of_every_row_make_its_plan(more: tuple[object, ...], capsys: Capture) -> None:
    found = json.loads(edgelearn(capsys, "plan", MODEL, "--fit", "--ram", "50K", "--json", *more).out)
    assert [row["pick"] for row in found["rows"]] == [False] * (len(found["rows"]) - 1) + [True]
    assert len(found["rows"]) >= 3
    for row in found["rows"]:
        flags = shlex.split(row["flags"])
        plan = json.loads(edgelearn(capsys, "plan", MODEL, "--ram", "50K", *more, *flags, "--json").out)
        assert (plan["plan"], plan["ram"]["total"], plan["flash"]["weights"]) == (row["plan"], row["ram"], row["flash"])
        assert (plan["macs"]["training"], plan["trained_weights"]) == (row["macs"], row["weights"])


def test_the_pick_goes_into_the_settings_and_is_what_they_plan(tmp_path: Path, capsys: Capture) -> None:
    text = f'model = {json.dumps(str(MODEL))}  # mine\nboard = "qemu-m3"\n\n[train]\nlr = 0.5\ntrain = "all"\n'
    (tmp_path / "edgelearn.toml").write_text(text + '\n[limits]\nram = "40K"\n')
    said = edgelearn(capsys, "plan", "--fit", "--write", "--json", "--plot", "a.svg")
    assert said.code == 0, said.err
    pick = json.loads(said.out)["rows"][-1]
    written = (tmp_path / "edgelearn.toml").read_text()
    assert "# mine" in written
    assert tomllib.loads(written)["train"] == {"lr": 0.5, "train": "all", **pick["settings"]}
    plan = json.loads(edgelearn(capsys, "plan", "--json").out)
    assert (plan["plan"], plan["ram"]["total"]) == (pick["plan"], pick["ram"])
    assert (tmp_path / "a.svg").read_text().count("<circle") == len(json.loads(said.out)["rows"])


def test_a_page_shows_every_row(tmp_path: Path, capsys: Capture) -> None:
    said = edgelearn(capsys, "plan", MODEL, "--fit", "--ram", "40K", "--plot", "a.html", "--json")
    page = (tmp_path / "a.html").read_text()
    for row in json.loads(said.out)["rows"]:
        assert f"<td>{row['ram']:,}</td>" in page


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", '[train]\ntrain = "last"\n'),
        ("[train]\nlr = 1.0\n\n[test]\nmax_loss = 1\n", '[train]\nlr = 1.0\ntrain = "last"\n\n[test]\nmax_loss = 1\n'),
        ('[train]\ntrain = "all" # x\nlr = 1.0', '[train]\nlr = 1.0\ntrain = "last"\n'),
    ],
)
def test_settings_are_written_where_they_belong(text: str, expected: str) -> None:
    assert with_settings(text, {"train": "last"}) == expected


def test_settings_that_are_no_table_of_lines_are_left_alone() -> None:
    with pytest.raises(InputError, match="can't write settings"):
        with_settings("train = { lr = 1.0 }\n", {"train": "last"})


def test_what_was_measured_is_read_again_until_something_changes(tmp_path: Path, capsys: Capture) -> None:
    data = small_data(tmp_path / "small.npz")

    def rank(*more: object) -> tuple[str, str]:
        said = edgelearn(capsys, "rank", MODEL, "--data", data, "--json", *more)
        assert said.code == 0, said.err
        return said.out, said.err

    first, word = rank()
    assert "ranked 4 layers by fisher over 12 samples" in word
    again, word = rank("--epochs", "9")
    assert (again, "read the fisher ranking" in word) == (first, True)
    assert "ranked" in rank("--rank-samples", "5")[1]
    assert "ranked" in rank("--rank", "gradient")[1]
    kept = sorted((tmp_path / "out" / ".edgelearn").iterdir())
    assert len(kept) == 3
    assert all(path.name.startswith("rank-") for path in kept), "nothing unfinished lies about"
    for path in kept:
        path.write_text("{")
    again, word = rank()
    assert (again, "ranked" in word) == (first, True)


def test_a_limit_of_flash_says_that_code_is_not_in_it(capsys: Capture) -> None:
    word = "flash is counted without code"
    assert word in edgelearn(capsys, "plan", MODEL, "--fit", "--flash", "64K").out
    assert word not in edgelearn(capsys, "plan", MODEL, "--fit").out


def test_a_ranking_that_can_not_be_kept_is_shown_all_the_same(tmp_path: Path, capsys: Capture) -> None:
    data, busy = small_data(tmp_path / "small.npz"), tmp_path / "busy"
    busy.write_text("a file where a folder should be")
    for _ in range(2):
        said = edgelearn(capsys, "rank", MODEL, "--data", data, "--json", "--out", busy)
        assert said.code == 0, said.err
        assert len(json.loads(said.out)["layers"]) == 4
        assert "warning: the ranking can't be kept" in said.err
        assert "ranked 4 layers" in said.err
    assert busy.is_file()


def test_build_takes_the_pick_where_everything_does_not_fit_and_says_so(capsys: Capture) -> None:
    limits = ("--ram", "100K", "--board", "host")
    pick = json.loads(edgelearn(capsys, "plan", MODEL, "--fit", *limits, "--json").out)["rows"][-1]
    said = edgelearn(capsys, "build", MODEL, *limits, "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["plan"] == pick["plan"]
    told = [line for line in said.err.splitlines() if "training everything needs 118,880 bytes of RAM" in line]
    assert len(told) == 1
    assert told[0].endswith(f"takes the pick of edgelearn plan --fit: {pick['flags']}")
    refused = edgelearn(capsys, "build", MODEL, *limits, "--train", "all")
    assert refused.code == 1
    assert "edgelearn plan --fit" in refused.err


def test_what_fits_is_trained_as_ever(capsys: Capture) -> None:
    said = edgelearn(capsys, "build", MODEL, "--board", "host", "--json")
    whole = json.loads(edgelearn(capsys, "plan", MODEL, "--board", "host", "--train", "all", "--json").out)
    assert json.loads(said.out)["plan"] == whole["plan"]
    assert "plan --fit" not in said.err


def test_a_bar_is_drawn_on_terminals_alone_and_goes_away(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    monkeypatch.setattr(progress, "PAUSE", 0.0)
    for live in (False, True):
        monkeypatch.setattr(progress, "lively", lambda live=live: live)
        with progress.Progress("planning") as bar:
            assert list(bar.over([3, 4])) == [3, 4]
        drawn = capsys.readouterr().err
        assert drawn == "" if not live else drawn.count("planning") == 2
        if live:
            assert "[############............]  50 %" in drawn
            assert drawn.endswith("\r\x1b[K")
