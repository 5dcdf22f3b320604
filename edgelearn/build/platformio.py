"""A PlatformIO project out of a model's sources: every file of it, by path, as text.

`lib/edgelearn` is the runtime and the board's hardware layer, `lib/edgelearn_kernels` the kernels that the model calls:
copies of ours, so that the project is whole. Where the image is all ours the project has the linker script of a direct
build and its flags. A board that PlatformIO does not know is built by a development platform of its own, in the
project, with the compilers of this computer, and nothing has to be downloaded for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgelearn import __version__
from edgelearn.boards import Board
from edgelearn.build.compile import BARE, COPIES, FLOATS, SECTIONS, generated_files, libraries
from edgelearn.build.files import MAIN, image_files, with_included
from edgelearn.share import firmware_dir, template

RUNTIME, KERNELS, PLATFORM = "edgelearn", "edgelearn_kernels", "platform"
ELF = ".pio/build/{}/firmware.elf"  # where PlatformIO leaves the image of a board
NO_WARNING = "-Wl,--no-warn-rwx-segments"  # which older linkers do not know, and clang's never says
SAVES = "features/persist.c"  # is in a program that saves
MAINS = {"arduino": "main.cpp"}  # the file that the user starts from and then owns, where it is not main.c


@dataclass(frozen=True)
class Project:
    """Texts by path: those that every build writes anew, and those that are the user's once they are there."""

    generated: dict[str, str]
    own: dict[str, str]


def make_project(
    sources: Mapping[str, str], board: Board, *, carrier: str, kernels: Iterable[Path | str], title: str
) -> Project:
    """The project of a model for a board. Pure: the same model and board give the same bytes."""
    files = image_files(board, carrier, kernels, own_main=True)
    main = MAINS.get(board.framework, MAIN)
    context = {
        "title": f"{title} on {board.id}",
        "name": title,
        "board": board,
        "main": main,
        "bare": board.bare,
        "local": board.platformio is None,
        "settings": _settings(board, saves=SAVES in files.runtime),
    }
    generated = generated_files(sources, board)
    for name in ("platformio.ini", "README.md"):
        generated[name] = template(f"platformio/{name}.j2").render(context)
    if board.bare:
        generated["machine.py"] = template("platformio/machine.py.j2").render(context)
    if board.framework == "espidf":
        generated |= _idf_settings(board)
    if board.platformio is None:
        generated |= _local_platform(board)
    kernel_files = with_included(files.kernels)
    headers = [name for name in kernel_files if name.startswith("include/")]
    runtime_files = with_included((*files.runtime, *files.library, *headers))
    about = "The runtime of a model that trains itself, and the hardware layer of a board."
    generated |= _library(RUNTIME, about, runtime_files, {"includeDir": "include", "flags": ["-Ihal"]})
    kernel_files = [name for name in kernel_files if name not in headers]
    generated |= _library(
        KERNELS, "The kernels that the model calls.", kernel_files, {"flags": [board.build.kernel_optimize]}
    )
    own = {f"src/{main}": _main(board), ".gitignore": template("platformio/gitignore.j2").render()}
    return Project(dict(sorted(generated.items())), own)


def _settings(board: Board, *, saves: bool) -> dict[str, str | list[str]]:
    """The environment in platformio.ini, line by line. A program that `saves` leaves room for the board's store."""
    pio = board.platformio
    settings: dict[str, str | list[str]] = {
        "platform": pio.platform if pio else f"symlink://{PLATFORM}",
        "board": pio.board if pio else board.id,
    }
    if board.framework:
        settings["framework"] = board.framework
    settings |= pio.options if pio else {}
    settings |= board.store.options if board.store and saves else {}
    settings |= {"monitor_speed": str(board.link.baud), "lib_deps": [RUNTIME, KERNELS], "lib_archive": "no"}
    folders = [f"-I{folder}" for folder in (f"lib/{RUNTIME}/include", "include")]
    flags = [board.build.optimize, *FLOATS, *SECTIONS, *folders]
    if board.framework:
        return {**settings, "build_flags": flags}
    clang = board.build.compilers[0].startswith("clang")
    hosted = board.arch == "host"
    alone = () if hosted else BARE if clang else (*BARE, COPIES)
    settings["build_flags"] = [*flags, "-std=gnu11" if hosted else "-std=c11", *alone, "-g"]
    if board.bare:
        link = ["-nostdlib", "-static", "-Wl,-Tlinker.ld", "-Wl,--gc-sections", *board.build.link_flags]
        link += [NO_WARNING] if pio is None and not clang else []
        settings["extra_scripts"] = "pre:machine.py"
        # PlatformIO's own compilers for RISC-V are from before that flag was needed, and known.
        flags = [f for f in board.build.flags if pio is None or not f.startswith("-misa-spec")]
        settings["custom_machine_flags"] = flags
        settings["custom_link_flags"] = [*link, '-Wl,-Map="$BUILD_DIR/firmware.map"', *libraries(board)]
    return settings


def _idf_settings(board: Board) -> dict[str, str]:
    """Settings of ESP-IDF, and its table of partitions: the same whether a program saves or not, so that its loading
    does not move what another one saved."""
    made = {"sdkconfig.defaults": template("platformio/sdkconfig.defaults.j2").render(store=board.store)}
    if board.store:
        table = template("platformio/partitions.csv.j2").render(app=board.flash.size, store=board.store)
        made["partitions.csv"] = table
    return made


def _library(name: str, description: str, files: Iterable[str], build: dict[str, object]) -> dict[str, str]:
    """A library of PlatformIO out of files below `firmware/`."""
    manifest = {
        "name": name,
        "version": __version__,
        "description": description,
        "license": "Apache-2.0",
        "build": {"srcDir": ".", "libArchive": False, **build},
    }
    texts = {f"lib/{name}/library.json": json.dumps(manifest, indent=2) + "\n"}
    for path in files:
        texts[f"lib/{name}/{path}"] = (firmware_dir() / path).read_text(encoding="utf-8")
    return texts


def _local_platform(board: Board) -> dict[str, str]:
    """A development platform that has nothing to download: it uses compilers that are installed."""
    about = {
        "name": "edgelearn-local",
        "title": "edgelearn, local",
        "description": "Builds with the compilers of this computer.",
        "version": __version__,
        "frameworks": {},
        "packages": {},
    }
    known = {
        "name": board.description,
        "vendor": "edgelearn",
        "url": "",
        "frameworks": [],
        "build": {"mcu": board.cpu, "compilers": list(board.build.compilers)},
        "upload": {"maximum_size": board.flash_bytes, "maximum_ram_size": board.ram_bytes},
    }
    return {
        f"{PLATFORM}/platform.json": json.dumps(about, indent=2) + "\n",
        f"boards/{board.id}.json": json.dumps(known, indent=2) + "\n",
        f"{PLATFORM}/builder/main.py": template("platformio/platform/builder/main.py.j2").render(),
    }


def _main(board: Board) -> str:
    if board.framework:
        return template(f"platformio/{board.framework}.j2").render()
    note = "/* Where the program starts. This file is yours: edgelearn wrote it once and leaves it alone. */\n"
    return note + (firmware_dir() / "src" / MAIN).read_text(encoding="utf-8")
