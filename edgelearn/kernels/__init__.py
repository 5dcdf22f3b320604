"""Which kernels exist: a module for each instruction set. Its `TABLE` says for every step of an op and number format
the C file that defines it, the shapes it supports and the scratch memory it wants.

`select` walks a board's preferred instruction sets and falls back to "ref", which supports everything. A shape is the
mapping that `Op.sizes` gives: the fields of `el_window`, or in/out, rows/channels, count. A module of this package that
defines TABLE is registered by being here; NEEDS names the files that its own call into.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Sequence

from edgelearn.errors import InternalError
from edgelearn.kernels.base import PORTABLE, REF, Entry, Kernel, Sizes, no_scratch

_MODULES = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]

IN_FLOATS = (*PORTABLE, "thumb", "thumb_m4")  # instruction sets that store halves and compute floats

TABLE: tuple[Entry, ...] = tuple(entry for module in _MODULES for entry in getattr(module, "TABLE", ()))
NEEDS: dict[str, tuple[str, ...]] = {k: v for m in _MODULES for k, v in getattr(m, "NEEDS", {}).items()}

_INDEX = {(e.step, e.fmt, e.isa): e for e in TABLE}


def find(op_step: str, fmt: str, isa: str) -> Entry | None:
    """The table's row for one implementation, or None."""
    return _INDEX.get((op_step, fmt, isa))


def implementations(op_step: str, fmt: str, isas: Sequence[str], shape: Sizes) -> list[Kernel]:
    """The kernels for one step (`conv2d_fwd`) of all `isas` that have it for this shape, in their order; the reference
    comes last. InternalError where there is none.
    """
    rows = [find(op_step, fmt, isa) for isa in dict.fromkeys((*isas, REF))]
    found = [entry.bind(shape) for entry in rows if entry is not None and entry.takes(shape)]
    if not found:
        raise InternalError(f"no kernel for {op_step} in {fmt}", hint="add it to a module of edgelearn/kernels")
    return found


def select(op_step: str, fmt: str, isas: Sequence[str], shape: Sizes) -> Kernel:
    """The first of `implementations`: what a board prefers, whatever it costs."""
    return implementations(op_step, fmt, isas, shape)[0]


def sources(chosen: Iterable[Kernel]) -> list[str]:
    """The C files, relative to firmware/, that an image with these kernels compiles; sorted."""
    own = {kernel.source for kernel in chosen}
    return sorted(own | {needed for source in own for needed in NEEDS.get(source, ())})


def runnable(isas: Iterable[str]) -> list[Entry]:
    """The rows that a board with these instruction sets can run: its own, and those in portable C."""
    wanted = {*isas, *PORTABLE}
    return [entry for entry in TABLE if entry.isa in wanted]


__all__ = [
    "IN_FLOATS", "NEEDS", "PORTABLE", "REF", "TABLE", "Entry", "Kernel", "Sizes", "find", "implementations",
    "no_scratch", "runnable", "select", "sources",
]  # fmt: skip
