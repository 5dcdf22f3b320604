"""A linked image and what is in it, read from the ELF file itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from edgelearn.boards import Board
from edgelearn.errors import InternalError

MODEL_ARRAYS = ("params", "state", "arena", "store", "replay")
_PLACED = frozenset(
    (
        ".vectors",
        ".consts",
        ".text",
        ".rodata",
        ".ARM.exidx",
        ".stack",
        ".bss",
        ".data",
        ".zero",
        *(f".el_{name}" for name in MODEL_ARRAYS),
    )
)
_ALLOC = 0x2


@dataclass(frozen=True)
class Ram:
    """Bytes of RAM. The first five are the model's arrays, each a multiple of 16."""

    params: int
    state: int
    arena: int
    store: int
    replay: int
    runtime: int
    stack: int

    @property
    def total(self) -> int:
        return self.params + self.state + self.arena + self.store + self.replay + self.runtime + self.stack


@dataclass(frozen=True)
class Flash:
    """Bytes of flash: instructions, the model's constants and initial weights, and the rest."""

    code: int
    consts: int
    rest: int

    @property
    def total(self) -> int:
        return self.code + self.consts + self.rest


@dataclass(frozen=True)
class Image:
    """What `build_image` made."""

    elf: Path
    board: Board
    carrier: str
    ram: Ram
    flash: Flash
    sections: dict[str, int]
    symbols: dict[str, int]  # size by name, functions and objects
    compiler: str


def read_image(elf: Path, board: Board, carrier: str, compiler: str, runtime_objects: list[Path]) -> Image:
    """Take an ELF file apart. Only where the image is all ours it has RAM of its own; else its objects are added up."""
    with elf.open("rb") as stream:
        file = ELFFile(stream)
        symbols = _symbols(file)
        sections = {s.name: int(s["sh_size"]) for s in file.iter_sections() if s["sh_flags"] & _ALLOC}
        flash = _flash(file, symbols)
    arrays = {name: _array(symbols, f"el_{name}") for name in MODEL_ARRAYS}
    if not board.bare:
        runtime = sum(_variables(path) for path in runtime_objects)
        stack = 0
    else:
        known = _PLACED | {f".more_{memory.name}" for memory in board.rams}
        strays = sorted(name for name, size in sections.items() if size and name not in known)
        if strays:
            raise InternalError(f"the linker script does not place {', '.join(strays)}", where=str(elf))
        runtime = sections.get(".bss", 0) + sections.get(".data", 0)
        stack = sections[".stack"]
    return Image(elf, board, carrier, Ram(**arrays, runtime=runtime, stack=stack), flash, sections, symbols, compiler)


def _array(symbols: dict[str, int], name: str) -> int:
    """Bytes of one of the model's arrays, which may lie in several memories."""
    return sum(size for symbol, size in symbols.items() if symbol == name or symbol.startswith(f"{name}_in_"))


def _symbols(file: ELFFile) -> dict[str, int]:
    table = file.get_section_by_name(".symtab")
    if not isinstance(table, SymbolTableSection):
        return {}
    wanted = ("STT_FUNC", "STT_OBJECT")
    return {s.name: int(s["st_size"]) for s in table.iter_symbols() if s["st_info"]["type"] in wanted and s.name}


def _flash(file: ELFFile, symbols: dict[str, int]) -> Flash:
    """The rest is vectors, tables, padding and the initial values of .data."""
    stored = code = 0
    for section in file.iter_sections():
        if section["sh_flags"] & _ALLOC and section["sh_type"] != "SHT_NOBITS":
            stored += int(section["sh_size"])
            code += int(section["sh_size"]) if section.name == ".text" else 0
    consts = sum(size for name, size in symbols.items() if name.startswith(("el_consts", "el_initial", "el_baked")))
    return Flash(code, consts, stored - code - consts)


def _variables(path: Path) -> int:
    """Bytes of .data and .bss in an object file, without the model's arrays."""
    with path.open("rb") as stream:
        file = ELFFile(stream)
        return sum(
            int(s["sh_size"])
            for s in file.iter_sections()
            if s.name.startswith((".data", ".bss")) and s["sh_flags"] & _ALLOC
        )
