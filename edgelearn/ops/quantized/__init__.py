"""Ops on int8 tensors, one file each, and `RULES`, which make them of float ops on quantised tensors, by op name."""

from __future__ import annotations

import importlib
import pkgutil

from edgelearn.ops.quantized.base import Lowered, Rule, Site

RULES: dict[str, Rule] = {}
for _module in sorted(m.name for m in pkgutil.iter_modules(__path__, f"{__name__}.")):
    RULES.update(getattr(importlib.import_module(_module), "RULES", {}))

__all__ = ["RULES", "Lowered", "Rule", "Site"]
