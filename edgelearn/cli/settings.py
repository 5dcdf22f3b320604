"""What the user asked for: edgelearn.toml in the current folder, overridden by flags."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from edgelearn.boards import Unit
from edgelearn.config import TrainConfig, from_mapping
from edgelearn.errors import InputError, UsageError, nearest

if TYPE_CHECKING:
    from edgelearn.boards import Board

FILE = "edgelearn.toml"
DEFAULT_BOARD = "qemu-m4"
WHAT_TRAINS = ("method", "train", "blocks")
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Frozen, and strict about unknown keys."""


class Limits(_Strict, frozen=True):
    """`[limits]`: less memory than the board has, in bytes or as '64K'."""

    ram: int | str | None = None
    flash: int | str | None = None
    small: bool = False  # kernels in portable C alone


class Checks(_Strict, frozen=True):
    """`[test]`: what `edgelearn test` holds."""

    min_accuracy: Share | None = None
    max_loss: Annotated[float, msgspec.Meta(ge=0)] | None = None
    max_ram: int | str | None = None
    max_flash: int | str | None = None
    max_insn: Annotated[int, msgspec.Meta(gt=0)] | None = None
    max_cycles: Annotated[int, msgspec.Meta(gt=0)] | None = None

    def most(self, unit: Unit) -> int | None:
        """The limit for a training sample in this unit."""
        return {"insn": self.max_insn, "cycles": self.max_cycles}[unit]


class Settings(_Strict, frozen=True):
    """The whole file. Paths are relative to it."""

    model: str | None = None
    data: str | None = None
    board: str | None = None
    carrier: str | None = None
    out: str | None = None
    sensor: str | None = None
    bake: bool = False
    train: dict[str, Any] = {}
    limits: Limits = Limits()
    test: Checks = Checks()


@dataclass(frozen=True)
class Job:
    """Everything a command has to know; `checks` hold sizes in bytes. `named`: somebody said what trains."""

    model: Path
    data: Path | None
    board: Board
    carrier: str | None
    out: Path
    config: TrainConfig
    ram: int | None
    flash: int | None
    checks: Checks
    named: bool = True
    sensor: Path | None = None  # a C file with el_port_sample
    bake: bool = False  # the samples lie in flash


def parse_size(text: int | str) -> int:
    """Bytes out of 65536, '64K' or '1M' (K is 1024); ValueError with a sentence if it is none."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KkMm]?)(?:i?[Bb])?", str(text).strip())
    value = float(match[1]) * {"": 1, "k": 1024, "m": 1024 * 1024}[match[2].lower()] if match else 0
    if value <= 0 or value != int(value):
        raise ValueError(f"'{text}' is no size; sizes are like 65536, 64K or 1M")
    return int(value)


def read_settings(folder: Path) -> Settings:
    """The settings in a folder's edgelearn.toml; none if there is no such file."""
    path = folder / FILE
    if not path.is_file():
        return Settings()
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"the settings are not valid TOML: {error}", where=FILE) from None
    except OSError as error:
        raise InputError(f"can't read the settings: {(error.strerror or str(error)).lower()}", where=FILE) from None
    try:
        return msgspec.convert(raw, Settings)
    except msgspec.ValidationError as error:
        raise _explain(str(error)) from None


def _explain(message: str) -> InputError:
    """msgspec says "Expected `int`, got `str` - at `$.limits.ram`": the key goes to where, the rest is the message."""
    what, _, place = message.partition(" - at `$")
    key = place.rstrip("`").lstrip(".")
    unknown = re.search(r"unknown field `(\w+)`", what)
    if unknown:
        sections: dict[str, type[_Strict]] = {"limits": Limits, "test": Checks}
        section = sections.get(key, Settings)
        key = f"{key}.{unknown[1]}" if key else unknown[1]
        near = nearest(unknown[1], section.__struct_fields__)
        hint = f"did you mean {near}? " if near else ""
        return InputError(
            f"there is no setting '{unknown[1]}'",
            where=f"{FILE}: {key}",
            hint=f"{hint}the settings here are {', '.join(section.__struct_fields__)}",
        )
    what = (what[:1].lower() + what[1:]).replace("`", "'")
    return InputError(what, where=f"{FILE}: {key}" if key else FILE)


def _size(value: int | str | None, key: str) -> int | None:
    try:
        return None if value is None else parse_size(value)
    except ValueError as error:
        raise InputError(str(error), where=f"{FILE}: {key}") from None


def _config(settings: Settings, flags: dict[str, Any]) -> TrainConfig:
    config = from_mapping(settings.train, f"{FILE}: train")
    chosen = {name: flags.get(name) for name in TrainConfig.__struct_fields__}
    if all(value is None for value in chosen.values()):
        return config
    if (
        chosen["optimizer"] == "sgd"
        and chosen["momentum"] is None
        and config.optimizer != "sgd"
        and "momentum" not in settings.train
    ):
        chosen["momentum"] = 0.0  # Adam's default is not SGD's
    if chosen["method"] is not None and chosen["method"] != config.method:
        from edgelearn.methods import METHODS, OPTIONS

        for name in set(OPTIONS) - set(METHODS[chosen["method"]].options):
            if chosen[name] is None:
                chosen[name] = getattr(TrainConfig(), name)  # what the file says is for its own method
    try:
        return config.with_changes(**chosen)
    except InputError as error:
        raise UsageError(error.message, where=error.where, hint=error.hint) from None


def board_named(name: str) -> Board:
    """The board that a flag names; UsageError if there is none, InputError if its own file is wrong."""
    from edgelearn import boards

    try:
        return boards.load(name)
    except InputError as error:
        if error.where is not None:
            raise
        raise UsageError(error.message, hint=error.hint) from None


def _board(flag: str | None, settings: Settings) -> Board:
    if flag is not None or settings.board is None:
        return board_named(flag or DEFAULT_BOARD)
    try:
        return board_named(settings.board)
    except UsageError as error:
        raise InputError(error.message, where=f"{FILE}: board", hint=error.hint) from None


def _portable(board: Board) -> Board:
    """The board without kernels for its own instruction set, which are several times the code of those in plain C."""
    from edgelearn.kernels.base import PORTABLE

    return msgspec.structs.replace(board, kernels=tuple(isa for isa in board.kernels if isa in PORTABLE))


def project_settings(project: str | None) -> tuple[Path, Settings]:
    """The folder of a project, this one if none is named, and its settings; UsageError if the named one is none."""
    folder = Path(project or ".")
    if project and not (folder / FILE).is_file():
        raise UsageError(f"there is no {FILE} in {folder}")
    return folder, read_settings(folder)


def make_job(flags: dict[str, Any]) -> Job:
    """Flags over the file over the defaults. UsageError if no model is named anywhere."""
    folder, settings = project_settings(flags.get("project"))
    model = flags.get("model") or (folder / settings.model if settings.model else None)
    if model is None:
        raise UsageError(
            "no model is given",
            where=FILE if (folder / FILE).is_file() else None,
            hint="name an ONNX or TensorFlow Lite file, or start a project with: edgelearn new demo --example wearable",
        )
    data = flags.get("data") or (folder / settings.data if settings.data else None)
    out = flags.get("out") or (folder / settings.out if settings.out else None)
    sensor = flags.get("sensor_file") or (folder / settings.sensor if settings.sensor else None)
    if flags.get("bake_file"):
        data = flags["bake_file"]
    board = _board(flags.get("board"), settings)
    small = settings.limits.small if flags.get("small") is None else flags["small"]
    checks = {name: flags.get(name) for name in Checks.__struct_fields__}
    for name, value in checks.items():
        given = getattr(settings.test, name)
        if value is None and given is not None:
            checks[name] = _size(given, f"test.{name}") if name in ("max_ram", "max_flash") else given
    return Job(
        model=Path(model),
        data=Path(data) if data else None,
        board=_portable(board) if small else board,
        carrier=flags.get("carrier") or settings.carrier,
        out=Path(out) if out else folder / "out",
        config=_config(settings, {**flags, "sensor": True} if sensor else flags),
        ram=flags.get("ram") or _size(settings.limits.ram, "limits.ram"),
        flash=flags.get("flash") or _size(settings.limits.flash, "limits.flash"),
        checks=Checks(**checks),
        sensor=Path(sensor) if sensor else None,
        bake=bool(flags.get("bake_file")) or settings.bake,
        named=any(flags.get(name) is not None or name in settings.train for name in WHAT_TRAINS),
    )
