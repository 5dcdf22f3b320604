"""Flags over edgelearn.toml over defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelearn.cli.settings import make_job, parse_size
from edgelearn.config import TrainConfig
from edgelearn.errors import InputError, UsageError

TOML = """
model = "net.onnx"
data = "samples.npz"
board = "qemu-m7"
out = "results"

[train]
optimizer = "adam"
lr = 0.002
epochs = 7

[limits]
ram = "64K"

[test]
min_accuracy = 0.9
max_flash = "1M"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "edgelearn.toml").write_text(TOML)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "size"), [("65536", 65536), ("64K", 65536), ("64 KiB", 65536), ("1M", 1 << 20), ("1.5k", 1536), (7, 7)]
)
def test_sizes(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "64Q", "-1", "0", "0.3", "K", "1e3", "64 K M"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        parse_size(text)


def test_the_file_alone(project: Path) -> None:
    job = make_job({})
    assert (job.model, job.data, job.out) == (Path("net.onnx"), Path("samples.npz"), Path("results"))
    assert (job.board.id, job.ram, job.flash) == ("qemu-m7", 65536, None)
    assert (job.config.optimizer, job.config.lr, job.config.epochs, job.config.momentum) == ("adam", 0.002, 7, 0.9)
    assert (job.checks.min_accuracy, job.checks.max_flash, job.checks.max_ram) == (0.9, 1 << 20, None)


def test_flags_win(project: Path) -> None:
    flags = {"model": "other.onnx", "board": "host", "lr": 0.5, "ram": 4096, "min_accuracy": 0.1, "out": "there"}
    job = make_job(flags)
    assert (job.model, job.board.id, job.ram, job.out) == (Path("other.onnx"), "host", 4096, Path("there"))
    assert (job.config.lr, job.config.epochs, job.checks.min_accuracy) == (0.5, 7, 0.1)


def test_going_back_to_sgd_leaves_adams_momentum_behind(project: Path) -> None:
    assert make_job({"optimizer": "sgd"}).config.momentum == 0.0
    assert make_job({"optimizer": "sgd", "momentum": 0.5}).config.momentum == 0.5


def test_another_method_leaves_the_options_of_the_first_behind(project: Path) -> None:
    (project / "edgelearn.toml").write_text('model = "m"\n[train]\nmethod = "sparse"\nfraction = 0.5\nblocks = 2')
    config = make_job({"method": "mobiletl"}).config
    assert (config.method, config.fraction, config.blocks) == ("mobiletl", TrainConfig().fraction, 2)
    assert make_job({"method": "bias", "fraction": 0.5}).config.fraction == 0.5  # said on purpose; refused


def test_another_folder(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert make_job({"project": str(project)}).model == project / "net.onnx"
    with pytest.raises(UsageError, match=r"no edgelearn\.toml"):
        make_job({"project": "."})


def test_nothing_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no model"):
        make_job({})
    job = make_job({"model": "net.onnx"})
    assert (job.board.id, job.config.train, job.out) == ("qemu-m4", "all", Path("out"))


def test_a_flag_out_of_range_is_a_usage_error(project: Path) -> None:
    with pytest.raises(UsageError, match="lr"):
        make_job({"lr": -1.0})
    (project / "edgelearn.toml").write_text('model = "m"\n[train]\nlr = -1')
    with pytest.raises(InputError, match="lr"):
        make_job({})


def test_small_leaves_the_kernels_of_any_compiler(project: Path) -> None:
    assert make_job({}).board.kernels == ("thumb", "dsp", "blk", "ref")
    assert make_job({"small": True}).board.kernels == ("blk", "ref")
    (project / "edgelearn.toml").write_text(TOML.replace("[limits]", "[limits]\nsmall = true"))
    assert make_job({}).board.kernels == ("blk", "ref")
    assert make_job({"small": False}).board.kernels == ("thumb", "dsp", "blk", "ref")
    assert make_job({"board": "pico"}).board.kernels == ("fix", "blk", "ref")
