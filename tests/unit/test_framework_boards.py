"""Boards that a framework starts. The frameworks themselves need a download; what is ours is compiled for the board's
core, without a warning, against small headers of the documented API, and measured; what Debian has of Arduino's own is
compiled against, too.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from edgelearn import boards
from edgelearn.build.compile import board_header
from edgelearn.build.files import image_files
from edgelearn.build.image import _variables
from edgelearn.build.keep import write_generated
from edgelearn.build.library import make_library
from edgelearn.codegen import generate
from edgelearn.config import TrainConfig
from edgelearn.importers import load
from edgelearn.plan import compile_model
from edgelearn.saving import SAVING_RAM
from edgelearn.share import firmware_dir
from tests.support.cli import MODEL
from tests.support.frameworks import compile_for

FRAMEWORK = [b for b in map(boards.load, boards.available()) if b.framework]
IDS = [b.id for b in FRAMEWORK]


def test_there_are_all_of_them() -> None:
    wanted = "arduino_nano33ble esp32-c3-devkitm-1 esp32-s3-devkitc-1 feather_nrf52840 pico pico2 pico2_riscv teensy41"
    assert wanted.split() == IDS


@pytest.mark.parametrize("board", FRAMEWORK, ids=IDS)
def test_runtime_and_hal_compile_and_take_the_ram_of_the_board_file(board: boards.Board, tmp_path: Path) -> None:
    files = image_files(board, "uart", [], own_main=True)
    objects = compile_for(board, [*files.runtime, *files.library], tmp_path)
    assert sum(_variables(path) for path in objects) == board.runtime_ram


@pytest.mark.parametrize("board", FRAMEWORK, ids=IDS)
def test_saving_compiles_and_takes_the_ram_that_is_planned(board: boards.Board, tmp_path: Path) -> None:
    assert board.store is not None
    objects = compile_for(board, ["features/persist.c", *(f"hal/{name}" for name in board.store.driver)], tmp_path)
    assert sum(_variables(path) for path in objects) == SAVING_RAM


@pytest.mark.parametrize("board", FRAMEWORK, ids=IDS)
def test_the_frameworks_linker_keeps_off_what_was_saved(board: boards.Board) -> None:
    """Arduino: PlatformIO holds the program to a size, or the core leaves room for files; ESP-IDF: a partition."""
    assert board.store is not None
    left = board.store.origin - board.flash.origin
    options = board.store.options
    if board.framework == "espidf":
        assert board.store.origin == 0x10000 + board.flash.size
        assert board.platformio is not None
        assert board.platformio.options["board_build.partitions"] == "partitions.csv"
    elif "board_build.filesystem_size" in options:
        assert options == {"board_build.filesystem_size": f"{board.store.size // 1024}k"}
        assert left + board.store.size == board.flash.size
    else:
        assert options == {"board_upload.maximum_size": str(left)}


@pytest.mark.parametrize("name", ["arduino_nano33ble", "pico", "pico2_riscv", "esp32-s3-devkitc-1"])
def test_kernels_and_model_compile(name: str, tmp_path: Path) -> None:
    """Those of the example's training step: one board a core and calling convention."""
    board = boards.load(name)
    sources = generate(compile_model(load(MODEL), TrainConfig(), board))
    assert compile_for(board, list(sources.kernels), tmp_path)
    for file, text in sources.files.items():
        (tmp_path / file).write_text(text)
    assert compile_for(board, [str(tmp_path / "model.c"), str(tmp_path / "weights.c")], tmp_path)


AVR = Path("/usr/share/arduino/hardware/arduino/avr")  # Debian's arduino-core-avr


@pytest.mark.parametrize(
    ("variant", "flags"),
    [("mega", ["-mmcu=atmega2560"]), ("leonardo", ["-mmcu=atmega32u4", "-DUSB_VID=0x2341", "-DUSB_PID=0x8036"])],
)
def test_the_arduino_layer_and_a_sketch_fit_arduinos_own_headers(
    variant: str, flags: list[str], tmp_path: Path
) -> None:
    """Those of the AVR boards, whose serial port is a UART or USB: the one vendor's core that a package provides."""
    write_generated(tmp_path / "lib", make_library(compile_model(load(MODEL), TrainConfig(), boards.load("host"))))
    (tmp_path / "board.h").write_text(board_header(boards.load("pico2")))
    firmware = firmware_dir()
    folders = [AVR / "cores" / "arduino", AVR / "variants" / variant, firmware / "include", firmware / "hal", tmp_path]
    command = ["avr-g++", *flags, "-DF_CPU=16000000L", "-DARDUINO=10819", "-DARDUINO_ARCH_AVR", "-std=gnu++11", "-Os"]
    command += ["-Wall", "-Wextra", "-Werror", "-fno-exceptions", "-fsyntax-only", *(f"-I{f}" for f in folders)]
    command += [f"-I{tmp_path / 'lib' / 'src'}", "-include", "Arduino.h", "-x", "c++"]
    sketch = tmp_path / "lib" / "examples" / "train" / "train.ino"
    others = ("tinyusb", "flash_pico", "flash_teensy")  # functions that only some cores have
    layer = [path for path in (firmware / "hal" / "arduino").glob("*.cpp") if path.stem not in others]
    for source in (*sorted(layer), sketch):
        done = subprocess.run([*command, str(source)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("board", FRAMEWORK, ids=IDS)
def test_what_the_framework_takes_is_said(board: boards.Board) -> None:
    assert "sets" in board.ram.source
    assert "not measured" in board.ram.source
    assert board.platformio is not None
    assert board.usb is not None
    assert board.link.carriers == ("uart",)
