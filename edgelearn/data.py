"""A user's samples: an npz archive with x_train, y_train, x_test, y_test, checked against the model.

Numbers are real numbers, whatever type they are stored in. One exception: where the model's own input, or for mean
squared error its output, is int8, an array of type int8 holds the model's integers, and stands for the real numbers
that they stand for.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgelearn.errors import InputError
from edgelearn.graph import Graph, Layout, Quant
from edgelearn.ops.fixed_point import HIGHEST, LOWEST
from edgelearn.passes.dequantize import real
from edgelearn.passes.samples import sample_quant
from edgelearn.verdict import takes_labels

NEEDED = ("x_train", "y_train", "x_test", "y_test")
DAMAGED = "is not an npz archive, or one that is damaged or cut short"


@dataclass(frozen=True)
class Dataset:
    """Samples in the layout of the user's model, (N, *input shape), and their targets.

    Targets are class indices (N,) int64 for the two cross-entropies, arrays (N, *output shape) for mean squared error.
    `integers` names the arrays that held the model's own integers. `phase_train` says when each training sample comes:
    those of phase 0 first; negative ones are what the model knows already and are not trained on.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: tuple[str, ...] = ()
    integers: tuple[str, ...] = ()
    phase_train: np.ndarray | None = None

    @property
    def trained(self) -> np.ndarray:
        """The indices of the samples to train on."""
        if self.phase_train is None:
            return np.arange(len(self.x_train))
        return np.flatnonzero(self.phase_train >= 0)


def load_dataset(path: str | Path, graph: Graph, loss: str) -> Dataset:
    """Read and check an archive for an imported model; InputError says which array is wrong and how, all problems at
    once.

    A missing y_* is allowed for mean squared error where the model reproduces its input (an autoencoder).
    """
    arrays = _read(Path(path))
    integers = _integer_arrays(arrays, graph, loss)
    arrays |= {name: real(arrays[name], quant) for name, quant in integers.items()}
    problems: list[str] = []
    inputs, outputs = graph.meta["input"], graph.meta["output"]
    if loss == "mse" and inputs.user_shape == outputs.user_shape:
        for part in ("train", "test"):
            arrays.setdefault(f"y_{part}", arrays.get(f"x_{part}", np.empty(0)))
    missing = [name for name in NEEDED if name not in arrays]
    if missing:
        there = ", ".join(sorted(arrays)) or "nothing"
        raise InputError(
            f"the archive lacks {', '.join(missing)}",
            where=str(path),
            hint=f"save it with numpy.savez(path, {', '.join(f'{n}=...' for n in NEEDED)}); it holds {there}",
        )
    for part in ("train", "test"):
        problems += _check_part(part, arrays, inputs, outputs, loss)
    problems += _check_phases(arrays)
    if problems:
        raise InputError("the data does not fit the model", where=str(path), details=tuple(problems))
    kind = np.int64 if takes_labels(loss) else np.float32
    return Dataset(
        x_train=arrays["x_train"].astype(np.float32),
        y_train=_targets(arrays["y_train"], kind, outputs),
        x_test=arrays["x_test"].astype(np.float32),
        y_test=_targets(arrays["y_test"], kind, outputs),
        classes=tuple(str(c) for c in arrays.get("classes", ())),
        integers=tuple(integers),
        phase_train=arrays["phase_train"].astype(np.int64) if "phase_train" in arrays else None,
    )


def has_other_targets(path: Path) -> bool:
    """Whether an archive's targets are something else than its samples.

    False where it can't be read: that is another's to report.
    """
    try:
        arrays = _read(path)
    except InputError:
        return False
    pairs = [(arrays.get(f"x_{part}"), arrays.get(f"y_{part}")) for part in ("train", "test")]
    return any(x is not None and y is not None and not np.array_equal(x, y) for x, y in pairs)


def count_samples(path: Path) -> int:
    """How many samples an archive has, those to train on and those held out; what is wrong with them is another's."""
    arrays = _read(path)
    return sum(len(arrays[name]) for name in ("x_train", "x_test") if name in arrays and arrays[name].ndim)


def _check_phases(arrays: Mapping[str, np.ndarray]) -> list[str]:
    phases = arrays.get("phase_train")
    if phases is None:
        return []
    if phases.shape != arrays["x_train"].shape[:1] or phases.dtype.kind not in "iu":
        return [
            f"phase_train has shape {phases.shape} of {phases.dtype}, it is one integer for each of"
            f" {len(arrays['x_train'])} samples"
        ]
    return [] if (phases >= 0).any() else ["phase_train is negative everywhere: nothing is left to train on"]


def _read(path: Path) -> dict[str, np.ndarray]:
    if path.exists() and not path.is_file():
        raise InputError("not a file", where=str(path))
    if not path.is_file():
        raise InputError(f"data file {path} does not exist", hint=_writing(str(path)))
    name = ""
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise InputError("the data file is a single array, not an npz archive", where=str(path), hint=_writing())
        arrays = {}
        with archive:
            for name in archive.files:
                arrays[name] = archive[name]
        return arrays
    except OSError as error:
        reason = f"can't be read: {(error.strerror or str(error)).lower()}"
    except MemoryError:
        reason = f"has more in {name} than this computer can hold"
    except ValueError as error:
        objects = name and "allow_pickle" in str(error)
        reason = f"has Python objects in {name}, and no numbers" if objects else DAMAGED
    except (EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error):
        reason = DAMAGED
    raise InputError(f"the data file {reason}", where=str(path), hint=_writing())


def _writing(path: str = "samples.npz") -> str:
    """What writes an archive; not over a file that is there and may be something else."""
    return f"numpy.savez({path!r}, {', '.join(f'{name}=...' for name in NEEDED)})"


def _integer_arrays(arrays: Mapping[str, np.ndarray], graph: Graph, loss: str) -> dict[str, Quant]:
    """The arrays that hold the model's own integers, and how these stand for real numbers."""
    ends = {"x": graph.inputs[0], "y": graph.outputs[0] if loss == "mse" else ""}
    quants = {part: graph.tensors[name].quant for part, name in ends.items() if name}
    found = {}
    for name in NEEDED:
        quant = quants.get(name[0])
        if quant is not None and name in arrays and arrays[name].dtype == np.int8:
            found[name] = quant
    return found


def beyond(x: np.ndarray, graph: Graph) -> tuple[float, tuple[float, float]] | None:
    """The share of real numbers that an int8 model's input can't hold, and the range that it can; None for float ones.

    A large share is what an archive of integers of another type than int8 looks like.
    """
    quant = sample_quant(graph)
    if quant is None:
        return None
    low, high = (float(v) for v in real(np.array([LOWEST, HIGHEST]), quant))
    half = quant.scale[0] / 2
    return float(np.mean((x < low - half) | (x > high + half))), (low, high)


def _check_part(part: str, arrays: dict[str, np.ndarray], inputs: Layout, outputs: Layout, loss: str) -> list[str]:
    x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
    problems = []
    if x.dtype.kind not in "fiub":
        problems.append(f"x_{part} holds {x.dtype}, not numbers")
    elif x.ndim and not len(x):
        problems.append(f"x_{part} holds no samples")
    elif x.shape[1:] != inputs.user_shape:
        problems.append(f"x_{part} has shape {x.shape}, the model's input {inputs.name} is (N, {_dims(inputs)})")
    elif (bad := _first_bad(x)) is not None:
        problems.append(f"x_{part} holds NaN, infinity or a value beyond float32, first in sample {bad}")
    if len(y) != len(x):
        problems.append(f"y_{part} has {len(y)} targets for {len(x)} samples")
    elif takes_labels(loss):
        problems += _check_labels(part, y, int(np.prod(outputs.user_shape)))
    elif y.dtype.kind not in "fiub":
        problems.append(f"y_{part} holds {y.dtype}, not numbers")
    elif y[:1].size != np.prod(outputs.user_shape):
        problems.append(f"y_{part} has shape {y.shape}, the model's output {outputs.name} is (N, {_dims(outputs)})")
    elif (bad := _first_bad(y)) is not None:
        problems.append(f"y_{part} holds NaN, infinity or a value beyond float32, first in sample {bad}")
    return problems


def _check_labels(part: str, y: np.ndarray, classes: int) -> list[str]:
    """Class numbers; those of a model with one score are 0 and 1, and may stand in a column."""
    single = classes == 1
    classes = max(2, classes)
    if single and y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1 or y.dtype.kind not in "biuf" or (y.dtype.kind == "f" and (y != np.floor(y)).any()):
        values = "0 or 1" if single else "whole numbers"
        other = "; --loss mse for any other number" if single else ""
        if y.ndim == 2 and y.shape[1] == classes:
            hot = y.dtype.kind in "biu" or bool(((y >= 0) & (y <= 1)).all())
            turn = f"y_{part}.argmax(axis=1) makes them of these rows"
            other = f"; {turn}" if hot else "; --loss mse trains on such rows"
        return [f"y_{part} has shape {y.shape} of {y.dtype}; labels are {values}, one a sample{other}"]
    bad = np.flatnonzero((y < 0) | (y >= classes))
    if not len(bad):
        return []
    return [
        f"y_{part} has {len(bad)} labels outside 0..{classes - 1}, first {int(y[bad[0]])} at sample {int(bad[0])}:"
        f" the model has {'one output, which tells two classes apart' if single else f'{classes} classes'}"
    ]


def _dims(layout: Layout) -> str:
    return ", ".join(map(str, layout.user_shape))


def _first_bad(array: np.ndarray) -> int | None:
    """The first sample with a value that float32 does not have."""
    with np.errstate(over="ignore"):
        flat = np.isfinite(array.reshape(len(array), -1).astype(np.float32)).all(axis=1)
    return None if flat.all() else int(np.flatnonzero(~flat)[0])


def _targets(y: np.ndarray, kind: type, outputs: Layout) -> np.ndarray:
    return y.astype(kind).reshape(len(y)) if kind is np.int64 else y.astype(kind).reshape(len(y), *outputs.user_shape)
