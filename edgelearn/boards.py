"""Boards: what a TOML file in `boards/` says about a target, checked and typed.

The file's name is the board's id. Unknown keys are errors: a misspelt key must not silently fall back to a
default. Every number in a board file carries a `source` that says where it comes from.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from edgelearn.errors import InputError
from edgelearn.share import boards_dir, firmware_dir

Positive = Annotated[int, msgspec.Meta(gt=0)]
Address = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
Carrier = Literal["pipe", "uart"]
Unit = Literal["insn", "cycles"]
UNIT_WORDS: dict[Unit, str] = {"insn": "instructions", "cycles": "cycles"}


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Frozen, and strict about unknown keys."""


class Memory(_Strict, frozen=True):
    """One contiguous memory. `kind` says what may live there: code and constants, or variables."""

    name: str
    kind: Literal["flash", "ram"]
    origin: Address
    size: Positive
    source: str


class Layout(_Strict, frozen=True):
    """Which memories the linker uses: for the vectors (`boot`), for code and constants, for variables and the stack.

    `more`: further RAM that takes what of the model does not fit `ram`, in this order.
    """

    flash: str
    ram: str
    boot: str = ""  # empty: the same as flash
    more: tuple[str, ...] = ()


class Build(_Strict, frozen=True):
    """How C becomes an image for this board."""

    compilers: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]  # candidates, best first
    install: str  # what to type when none of them is there
    flags: tuple[str, ...] = ()  # machine flags, for compiling and linking
    link_flags: tuple[str, ...] = ()  # for linking only
    optimize: str = "-O2"
    kernel_optimize: str = "-O3"


class Emulator(_Strict, frozen=True):
    """What runs the board's image: a QEMU, or a simulator that `program` builds at first use after a `recipe`.

    `icount_shift` and `tick_ns` turn the counter of a board in QEMU into instructions.
    """

    program: str
    install: str
    args: tuple[str, ...]
    source: str
    icount_shift: Annotated[int, msgspec.Meta(ge=0, le=10)] = 0  # an instruction takes 2^shift ns of guest time
    tick_ns: Annotated[float, msgspec.Meta(ge=0)] = 0.0  # period of el_hal_ticks(); 0: it counts units
    unit: Unit = "insn"  # what is counted
    recipe: str = ""  # a folder of `boards/`; "": the program itself runs the image
    version: Annotated[str, msgspec.Meta(pattern=r"^(\d+(\.\d+)*)?$")] = ""  # the oldest that knows the board; "": any


class Hal(_Strict, frozen=True):
    """The board's own C and assembly files, below `firmware/hal`, and the constants they compile against."""

    common: tuple[str, ...]
    library: tuple[str, ...] = ()  # the functions that its compiler calls by itself; none: libgcc has them
    pipe: tuple[str, ...] = ()
    uart: tuple[str, ...] = ()
    constants: dict[str, Address] = {}
    source: str = ""


class Store(_Strict, frozen=True):
    """Flash for trained weights: `pages` times `page` bytes that are erased together, from `origin` on.

    It lies outside of all memories, or at the end of the one that holds code, which is then so much smaller in a
    program that saves. `driver` are files below `firmware/hal` that implement `el/flash.h`. What QEMU needs to know of
    it is in `args`, where {file} is a file of `file_bytes` that keeps what the flash holds.
    """

    kind: Literal["flash", "ram"]  # ram: it stands in for a flash that the board or its emulator does not have
    origin: Address
    page: Positive
    pages: Annotated[int, msgspec.Meta(ge=2)]
    unit: Annotated[int, msgspec.Meta(gt=0, le=64)]  # bytes that are programmed together, a power of two
    endurance: Positive  # erases of a page that the datasheet promises
    driver: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    source: str
    erased: Annotated[int, msgspec.Meta(ge=0, le=255)] = 255  # what an erased byte reads as
    args: tuple[str, ...] = ()
    file_bytes: Annotated[int, msgspec.Meta(ge=0)] = 0
    options: dict[str, str] = {}  # further lines of platformio.ini in a program that saves

    @property
    def size(self) -> int:
        """All its bytes."""
        return self.page * self.pages

    @property
    def volatile(self) -> bool:
        """Whether it loses what it holds when the power, or the emulator, goes."""
        return self.kind == "ram" and not self.file_bytes


class Link(_Strict, frozen=True):
    """How bytes reach the board.

    `mux` puts QEMU's multiplexer before the UART: it keeps 32 bytes at hand, where a UART without a FIFO is otherwise
    fed one byte a pass of QEMU's main loop (measured: 200 kB/s instead of 20).
    """

    carriers: Annotated[tuple[Carrier, ...], msgspec.Meta(min_length=1)]  # the first is the default
    mux: bool = False
    baud: Positive = 115200


class PlatformIO(_Strict, frozen=True):
    """How PlatformIO knows the board: its development platform with a version, its board id, and the framework.

    Without a framework the image is ours from the first instruction on, with our linker script; with one, the framework
    starts up, owns the linker script, and calls us.
    """

    platform: Annotated[str, msgspec.Meta(pattern=r"\S")]  # `ststm32@19.0.0`, or the URL of one
    board: Annotated[str, msgspec.Meta(pattern=r"^\S+$")]
    source: str
    framework: Literal["", "arduino", "espidf"] = ""
    options: dict[str, str] = {}  # further lines of the environment in platformio.ini, such as `upload_protocol`


UsbId = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-F]{4}:[0-9A-F]{4}$")]


class Usb(_Strict, frozen=True):
    """What the board, or the adapter on it, says it is on USB: `VID:PID` in capital hex digits."""

    ids: Annotated[tuple[UsbId, ...], msgspec.Meta(min_length=1)]
    source: str


class Board(_Strict, frozen=True):
    """One target. `runtime_ram` is .data plus .bss of the runtime: no model arrays, no stack."""

    id: str
    description: str
    arch: Literal["arm", "riscv", "xtensa", "host"]
    cpu: str
    source: str
    kernels: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]  # ISAs, preferred first
    stack: Positive  # bytes, of all harts together
    runtime_ram: Annotated[int, msgspec.Meta(ge=0)]
    memory: tuple[Memory, ...]
    layout: Layout
    build: Build
    hal: Hal
    link: Link
    emulator: Emulator | None = None
    platformio: PlatformIO | None = None
    usb: Usb | None = None
    store: Store | None = None
    harts: Positive = 1
    costs: str = ""  # the board with the same core whose recorded costs hold here too; "": its own, if there are any

    def region(self, name: str) -> Memory:
        """The memory called `name`; the loader has checked that the layout's names exist."""
        return next(m for m in self.memory if m.name == name)

    @property
    def boot(self) -> Memory:
        """The memory that holds the vectors."""
        return self.region(self.layout.boot or self.layout.flash)

    @property
    def flash(self) -> Memory:
        """The memory that holds code and constants."""
        return self.region(self.layout.flash)

    @property
    def ram(self) -> Memory:
        """The memory that holds variables and the stack."""
        return self.region(self.layout.ram)

    @property
    def rams(self) -> tuple[Memory, ...]:
        """All RAM that a model may use, the main one first."""
        return (self.ram, *(self.region(name) for name in self.layout.more))

    @property
    def flash_bytes(self) -> int:
        """Room for code and constants."""
        return self.flash.size

    @property
    def ram_bytes(self) -> int:
        """Room for weights, state, arena, runtime and stack together."""
        return sum(memory.size for memory in self.rams)

    @property
    def ram_for_model(self) -> int:
        """What the runtime and the stack leave to the model."""
        return self.ram_bytes - self.runtime_ram - self.stack

    @property
    def carrier(self) -> str:
        """The carrier used when none is asked for."""
        return self.link.carriers[0]

    @property
    def emulated(self) -> bool:
        """True where QEMU or a simulator runs the image."""
        return self.emulator is not None

    @property
    def real(self) -> bool:
        """True where there is silicon, and PlatformIO to load it; QEMU may model it all the same."""
        return self.platformio is not None

    def on_silicon(self) -> Board:
        """The board itself, where QEMU could run the same image."""
        return msgspec.structs.replace(self, emulator=None)

    @property
    def framework(self) -> str:
        """The framework that starts the board up and that only PlatformIO can build; "": the image is ours."""
        return self.platformio.framework if self.platformio else ""

    @property
    def bare(self) -> bool:
        """True where the image is ours from the first instruction on: our start-up code and our linker script."""
        return self.arch != "host" and not self.framework

    @property
    def simulated(self) -> bool:
        """True where a simulator runs the image, cycle by cycle: exact, and a thousand times slower than QEMU."""
        return self.emulator is not None and bool(self.emulator.recipe)

    @property
    def unit(self) -> Unit:
        """What figures of this board are in: silicon counts cycles."""
        if self.emulator:
            return self.emulator.unit
        return "cycles" if self.real else "insn"


def available() -> list[str]:
    """Ids of all boards that come with edgelearn, sorted."""
    return sorted(path.stem for path in boards_dir().glob("*.toml"))


def load(id_or_path: str | Path) -> Board:
    """The board with this id, or the one described by a TOML file of the user's own."""
    text = str(id_or_path)
    if text.endswith(".toml") or "/" in text:
        path = Path(text)
        if not path.is_file():
            raise InputError(f"board file {text} does not exist")
        return _read(path)
    path = boards_dir() / f"{text}.toml"
    known = available()
    if text not in known:
        near = difflib.get_close_matches(text, known, n=3, cutoff=0.4)
        raise InputError(
            f"there is no board '{text}'",
            hint=f"did you mean {' or '.join(near)}?" if near else f"boards are {', '.join(known)}",
        )
    return _read(path)


def to_json(board: Board) -> str:
    """A board as text that `from_json` reads, to lie beside what was built for it."""
    return msgspec.json.format(msgspec.json.encode(board), indent=1).decode() + "\n"


def from_json(text: bytes) -> Board:
    """The board that `to_json` wrote; ValueError if it is none."""
    return msgspec.json.decode(text, type=Board)


def _read(path: Path) -> Board:
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"board file is not valid TOML: {error}", where=str(path)) from None
    if "id" in raw:
        raise InputError("the id of a board is its file name", where=f"{path}: id", hint="delete the key 'id'")
    raw["id"] = path.stem
    try:
        board = msgspec.convert(raw, Board)
    except msgspec.ValidationError as error:
        raise _explain(path, str(error), raw) from None
    _check(path, board)
    return board


def _explain(path: Path, message: str, raw: dict[str, Any]) -> InputError:
    """msgspec says "Expected `int`, got `str` - at `$.memory[0].size`": split it into what and where."""
    what, _, place = message.partition(" - at `$")
    key = place.rstrip("`").lstrip(".")
    what = what[:1].lower() + what[1:]
    unknown = re.search(r"unknown field `(\w+)`", what)
    if unknown:
        name = unknown.group(1)
        key = f"{key}.{name}" if key else name
        return InputError(f"there is no key '{name}' in a board file", where=f"{path}: {key}")
    missing = re.search(r"missing required field `(\w+)`", what)
    if missing:
        name = missing.group(1)
        key = f"{key}.{name}" if key else name
        return InputError(f"key '{name}' is missing", where=f"{path}: {key}")
    return InputError(what.replace("`", "'"), where=f"{path}: {key}" if key else str(path))


def _check(path: Path, board: Board) -> None:
    """Rules between keys, which types can't say."""
    kinds = {m.name: m.kind for m in board.memory}
    layout = board.layout
    wanted = [
        ("flash", layout.flash, "flash"),
        ("ram", layout.ram, "ram"),
        *(("more", name, "ram") for name in layout.more),
    ]
    for key, name, kind in [*wanted, *([("boot", layout.boot, "flash")] if layout.boot else [])]:
        if kinds.get(name) != kind:
            raise InputError(f"'{name}' is not a memory of kind {kind}", where=f"{path}: layout.{key}")
    if len({layout.ram, *layout.more}) <= len(layout.more):
        raise InputError("a memory is named twice", where=f"{path}: layout.more")
    regions = sorted(board.memory, key=lambda m: m.origin)
    for low, high in pairwise(regions):
        if board.arch != "host" and low.origin + low.size > high.origin:
            raise InputError(f"memories '{low.name}' and '{high.name}' overlap", where=f"{path}: memory")
    if board.store:
        _check_store(path, board, board.store)
    _check_files(path, board)
    for carrier in board.link.carriers:
        if not getattr(board.hal, carrier):
            raise InputError(f"carrier '{carrier}' has no HAL files", where=f"{path}: hal.{carrier}")
    if board.arch != "host" and board.stack % 16:
        raise InputError("the stack is not a multiple of 16 bytes", where=f"{path}: stack")
    if board.stack % (16 * board.harts):
        raise InputError(f"{board.harts} harts do not get the same multiple of 16 bytes", where=f"{path}: stack")
    if board.ram.size <= board.stack + board.runtime_ram:
        raise InputError("stack and runtime leave no RAM to a model", where=f"{path}: stack")


def _check_files(path: Path, board: Board) -> None:
    """The C that a board names is there."""
    named = {f"hal.{key}": getattr(board.hal, key) for key in ("common", "library", "pipe", "uart")}
    for key, files in {**named, "store.driver": board.store.driver if board.store else ()}.items():
        for name in files:
            if not (firmware_dir() / "hal" / name).is_file():
                raise InputError(
                    f"there is no file {name} in firmware/hal",
                    where=f"{path}: {key}",
                    hint="the files of other boards are in boards/; C of your own goes into the src/ of a build",
                )


def _check_store(path: Path, board: Board, store: Store) -> None:
    if store.unit & (store.unit - 1) or store.page % store.unit:
        raise InputError("the unit is no power of two that divides a page", where=f"{path}: store.unit")
    if store.origin % store.unit:
        raise InputError("the store does not begin at a unit", where=f"{path}: store.origin")
    if board.arch != "host" and bool(store.file_bytes) != any("{file}" in arg for arg in store.args):
        raise InputError("a file needs its size and a place in args", where=f"{path}: store.file_bytes")
    end = store.origin + store.size
    for memory in board.memory if board.arch != "host" else ():
        behind = memory is board.flash and end == memory.origin + memory.size and store.origin > memory.origin
        if store.origin < memory.origin + memory.size and memory.origin < end and not behind:
            raise InputError(f"the store overlaps memory '{memory.name}'", where=f"{path}: store.origin")
