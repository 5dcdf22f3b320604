"""Weights that an ONNX model keeps in files beside it, as torch's exporter does: read into the model, within bounds.

A file is a stranger's, and so is where it says that its weights are: nothing outside its own folder is opened.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
import onnx

from edgelearn.errors import InputError
from edgelearn.importers.onnx.names import printable

HINT = "keep the model and its weights together in one folder, or write one file: onnx.save(onnx.load(path), path)"
MOST_AXES = 16
_HALF_BYTES = {onnx.TensorProto.UINT4, onnx.TensorProto.INT4}


def take_in(model: onnx.ModelProto, path: Path, most: int) -> None:
    """Puts the weights that the model at `path` keeps in other files into `model`, at most `most` bytes in all.

    InputError if such a file is missing, is not in the model's folder or below it, or has not the bytes that it should,
    or if there are more than `most` of them.
    """
    for tensor in _tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            data = _Outside(tensor, path).read(most)
            most -= len(data)
            tensor.raw_data = data
            tensor.ClearField("data_location")
            tensor.ClearField("external_data")


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """All stored tensors, those of graphs within nodes and of functions too."""
    graphs, nodes = [model.graph], [node for function in model.functions for node in function.node]
    while graphs or nodes:
        if graphs:
            graph = graphs.pop()
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
            nodes.extend(graph.node)
            continue
        for attribute in nodes.pop().attribute:
            yield attribute.t  # an empty one where the attribute is something else, as below
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            yield from attribute.tensors
            graphs.extend((attribute.g, *attribute.graphs))


class _Outside:
    """One tensor whose bytes are in another file."""

    def __init__(self, tensor: onnx.TensorProto, path: Path) -> None:
        self.tensor, self.folder, self.where = tensor, path.parent, path.name
        self.name = printable(tensor.name) or "(no name)"
        found = {entry.key: entry.value for entry in tensor.external_data}
        # The parser hands text that is not UTF-8 over as bytes.
        if any(isinstance(text, bytes) for pair in found.items() for text in pair):
            raise self._wrong("is damaged: where its bytes are can't be read")
        self.location = found.get("location", "")
        self.offset = self._number(found.get("offset", "0"))
        self.length = self._number(found["length"]) if "length" in found else None

    def read(self, most: int) -> bytes:
        """The tensor's bytes; InputError if it has not as many as its shape needs, or more than `most`."""
        file, needed = self._file(), self._needed()
        shown = printable(self.location)
        try:
            if not file.is_file():
                raise self._wrong(f"is kept in '{shown}', which is not there", HINT)
            size = file.stat().st_size
            length = size - self.offset if self.length is None else self.length
            if length < 0 or self.offset + length > size:
                raise self._wrong(f"lies beyond the end of '{shown}', which has {size} bytes and may be cut short")
            if length != needed:
                raise self._wrong(f"is damaged: {length} bytes in '{shown}' for {needed} that its shape needs")
            if length > most:
                raise self._wrong(f"in '{shown}' makes the model larger than the limit, by {length - most} bytes")
            with file.open("rb") as stream:
                stream.seek(self.offset)
                data = stream.read(length)
        except (OSError, ValueError) as error:
            reason = (getattr(error, "strerror", None) or "no such file can exist").lower()
            raise self._wrong(f"is kept in '{shown}', which can't be read: {reason}", HINT) from None
        if len(data) != length:
            raise self._wrong(f"lies beyond the end of '{shown}'")
        return data

    def _file(self) -> Path:
        """Where the bytes are; InputError if that is outside the model's folder, be it by a symbolic link."""
        kinds = PurePosixPath(self.location), PureWindowsPath(self.location)
        leaves = any(kind.anchor or ".." in kind.parts for kind in kinds)
        try:
            folder = self.folder.resolve()
            file = folder if leaves or not self.location else (folder / self.location).resolve()
            inside = file != folder and file.is_relative_to(folder)
        except (OSError, RuntimeError, ValueError):  # links in a circle, names that no file can have
            inside = False
        if not inside:
            raise self._wrong(f"is kept in '{printable(self.location)}', which is outside the model's folder", HINT)
        return file

    def _needed(self) -> int:
        if any(n < 0 for n in self.tensor.dims) or len(self.tensor.dims) > MOST_AXES:
            raise self._wrong(f"has an absurd shape {tuple(self.tensor.dims)[:MOST_AXES]}")
        count = int(math.prod(self.tensor.dims))
        if self.tensor.data_type in _HALF_BYTES:
            return (count + 1) // 2
        try:
            dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(self.tensor.data_type))
        except (KeyError, ValueError, TypeError):
            dtype = np.dtype(object)
        if dtype.kind == "O":
            raise self._wrong("is damaged: what is no number can't be kept in another file")
        return count * dtype.itemsize

    def _number(self, text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            raise self._wrong(f"is damaged: '{printable(text)}' is no place in a file")
        return int(text)

    def _wrong(self, what: str, hint: str | None = None) -> InputError:
        return InputError(f"weight '{self.name}' {what}", where=self.where, hint=hint)
