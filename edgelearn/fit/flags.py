"""Settings as the flags, or the lines of edgelearn.toml, that reproduce them."""

from __future__ import annotations

import shlex
from typing import Any

import msgspec

from edgelearn.config import TrainConfig


def changed(base: TrainConfig, config: TrainConfig) -> dict[str, Any]:
    """The settings of `config` that differ from those of `base`."""
    ours, theirs = msgspec.structs.asdict(config), msgspec.structs.asdict(base)
    return {key: value for key, value in ours.items() if value != theirs[key]}


def flags_of(base: TrainConfig, config: TrainConfig) -> str:
    """The flags that make `config` of `base`; empty where they are the same."""
    words = []
    for key, value in changed(base, config).items():
        flag = f"--{key.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(flag if value else OFF[key])
        else:
            words.append(f"{flag} {shlex.quote(f'{value:g}' if isinstance(value, float) else str(value))}")
    return " ".join(words)


OFF = {"fold_norms": "--keep-norms", "int8_prefix": "--float-prefix"}
