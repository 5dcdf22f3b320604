"""The bytes of a model's file, and how large a file and a tensor in it may be, whatever its format."""

from __future__ import annotations

from pathlib import Path

from edgelearn.errors import InputError

MOST_BYTES = 256 << 20
MOST_ELEMENTS = 1 << 26
# Of a node that no handler's own words fit. What numpy says of it is about numpy, and no help.
MALFORMED = "is malformed: its operands and attributes do not fit together"


def content_of(path: Path, most: int) -> bytes:
    """What a file of at most `most` bytes holds; InputError if it can't be read, is no file or is larger."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise InputError("not a file", where=str(path))
        if size > most:
            raise InputError(f"the file has {size} bytes, the limit is {most}", where=path.name)
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"can't read the model: {reason}", where=str(path)) from None
