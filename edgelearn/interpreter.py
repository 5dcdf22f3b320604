"""Runs a model file as its own runtime would: for the accuracy of exported files, never to import them.

The runtimes are optional: `open_interpreter` says in a ToolError what to type where the one that a file needs is not
installed.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from edgelearn.errors import InputError, ToolError

# Either will do; the first is the one that is maintained.
PACKAGES = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")
ONNX_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}


class Predictor(Protocol):
    """A model file that predicts; `runtime` names who computes."""

    runtime: str

    def predict(self, samples: np.ndarray) -> np.ndarray:
        """Predictions for samples (N, ...) in the user's layout; real numbers in and out."""


def open_interpreter(path: str | Path, batch: tuple[int, int] = (0, 0)) -> Predictor:
    """The runtime of a file, TensorFlow Lite by its plain kernels or ONNX, ready to predict.

    `batch` is the axis of an ONNX file's input that is the batch, and that of its output.

    ToolError if that runtime is not installed, InputError if it refuses the file.
    """
    with Path(path).open("rb") as file:
        kind = file.read(8)[4:]
    return Interpreter(path, reference=True) if kind == b"TFL3" else OnnxInterpreter(path, batch)


class Interpreter:
    """A file, loaded and ready to predict, as many samples at a time as its batch has.

    With `reference` the runtime's plain kernels compute, whose integers are those of TensorFlow Lite for
    Microcontrollers; its faster ones may differ from them. With `keep`, `value` can read every tensor. ToolError if no
    runtime is installed, InputError if the runtime refuses the file.
    """

    def __init__(self, path: str | Path, *, reference: bool = False, keep: bool = False) -> None:
        runtime = _runtime()
        self._where = Path(path).name
        options: dict[str, Any] = {"num_threads": 1}
        kinds = getattr(runtime, "OpResolverType", None)
        if reference and kinds is not None:
            options["experimental_op_resolver_type"] = kinds.BUILTIN_REF
        if keep:
            options["experimental_preserve_all_tensors"] = True
        try:
            self._interpreter = runtime.Interpreter(model_path=str(path), **options)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError, OSError) as error:
            reason = (str(error).strip().splitlines() or ["no reason given"])[0]
            raise InputError(
                "the TensorFlow Lite runtime refuses the model", where=self._where, details=(reason[:200],)
            ) from None
        self.runtime = "LiteRT" if runtime.__name__ == PACKAGES[0] else "tflite-runtime"
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]

    @property
    def step(self) -> float:
        """One quantisation step of the output; 0 where it is float."""
        return float(self._output["quantization"][0]) if self._output["dtype"] != np.float32 else 0.0

    def predict(self, samples: np.ndarray) -> np.ndarray:
        """Predictions for samples (N, ...) in the user's layout; real numbers in and out, also for int8 models."""
        return _in_batches(np.asarray(samples, np.float32), max(1, int(self._input["shape"][0])), self._some)

    def value(self, index: int) -> np.ndarray:
        """Tensor `index` of the file as real numbers, after a prediction."""
        detail = next(d for d in self._interpreter.get_tensor_details() if d["index"] == index)
        return _decode(self._interpreter.get_tensor(index), detail)

    def _some(self, samples: np.ndarray) -> np.ndarray:
        value = samples.reshape(tuple(int(n) for n in self._input["shape"]))
        self._interpreter.set_tensor(self._input["index"], _encode(value, self._input))
        self._interpreter.invoke()
        found = np.asarray(_decode(self._interpreter.get_tensor(self._output["index"]), self._output))
        if len(found) != len(samples):
            raise _not_one_each(samples, found, self._where)
        return found


class OnnxInterpreter:
    """An ONNX file of one input and one output in onnxruntime; `batch` says which axis of either is the batch.

    It gets one sample at a time, or as many as the file's batch has where that is fixed.
    ToolError if onnxruntime is not installed, InputError if it refuses the file or a sample.
    """

    def __init__(self, path: str | Path, batch: tuple[int, int] = (0, 0)) -> None:
        self._batch = batch
        try:
            ort = importlib.import_module("onnxruntime")
        except ModuleNotFoundError:
            raise ToolError("onnxruntime is not installed", hint="pip install 'edgelearn[ort]'") from None
        self._where = Path(path).name
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4  # what it thinks of a file of the user's is no news to the user
        # Its exceptions have no common base but Exception.
        try:
            self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise self._refused(error) from None
        self.runtime = "onnxruntime"
        self._input = self._session.get_inputs()[0]
        if self._input.type not in ONNX_TYPES:
            raise InputError(f"its input is {self._input.type}, not real numbers", where=self._where)

    def predict(self, samples: np.ndarray) -> np.ndarray:
        """Predictions for samples (N, ...) in the user's layout, without the batch axis of 1 if the model has one."""
        values = np.asarray(samples, ONNX_TYPES[self._input.type])
        sizes = self._input.shape
        if len(sizes) < values.ndim:  # no batch axis at all
            return np.stack([self._run(value) for value in values])
        fixed = sizes[self._batch[0]]
        return _in_batches(values, fixed if isinstance(fixed, int) and fixed > 0 else 1, self._some)

    def _some(self, values: np.ndarray) -> np.ndarray:
        found = self._run(np.moveaxis(values, 0, self._batch[0]))
        if found.ndim > self._batch[1] and found.shape[self._batch[1]] == len(values):
            return np.moveaxis(found, self._batch[1], 0)
        if len(values) == 1:
            return found.reshape(1, -1)
        raise _not_one_each(values, found, self._where)

    def _run(self, value: np.ndarray) -> np.ndarray:
        try:
            (found,) = self._session.run(None, {self._input.name: np.ascontiguousarray(value)})
        except Exception as error:
            raise self._refused(error) from None
        return np.asarray(found, np.float32)

    def _refused(self, error: Exception) -> InputError:
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        return InputError("onnxruntime refuses the model", where=self._where, details=(reason[:200],))


def _not_one_each(samples: np.ndarray, found: np.ndarray, where: str) -> InputError:
    return InputError(f"{len(samples)} samples give an output of the shape {found.shape}: not one each", where=where)


def _in_batches(samples: np.ndarray, size: int, predict: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Predictions for all samples by a function for `size` of them; the last sample fills up the last batch."""
    found = []
    for start in range(0, len(samples), size):
        part = samples[start : start + size]
        filled = np.concatenate((part, np.repeat(part[-1:], size - len(part), axis=0)))
        found.append(predict(filled)[: len(part)])
    return np.concatenate(found)


def _encode(value: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    dtype = np.dtype(detail["dtype"])
    if dtype == np.float32:
        return value
    scale, zero_point = detail["quantization"]
    limits = np.iinfo(dtype)
    ratio = value / np.float32(scale)
    rounded = np.copysign(np.floor(np.abs(ratio) + np.float32(0.5)), ratio)  # as QUANTIZE does: ties away from zero
    return np.asarray(np.clip(rounded + zero_point, limits.min, limits.max), dtype)


def _decode(value: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    if value.dtype == np.float32:
        return np.array(value)
    scale, zero_point = detail["quantization"]
    return np.asarray(scale * (value.astype(np.float64) - zero_point), np.float32)


def _runtime() -> Any:
    for name in PACKAGES:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise ToolError(
        "no TensorFlow Lite runtime is installed", hint="pip install 'edgelearn[litert]'"
    )  # fmt: skip
