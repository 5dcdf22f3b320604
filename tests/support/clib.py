"""A plan compiled for the host and called in process, function by function."""

from __future__ import annotations

import ctypes
import functools
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from edgelearn import kernels
from edgelearn.codegen import generate
from edgelearn.native import COptim, Region
from edgelearn.ops.optimizers import Optim
from edgelearn.plan import Block, Plan
from edgelearn.share import firmware_dir

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wcast-align", "-Werror"]
FLAGS = ["-std=c11", "-O1", "-fPIC", "-I", str(firmware_dir() / "include"), *WARNINGS]


class Latent(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), *((name, ctypes.c_uint32) for name in ("count", "kept", "half")))


class ModelInfo(ctypes.Structure):
    _fields_ = (
        ("hash", ctypes.c_uint8 * 8),
        *((name, Region) for name in ("input", "target", "output", "params", "state", "store")),
        ("sample_format", ctypes.c_uint32),
        ("batch", ctypes.c_uint32),
        ("target_kind", ctypes.c_uint32),
        ("threshold", ctypes.c_float),
        ("replay", Region),
        ("stores_latents", ctypes.c_uint32),
        ("replay_slots", ctypes.c_uint32),
        ("classes", ctypes.c_uint32),
        ("latents", ctypes.POINTER(Latent)),
        ("latent_count", ctypes.c_uint32),
        ("prefix", ctypes.CFUNCTYPE(None)),
        ("head", ctypes.CFUNCTYPE(None)),
        ("scaling", ctypes.POINTER(ctypes.c_float)),
        ("half_input", ctypes.c_uint32),
    )


@functools.cache
def kernel_objects(files: tuple[str, ...]) -> str:
    """The kernels as one relocatable object, compiled once a process for each set of files."""
    folder = Path(tempfile.mkdtemp(prefix="edgelearn-kernels-"))
    objects = []
    for name in files:
        out = folder / (name.replace("/", "_") + ".o")
        subprocess.run(["gcc", *FLAGS, "-c", str(firmware_dir() / name), "-o", str(out)], check=True)
        objects.append(str(out))
    archive = folder / "kernels.a"
    subprocess.run(["ar", "rcs", str(archive), *objects], check=True)
    return str(archive)


def all_kernels() -> tuple[str, ...]:
    """The files of every kernel in portable C."""
    return tuple(sorted({entry.source for entry in kernels.runnable(())}))


class CModel:
    """The generated C of a plan; mirrors edgelearn.reference.Reference."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.settings = lambda step: Optim()
        self.step, self._seen, self._bias = 0, 0, (np.float32(0), np.float32(0))
        sources = generate(plan)
        for name, text in sources.files.items():
            (folder / name).write_text(text)
        library = folder / f"model-{plan.hash}.so"
        files = [str(folder / name) for name in sources.files if name.endswith(".c")]
        subprocess.run(
            ["gcc", *FLAGS, "-shared", *files, kernel_objects(all_kernels()), "-o", str(library)], check=True
        )
        self.lib = ctypes.CDLL(str(library))
        self.lib.el_model_loss.restype = ctypes.c_float
        self.info = ModelInfo.in_dll(self.lib, "el_model")
        self.lib.el_model_reset()

    def _array(self, region: Region, dtype: np.typing.DTypeLike = np.float32) -> np.ndarray:
        buffer = (ctypes.c_uint8 * region.bytes).from_address(region.data or 0)
        return np.frombuffer(buffer, dtype)

    def _put(self, x: np.ndarray) -> None:
        own = self.plan.graph.tensors[self.plan.graph.inputs[0]].format
        self._array(self.info.input, own.dtype)[:] = x.reshape(-1)

    def forward(self, x: np.ndarray) -> np.ndarray:
        self._put(x)
        self.lib.el_model_forward()
        return self._array(self.info.output).copy()

    def train(self, x: np.ndarray, target: np.ndarray | int) -> float:
        self.forward(x)
        return self._learn(target)

    def latents(self, x: np.ndarray) -> list[np.ndarray]:
        """What crosses the cut, tensor by tensor; the rest of the arena is rubbish afterwards."""
        self._put(x)
        self.info.prefix()
        found = [a.copy() for a in self._cut()]
        self._array(Region(self.info.input.data, self.info.input.bytes), np.uint8)[:] = 0xFF
        return found

    def replay(self, latents: list[np.ndarray], target: int) -> float:
        """A training step from the cut on."""
        for array, value in zip(self._cut(), latents, strict=True):
            array[:] = value
        self.info.head()
        return self._learn(target)

    def _cut(self) -> list[np.ndarray]:
        infos = (self.info.latents[k] for k in range(self.info.latent_count))
        types = ((t, np.dtype(np.int8 if not t.kept else np.float16 if t.half else np.float32)) for t in infos)
        return [self._array(Region(t.data, t.count * dtype.itemsize), dtype) for t, dtype in types]

    def _learn(self, target: np.ndarray | int) -> float:
        if self.info.target_kind == 0:
            self._array(self.info.target, np.uint32)[0] = target
        elif self.info.target_kind == 1:
            self._array(self.info.target)[:] = np.asarray(target).reshape(-1)
        loss = float(self.lib.el_model_loss())
        o = self.settings(self.step)
        self._seen += 1
        last, kept = self._seen == self.info.batch, self._bias
        if last:
            # As firmware/src/train.c does it: in float32, so that 1 - beta is the same number in kernel and correction.
            beta1, beta2 = np.float32(o.momentum), np.float32(o.beta2)
            one = np.float32(1)
            self._bias = (self._bias[0] * beta1 + (one - beta1), self._bias[1] * beta2 + (one - beta2))
            o.bias1, o.bias2 = (float(b) for b in self._bias)
        before = self.scaling()
        o.grad_scale = 1 / before[0] if before else 1.0
        c = COptim(*(getattr(o, name) for name in Optim.__dataclass_fields__))
        self.lib.el_model_backward(ctypes.byref(c))
        if last:
            self.lib.el_model_update(ctypes.byref(c))
            self._seen = 0
            if before and before[3] != self.scaling()[3]:
                self._bias = kept
            else:
                self.step += 1
        return loss

    def scaling(self) -> list[float]:
        """The loss scale and what belongs to it; empty where gradients are not halves."""
        return self.info.scaling[:5] if self.info.scaling else []

    def weights(self) -> dict[str, np.ndarray]:
        return self._tensors(self.info.params, self.plan.params)

    def state(self) -> dict[str, np.ndarray]:
        """What the optimizer keeps; for batches of more than one the gradients gathered so far."""
        return self._tensors(self.info.state, self.plan.state)

    def _tensors(self, region: Region, block: Block) -> dict[str, np.ndarray]:
        raw = self._array(region, np.uint8)
        return {t.name: raw[at : at + t.nbytes].view(t.format.dtype).reshape(t.shape).copy() for t, at in block.tensors}
