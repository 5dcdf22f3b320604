"""The note in a file's metadata that says which weights are signed powers of two: JSON, {initializer: {bits, k}}."""

from __future__ import annotations

import json

import onnx

from edgelearn.formats import SHIFTS

KEY = "edgelearn.shift"
MOST = 126  # k: further down the powers are no normal floats


def marks(model: onnx.ModelProto) -> dict[str, tuple[int, int]] | None:
    """Bits and k of each initializer that the note names; None where there is a note that is not like that."""
    text = next((entry.value for entry in model.metadata_props if entry.key == KEY), "{}")
    try:
        found = {str(name): (int(e["bits"]), int(e["k"])) for name, e in json.loads(text).items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return found if all(bits in SHIFTS and abs(k) <= MOST - 8 for bits, k in found.values()) else None


def note(found: dict[str, tuple[int, int]]) -> str:
    """The text of a note."""
    return json.dumps({name: {"bits": bits, "k": k} for name, (bits, k) in found.items()}, sort_keys=True)
