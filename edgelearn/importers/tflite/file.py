"""A TensorFlow Lite file as plain Python values: only the parser sees the flatbuffer itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgelearn.errors import InputError
from edgelearn.importers.onnx.names import printable

MAGIC = b"TFL3"


@dataclass(frozen=True)
class Span:
    """A stretch of the file: byte offset and number of bytes."""

    offset: int
    nbytes: int


@dataclass(frozen=True, eq=False)
class FileTensor:
    """A tensor as the file states it. `data` is set for constants and is a view of the file's bytes.

    `scale` and `zero_point` are empty where the file has none; `scale_span` and `zero_span` say
    where they stand.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    type: str
    buffer: int
    data: np.ndarray | None
    span: Span | None
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int
    scale_span: Span | None
    zero_span: Span | None


@dataclass(frozen=True, eq=False)
class Operator:
    """One node; an operand of -1 is left out. `options` is None if the file has none of the op's kind."""

    index: int
    op: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, Any] | None


@dataclass(frozen=True, eq=False)
class File:
    """The main graph of a file."""

    name: str
    content: bytes
    tensors: tuple[FileTensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def check_order(file: File) -> None:
    """Every tensor is made once, and before it is read."""
    known = {-1, *file.inputs, *(t.index for t in file.tensors if t.data is not None)}
    for operator in file.operators:
        title = f"node {operator.index} ({operator.op})"
        for index in operator.inputs:
            if index not in known:
                name = printable(file.tensors[index].name)
                raise InputError(f"{title} reads '{name}', which nothing before it makes", where=file.name)
        for index in operator.outputs:
            if index in known:
                name = printable(file.tensors[index].name)
                raise InputError(f"{title} makes '{name}' a second time", where=file.name)
            known.add(index)
    for index in file.outputs:
        if index not in known:
            raise InputError(f"nothing makes the output '{printable(file.tensors[index].name)}'", where=file.name)
