"""Model files in, device graphs out."""

from __future__ import annotations

from pathlib import Path

from edgelearn.errors import InputError
from edgelearn.graph import Graph

_TFLITE = b"TFL3"  # at offset 4 of every TensorFlow Lite file


def load(path: str | Path) -> Graph:
    """The device graph of a model file, chosen by its suffix and content.

    InputError if the file does not exist, is of a kind that is not supported, or can't be imported.
    """
    path = Path(path)
    # A pipe or a device may never come to an end, or never give a byte.
    if path.exists() and not path.is_file():
        raise InputError("not a file", where=str(path))
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"can't read the model: {reason}", where=str(path)) from None
    # Imported here: the packages that read models take longer to load than most commands take to run.
    if start[4:] == _TFLITE or path.suffix.lower() in (".tflite", ".lite"):
        from edgelearn.importers.tflite import load_tflite

        return load_tflite(path)
    kind = _KINDS.get(path.suffix.lower())
    if kind:
        raise InputError(f"{kind} can't be imported", where=path.name, hint="export the model as ONNX")
    from edgelearn.importers.onnx import load_onnx

    return load_onnx(path)


_KINDS = {
    ".pt": "a PyTorch checkpoint",
    ".pth": "a PyTorch checkpoint",
    ".h5": "a Keras model",
    ".keras": "a Keras model",
    ".pb": "a TensorFlow graph",
    ".safetensors": "a file of weights without a network",
}
