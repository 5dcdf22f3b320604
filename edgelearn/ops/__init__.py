"""All ops, one file each. A module of this package that defines OPS is registered by being here."""

from __future__ import annotations

import importlib
import pkgutil

from edgelearn.ops.base import Arrays, Attrs, Example, Kind, Op, Shape, Tape

OPS: dict[str, Op] = {}
for _module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
    for _op in getattr(importlib.import_module(f"{__name__}.{_module}"), "OPS", ()):
        OPS[_op.name] = _op

__all__ = ["OPS", "Arrays", "Attrs", "Example", "Kind", "Op", "Shape", "Tape"]
