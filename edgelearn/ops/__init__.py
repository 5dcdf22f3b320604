"""All ops, one file each. A module of this package, or of one inside, that defines OPS is registered by being here."""

from __future__ import annotations

import importlib
import pkgutil

from edgelearn.ops.base import Arrays, Attrs, Example, Kind, Op, Shape, Tape
from edgelearn.ops.half import halves
from edgelearn.ops.pam import affine

OPS: dict[str, Op] = {}
for _module in sorted(m.name for m in pkgutil.walk_packages(__path__, f"{__name__}.") if not m.ispkg):
    for _op in getattr(importlib.import_module(_module), "OPS", ()):
        OPS[_op.name] = _op
for _op in (*halves(OPS.values()), *affine(OPS.values())):
    OPS[_op.name] = _op

__all__ = ["OPS", "Arrays", "Attrs", "Example", "Kind", "Op", "Shape", "Tape"]
