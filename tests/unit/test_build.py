"""Building: what a user sees when a compiler is missing or fails, what is kept between builds, sanitizers, warnings."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edgelearn import boards
from edgelearn.boards import Board
from edgelearn.build import build_image, find_compiler, find_emulator
from edgelearn.device import open_device
from edgelearn.errors import ToolError, UsageError
from edgelearn.link import Link
from tests.support.linear import LinearModel


def _with_compilers(board: Board, *names: str) -> Board:
    return msgspec.structs.replace(board, build=msgspec.structs.replace(board.build, compilers=names))


def test_a_missing_compiler_says_what_to_type() -> None:
    board = _with_compilers(boards.load("qemu-m4"), "no-such-gcc", "nor-this-gcc")
    with pytest.raises(ToolError) as caught:
        find_compiler(board)
    assert "no-such-gcc, nor-this-gcc" in caught.value.message
    assert caught.value.hint == "apt-get install gcc-arm-none-eabi"


def test_a_missing_emulator_says_what_to_type() -> None:
    board = boards.load("qemu-rv32")
    assert board.emulator is not None
    board = msgspec.structs.replace(board, emulator=msgspec.structs.replace(board.emulator, program="no-such-qemu"))
    with pytest.raises(ToolError) as caught:
        find_emulator(board)
    assert caught.value.hint == "apt-get install qemu-system-misc"


def test_an_error_in_c_is_shown_with_its_log(tmp_path: Path) -> None:
    sources = {"model.c": LinearModel().sources()["model.c"] + "int el_broken(void) { return nothing; }\n"}
    with pytest.raises(ToolError) as caught:
        build_image(sources, boards.load("host"), tmp_path, kernel_sources=[])
    assert "model.c does not compile for host" in caught.value.message
    assert any("nothing" in line for line in caught.value.details)
    assert caught.value.where == str(tmp_path / "build.log")
    assert "nothing" in (tmp_path / "build.log").read_text()


def test_a_model_that_does_not_fit_fails_at_the_linker(tmp_path: Path) -> None:
    source = LinearModel().sources()["model.c"].replace("el_arena[16 +", "el_arena[8000000 +")
    with pytest.raises(ToolError) as caught:
        build_image({"model.c": source}, boards.load("qemu-m4"), tmp_path, kernel_sources=[])
    assert "does not link" in caught.value.message
    assert any("overflowed" in line for line in caught.value.details)


def test_unchanged_files_are_not_compiled_again(tmp_path: Path) -> None:
    def objects() -> dict[str, int]:
        return {p.name: p.stat().st_mtime_ns for p in (tmp_path / "obj").glob("*.o")}

    board, model = boards.load("host"), LinearModel()
    build_image(model.sources(), board, tmp_path, kernel_sources=[])
    first = objects()
    build_image(model.sources(), board, tmp_path, kernel_sources=[])
    assert objects() == first
    build_image(LinearModel(seed=9).sources(), board, tmp_path, kernel_sources=[])
    changed = {name for name in objects() if name not in first}
    assert len(changed) == 1
    assert next(iter(changed)).startswith("model-")
    assert not list(tmp_path.rglob(".*")), "no temporary files stay"


def test_the_project_is_readable(tmp_path: Path) -> None:
    build_image(LinearModel().sources(), boards.load("qemu-m55"), tmp_path, carrier="uart", kernel_sources=[])
    names = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file() and p.suffix != ".o"}
    assert names == {"src/model.c", "include/board.h", "linker.ld", "image.elf", "image.map", "build.log"}
    assert "EL_UART_BASE 0x59303000u" in (tmp_path / "include/board.h").read_text()


def test_wrong_wishes_are_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        build_image({}, boards.load("host"), tmp_path, carrier="pigeon")
    with pytest.raises(UsageError):
        build_image({}, boards.load("qemu-m4"), tmp_path, sanitize=True)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("sanitize", [False, True])
def test_host_images_of_both_compilers_train(tmp_path: Path, compiler: str, sanitize: bool) -> None:
    model = LinearModel()
    board = _with_compilers(boards.load("host"), compiler)
    image = build_image(model.sources(), board, tmp_path, kernel_sources=[], sanitize=sanitize)
    with open_device(image) as device:
        link = Link(device)
        link.hello(model.hash)
        for result, sample in zip(link.train_many(model.samples(50)), model.samples(50), strict=True):
            assert result.loss == pytest.approx(model.train(*sample, 0.01), rel=1e-5)
        link.read("state")
        assert list(link.echo_many([b"x" * 480] * 20)) == [b"x" * 480] * 20


def _script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("says", "have"), [("8.2.2 (Debian 1:8.2.2+ds-0ubuntu1)", "8.2.2"), ("of some day", "unknown")]
)
def test_an_old_emulator_says_which_one_is_needed(says: str, have: str, tmp_path: Path) -> None:
    board = boards.load("qemu-rv32v")
    assert board.emulator is not None
    program = _script(tmp_path / "qemu", f"echo 'QEMU emulator version {says}'")
    board = msgspec.structs.replace(board, emulator=msgspec.structs.replace(board.emulator, program=program))
    with pytest.raises(ToolError) as caught:
        find_emulator(board)
    assert caught.value.message == f"{program} is version {have}, 10.0 or newer is needed"
    assert caught.value.hint == "apt-get install qemu-system-riscv"


def test_a_compiler_that_does_not_know_the_core_is_passed_over(tmp_path: Path) -> None:
    old = _script(tmp_path / "old", 'case "$*" in --version) echo clang 14;; *) exit 1;; esac')
    new = _script(tmp_path / "new", "echo clang 19")
    board = boards.load("qemu-rv32v")
    assert find_compiler(_with_compilers(board, old, new)).path == new
    with pytest.raises(ToolError, match="no compiler for qemu-rv32v"):
        find_compiler(_with_compilers(board, old))
