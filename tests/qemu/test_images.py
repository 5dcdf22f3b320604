"""What an image is made of: the runtime's RAM to the byte, regions, no heap, no libc."""

from __future__ import annotations

import re

import pytest
from elftools.elf.elffile import ELFFile

from edgelearn import boards
from tests.qemu.images import BARE, EMULATED, IMAGES, image_of
from tests.support.linear import LinearModel

OURS = [(board, carrier) for board, carrier in IMAGES if board != "host"]


@pytest.mark.parametrize(("board", "carrier"), IMAGES)
def test_runtime_ram_is_what_the_board_file_says(board: str, carrier: str) -> None:
    image = image_of(board, carrier)
    assert image.ram.runtime == boards.load(board).runtime_ram


@pytest.mark.parametrize(("board", "carrier"), OURS)
def test_ram_adds_up_to_the_linkers_map(board: str, carrier: str) -> None:
    """The map file is the linker's own word; sizes come from the ELF."""
    image = image_of(board, carrier)
    text = (image.elf.parent / "image.map").read_text()
    # GNU ld writes name, address, size; lld address, address, size, alignment, name.
    rows = re.findall(r"^\.(\w+)\s+0x[0-9a-f]+\s+0x([0-9a-f]+)", text, re.MULTILINE)
    rows += [(name, size) for size, name in re.findall(r"^ *\w+ +\w+ +(\w+) +\d+ \.(\w+)$", text, re.MULTILINE)]
    found = {name: int(size, 16) for name, size in rows}
    model = LinearModel()
    assert found["stack"] == image.ram.stack == boards.load(board).stack
    assert found["el_params"] == image.ram.params == model.params.nbytes
    assert found["el_state"] == image.ram.state == model.params.nbytes
    assert found["el_arena"] == image.ram.arena
    assert found.get("bss", 0) + found.get("data", 0) == image.ram.runtime


@pytest.mark.parametrize("board", [*EMULATED, *BARE])
def test_sections_lie_in_their_memories(board: str) -> None:
    image = image_of(board)
    described = boards.load(board)
    with image.elf.open("rb") as stream:
        for section in ELFFile(stream).iter_sections():
            if not section["sh_flags"] & 2 or section["sh_size"] == 0:
                continue
            writable = section.name in (".stack", ".bss", ".data") or section.name.startswith(".el_")
            home = described.ram if writable else described.boot if section.name == ".vectors" else described.flash
            assert home.origin <= section["sh_addr"], section.name
            assert section["sh_addr"] + section["sh_size"] <= home.origin + home.size, section.name


@pytest.mark.parametrize(("board", "carrier"), OURS)
def test_no_heap_and_no_libc(board: str, carrier: str) -> None:
    """The map names every archive that gave something, and only the compiler's own library did, if any."""
    image = image_of(board, carrier)
    heap = {"malloc", "free", "calloc", "realloc", "_sbrk", "sbrk", "printf", "exit", "abort", "errno", "_impure_ptr"}
    assert not heap & image.symbols.keys()
    assert {"memcpy", "main"} <= image.symbols.keys()
    text = (image.elf.parent / "image.map").read_text()
    assert {a.rsplit("/", 1)[-1] for a in re.findall(r"([\w./+-]+\.a)\(", text)} <= {"libgcc.a"}
