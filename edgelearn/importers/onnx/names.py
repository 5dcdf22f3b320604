"""Readable names out of a file's: C identifiers that still look like what the user wrote."""

from __future__ import annotations

import re

_WEIGHT = re.compile(r"(.+)[./](?:weight|kernel|gamma|scale)$", re.ASCII)
_LONGEST = 60


def identifier(text: str, fallback: str) -> str:
    """`text` as a C identifier of at most 60 characters, or `fallback` where nothing of it is left."""
    name = re.sub(r"[^0-9A-Za-z]+", "_", text).strip("_")[:_LONGEST].rstrip("_")
    if not name:
        return fallback
    if name[0].isdigit():
        name = f"{fallback}_{name}"
    return name


def node_name(name: str, op: str, weight: str) -> str:
    """A layer's name from its node's name, its op and the name of its first weight in the file ("" if none).

    Exporters write a path that repeats its prefix and ends in the op: `/block/block.0/conv/Conv` is
    `block_0_conv`. A weight called `conv1.weight` names its layer better than a numbered node does.
    """
    fallback = identifier(op.lower(), "node")
    match = _WEIGHT.match(weight)
    if match:
        return identifier(match.group(1), fallback)
    parts = [part for part in name.split("/") if part]
    if len(parts) > 1 and re.fullmatch(rf"{re.escape(op)}(_\d+)?", parts[-1]):
        parts.pop()
    kept = [part for k, part in enumerate(parts) if not (k + 1 < len(parts) and parts[k + 1].startswith(part))]
    if len(kept) == 1 and re.fullmatch(rf"{re.escape(op)}(_\d+)?", kept[0]):
        return identifier(kept[0].lower(), fallback)
    # torch's newer exporter calls its nodes node_relu_3, and n4 where a function was inlined.
    joined = "_".join(kept).removeprefix("node_")
    return fallback if re.fullmatch(r"[a-z]?\d+", joined) else identifier(joined, fallback)


def printable(text: str) -> str:
    """`text` fit for a terminal: one line, no control characters, at most 80 characters."""
    clean = "".join(c if c.isprintable() else "?" for c in text[:200])
    return clean if len(clean) <= 80 else f"{clean[:77]}..."
