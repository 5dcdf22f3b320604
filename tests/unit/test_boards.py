"""Board files: all of ours load, and a mistake in one is named with file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelearn import boards
from edgelearn.errors import InputError
from edgelearn.share import boards_dir, firmware_dir, templates_dir


@pytest.mark.parametrize("name", boards.available())
def test_every_board_loads(name: str) -> None:
    board = boards.load(name)
    assert board.id == name
    assert board.ram_for_model > 0
    assert board.flash_bytes > 0
    assert board.carrier == ("uart" if board.real else "pipe")
    files = (*board.hal.common, *board.hal.library, *board.hal.pipe, *board.hal.uart)
    assert [f for f in files if not (firmware_dir() / "hal" / f).is_file()] == []
    assert all(memory.source for memory in board.memory)
    assert board.source


def test_share_folders_exist() -> None:
    assert boards_dir().is_dir()
    assert (templates_dir() / "linker.ld.j2").is_file()


def test_a_path_loads_too(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text((boards_dir() / "qemu-m4.toml").read_text())
    assert boards.load(file).id == "mine"


def test_unknown_board_names_its_neighbours() -> None:
    with pytest.raises(InputError) as caught:
        boards.load("qemu-m44")
    assert "qemu-m4" in (caught.value.hint or "")
    with pytest.raises(InputError) as caught:
        boards.load("zzz")
    assert "host" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("old", "new", "message", "key"),
    [
        ("stack = 4096", "stack = 4096\nstak = 1", "no key 'stak'", "stak"),
        ("stack = 4096", "stack = 4097", "multiple of 16", "stack"),
        ("stack = 4096", "stack = 'big'", "expected", "stack"),
        ("stack = 4096", "", "'stack' is missing", "stack"),
        ("origin = 0x20000000", "origin = 0x00000010", "overlap", "memory"),
        ('ram = "ram"', 'ram = "flash"', "not a memory of kind ram", "layout.ram"),
        ("stack = 4096", "stack = 4194304", "leave no RAM", "stack"),
        ('uart = ["arm/uart_cmsdk.c"]', "", "no HAL files", "hal.uart"),
        ("arm/uart_cmsdk.c", "arm/uart_mine.c", "no file arm/uart_mine.c in firmware/hal", "hal.uart"),
        ("description", "id = 'x'\ndescription", "file name", "id"),
        ("description =", "description", "not valid TOML", "mine.toml"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, message: str, key: str) -> None:
    text = (boards_dir() / "qemu-m4.toml").read_text()
    assert old in text
    file = tmp_path / "mine.toml"
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        boards.load(file)
    assert message in caught.value.message
    assert (caught.value.where or "").endswith(key)


@pytest.mark.parametrize("name", boards.available())
def test_a_board_goes_beside_its_build_and_comes_back(name: str) -> None:
    board = boards.load(name)
    assert boards.from_json(boards.to_json(board).encode()) == board


def test_a_missing_file_is_an_input_error() -> None:
    with pytest.raises(InputError):
        boards.load("nowhere/none.toml")
