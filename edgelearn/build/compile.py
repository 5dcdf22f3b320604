"""Compiles and links an image. Objects are kept by the hash of everything that went into them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgelearn.boards import Board
from edgelearn.build.files import Files, image_files
from edgelearn.build.image import Image, read_image
from edgelearn.build.process import Crew
from edgelearn.build.toolchain import Compiler, find_compiler
from edgelearn.errors import InputError, InternalError, ToolError, UsageError
from edgelearn.share import firmware_dir, template

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wcast-align", "-Werror")
LENIENT = ("-Wno-error", "-Wno-pedantic", "-Wno-conversion", "-Wno-cast-align")  # what a user's own file may do
# Floats may fuse into multiply-adds, and errno is nobody's; all else is strict IEEE, NaN and infinity included.
FLOATS = ("-ffp-contract=fast", "-fno-math-errno")
SECTIONS = ("-ffunction-sections", "-fdata-sections")
BARE = ("-ffreestanding", "-fno-common", "-fno-unwind-tables")
# A loop that copies must not become a call of memcpy inside memcpy; for clang -ffreestanding says so.
COPIES = "-fno-tree-loop-distribute-patterns"
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
ERROR_LINES = 8


@dataclass(frozen=True)
class _Unit:
    """One file to compile: `flags` on top of what all files share."""

    source: Path
    flags: tuple[str, ...]
    runtime: bool


def build_image(
    sources: Mapping[str, str],
    board: Board,
    out_dir: Path,
    *,
    carrier: str | None = None,
    kernel_sources: Iterable[Path | str] | None = None,
    sanitize: bool = False,
    jobs: int = 2,
) -> Image:
    """Compile `sources` (file name to C text) with the runtime into `out_dir`.

    `kernel_sources` are absolute or relative to `firmware/`; left out, all kernels of the board's ISAs are compiled
    and the linker drops what nobody calls. `out_dir` receives `src/`, `include/`, `linker.ld`, `image.elf`,
    `image.map` and `build.log`. C files that somebody else has put into its `src/` are compiled too, and a `main.c`
    among them in place of ours.
    """
    carrier = carrier or board.carrier
    if carrier not in board.link.carriers:
        raise UsageError(f"{board.id} has no carrier '{carrier}'", hint=f"it has {', '.join(board.link.carriers)}")
    if sanitize and board.arch != "host":
        raise UsageError("sanitizers work on the board 'host' only", where=board.id)
    compiler = find_compiler(board)
    out_dir = out_dir.resolve()
    (out_dir / "obj").mkdir(parents=True, exist_ok=True)
    for name, text in generated_files(sources, board).items():
        replace_text(out_dir / name, text)
    generated = [out_dir / "src" / name for name in sources if name.endswith(".c")]
    own = [path for path in sorted((out_dir / "src").glob("*.c")) if path not in generated]
    files = image_files(board, carrier, kernel_sources, own_main="main.c" in {path.name for path in own})
    units = _units(files, generated, own, board)
    with Crew(jobs) as crew:
        builder = _Builder(board, compiler, crew, out_dir, SANITIZE if sanitize else ())
        objects = crew.map(builder.compile, units)
        elf = crew.map(builder.link, [objects])[0]
    builder.drop_stale(objects)
    runtime = [obj for unit, obj in zip(units, objects, strict=True) if unit.runtime]
    return read_image(elf, board, carrier, compiler.version, runtime)


def replace_text(path: Path, text: str) -> None:
    """Write in one go; a file that is already right keeps its time stamp. InputError if the disk does not take it."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"can't write: {(error.strerror or str(error)).lower()}", where=str(path)) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def generated_files(sources: Mapping[str, str], board: Board) -> dict[str, str]:
    """What a build writes for a model and a board: texts by their paths in the build's folder."""
    for name in sources:
        if Path(name).name != name or Path(name).suffix not in (".c", ".h"):
            raise InternalError(f"'{name}' is not a name for a generated C file")
    files = {f"src/{name}": text for name, text in sources.items()}
    files["include/board.h"] = board_header(board)
    if board.bare:
        regions = {m.name: m for m in (board.boot, board.flash, *board.rams)}.values()
        files["linker.ld"] = template("linker.ld.j2").render(board=board, regions=regions)
    return files


def copied(text: str, path: Path, folder: Path) -> str:
    """A user's C file as one of `folder`'s project: what compilers, debuggers and IDEs show is the user's own.

    The project may be built elsewhere, so that what it says is the way from `folder` to there.
    """
    name = os.path.relpath(path, folder).replace("\\", r"\\").replace('"', r"\"")
    return f'/* A copy, written by edgelearn. Changes belong in the file of the next line. */\n#line 1 "{name}"\n{text}'


def board_header(board: Board) -> str:
    """board.h: the addresses that a board's HAL files compile against, and how many harts there are."""
    lines = [f"#define {name} 0x{value:08X}u" for name, value in board.hal.constants.items()]
    lines += [f"#define EL_HARTS {board.harts}u", f"#define EL_UART_BAUD {board.link.baud}u"]
    if board.store:
        places = ("origin", "page", "pages", "unit", "erased")
        lines += [f"#define EL_STORE_{name.upper()} 0x{getattr(board.store, name):X}u" for name in places]
    head = f"/* Addresses of {board.id}, from its board file. Written by edgelearn. */"
    return "\n".join([head, "#ifndef EL_BOARD_H", "#define EL_BOARD_H", "", *lines, "", "#endif", ""])


def _units(files: Files, generated: list[Path], own: list[Path], board: Board) -> list[_Unit]:
    firmware = firmware_dir()
    fast, small = (*FLOATS, board.build.kernel_optimize), (*FLOATS, board.build.optimize)
    return [
        *(_Unit(path, (*small, *LENIENT), False) for path in own),
        *(_Unit(firmware / name, fast, False) for name in files.kernels),  # an absolute path stays what it is
        *(_Unit(path, small, False) for path in generated),
        *(_Unit(firmware / name, small, True) for name in files.runtime),
        *(_Unit(firmware / name, small, False) for name in files.library),
    ]


def bare_flags(compiler: Compiler) -> tuple[str, ...]:
    """What tells a compiler that there is no operating system and no C library."""
    return BARE if compiler.clang else (*BARE, COPIES)


def libraries(board: Board) -> tuple[str, ...]:
    """What an image links last: the compiler's own functions, unless the HAL has them."""
    return () if board.arch == "host" or board.hal.library else ("-lgcc",)


class _Builder:
    def __init__(self, board: Board, compiler: Compiler, crew: Crew, out_dir: Path, extra: tuple[str, ...]) -> None:
        self.board, self.compiler, self.crew, self.out = board, compiler, crew, out_dir
        self.log = out_dir / "build.log"
        self.log.write_text("")
        firmware = firmware_dir()
        self.machine = (*board.build.flags, *extra)
        hosted = board.arch == "host"
        self.flags = (
            *(
                "-std=gnu11" if hosted else "-std=c11",
                *WARNINGS,
                *SECTIONS,
                *(() if hosted else bare_flags(compiler)),
                "-g",
            ),
            *(
                f"-I{folder}"
                for folder in (firmware / "include", firmware / "hal", out_dir / "include", out_dir / "src")
            ),
        )
        headers = [
            *sorted(firmware.rglob("*.h")),
            *sorted((out_dir / "src").glob("*.h")),
            out_dir / "include" / "board.h",
        ]
        self.headers = hashlib.sha256(b"\0".join(p.read_bytes() for p in headers)).digest()

    def compile(self, unit: _Unit) -> Path:
        """One object file; the same bytes in are compiled once."""
        command = [self.compiler.path, *self.machine, *self.flags, *unit.flags, "-c", str(unit.source)]
        try:
            text = unit.source.read_bytes()
        except OSError:
            raise InternalError("a source file is missing", where=str(unit.source)) from None
        key = hashlib.sha256(b"\0".join([self.compiler.version.encode(), repr(command).encode(), text, self.headers]))
        target = self.out / "obj" / f"{unit.source.stem}-{key.hexdigest()[:16]}.o"
        if not target.is_file():
            temporary = target.with_name(f".{target.name}.{os.getpid()}")
            self._run([*command, "-o", str(temporary)], f"{unit.source.name} does not compile for {self.board.id}")
            temporary.replace(target)
        return target

    def link(self, objects: list[Path]) -> Path:
        """All objects into `image.elf`."""
        elf = self.out / "image.elf"
        temporary = elf.with_name(f".image.{os.getpid()}.elf")
        script = self.out / "linker.ld"
        bare = [
            "-nostdlib",
            "-static",
            f"-T{script}",
            *(() if self.compiler.clang else ("-Wl,--no-warn-rwx-segments",)),
        ]
        hosted = self.board.arch == "host"
        command = [self.compiler.path, *self.machine, *([] if hosted else bare), "-Wl,--gc-sections"]
        command += [f"-Wl,-Map={self.out / 'image.map'}", *map(str, objects), "-o", str(temporary)]
        command += [*self.board.build.link_flags, *libraries(self.board)]
        self._run(command, f"the image for {self.board.id} does not link")
        temporary.replace(elf)
        return elf

    def drop_stale(self, objects: list[Path]) -> None:
        """Objects of earlier builds, and what was left of one that was killed."""
        for path in {*(self.out / "obj").iterdir(), *self.out.glob(".image.*.elf")}.difference(objects):
            path.unlink(missing_ok=True)

    def _run(self, command: list[str], failure: str) -> None:
        done = self.crew.run(command)
        with self.log.open("a") as log:
            log.write(" ".join(command) + "\n" + done.stderr)
        if done.returncode == 0:
            return
        lines = done.stderr.splitlines()
        telling = [line for line in lines if re.search(r"error|overflowed|undefined|assert", line, re.IGNORECASE)]
        shown = tuple((telling or lines)[:ERROR_LINES])
        raise ToolError(failure, where=str(self.log), details=shown)
