"""Damaged model files for the fuzz tests: `damage` makes one out of a real file, by a seeded generator.

Half of them are damaged as bytes are (`binary`), the others keep to their format and lie inside it: a protobuf whose
fields, shapes, attributes, names and ops are others (`protobuf`), a flatbuffer whose scalars, references and tables are
others (`flatbuffer`).
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from tools.mutations.binary import mutate, splice
from tools.mutations.flatbuffer import MAGIC, mutate_flatbuffer
from tools.mutations.protobuf import mutate_protobuf

__all__ = ["MAGIC", "damage", "mutate", "mutate_flatbuffer", "mutate_protobuf", "splice"]


def damage(sources: Sequence[bytes], generator: random.Random) -> bytes:
    """One damaged copy of one of the sources, all of them ONNX or all TensorFlow Lite; some get a piece of another."""
    content = generator.choice(sources)
    inside = mutate_flatbuffer if content[4:8] == MAGIC else mutate_protobuf
    kind = generator.randrange(10)
    if kind < 5:
        return inside(content, generator.choice(sources), generator)
    if kind < 9:
        return mutate(content, generator)
    return splice(content, generator.choice(sources), generator)
