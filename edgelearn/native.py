"""A plan compiled for this computer and called in process, function by function: the board's C at desktop speed."""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgelearn.boards import load as load_board
from edgelearn.build import find_compiler
from edgelearn.build.process import run_tool
from edgelearn.codegen import generate
from edgelearn.errors import ToolError
from edgelearn.ops.optimizers import Optim
from edgelearn.plan import Block, Plan
from edgelearn.share import firmware_dir

FAST = ("-std=c11", "-O3", "-march=native", "-ffp-contract=fast", "-fno-math-errno", "-fPIC", "-shared", "-w")


class Region(ctypes.Structure):
    """el_region of el/model.h."""

    _fields_ = (("data", ctypes.c_void_p), ("bytes", ctypes.c_uint32))


class ModelInfo(ctypes.Structure):
    """The front of el_model_info of el/model.h."""

    _fields_ = (
        ("hash", ctypes.c_uint8 * 8),
        *((name, Region) for name in ("input", "target", "output", "params", "state", "store")),
        ("sample_format", ctypes.c_uint32),
        ("batch", ctypes.c_uint32),
        ("target_kind", ctypes.c_uint32),
    )


class COptim(ctypes.Structure):
    """el_optim of el/model.h."""

    _fields_ = tuple((name, ctypes.c_float) for name in Optim.__dataclass_fields__)


class Native:
    """The functions of a generated model in a shared library, and its arrays."""

    def __init__(self, plan: Plan, library: Path) -> None:
        self.plan = plan
        self.lib = ctypes.CDLL(str(library))
        self.lib.el_model_loss.restype = ctypes.c_float
        self.info = ModelInfo.in_dll(self.lib, "el_model")
        self.lib.el_model_reset()

    def _array(self, region: Region, dtype: np.typing.DTypeLike = np.float32) -> np.ndarray:
        """What a region holds: a view, not a copy."""
        buffer = (ctypes.c_uint8 * region.bytes).from_address(region.data or 0)
        return np.frombuffer(buffer, dtype)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The prediction for one sample in device layout."""
        own = self.plan.graph.tensors[self.plan.graph.inputs[0]].format
        self._array(self.info.input, own.dtype)[:] = x.reshape(-1)
        self.lib.el_model_forward()
        return self.output()

    def output(self) -> np.ndarray:
        """The last prediction."""
        return self._array(self.info.output).copy()

    def loss(self, x: np.ndarray, target: np.ndarray | int) -> float:
        """The loss of one sample."""
        self.forward(x)
        if self.info.target_kind == 0:
            self._array(self.info.target, np.uint32)[0] = target
        elif self.info.target_kind == 1:
            self._array(self.info.target)[:] = np.asarray(target).reshape(-1)
        return float(self.lib.el_model_loss())

    def backward(self, optim: Optim) -> None:
        """The backward pass of the sample whose loss was taken; with batch 1 the update too."""
        self.lib.el_model_backward(ctypes.byref(_optim(optim)))

    def update(self, optim: Optim) -> None:
        """The update at the end of a batch."""
        self.lib.el_model_update(ctypes.byref(_optim(optim)))

    def weights(self) -> dict[str, np.ndarray]:
        """The trained weights by name."""
        return {name: array.copy() for name, array in self.views(self.info.params, self.plan.params).items()}

    def state(self) -> dict[str, np.ndarray]:
        """What the optimizer keeps; for batches of more than one the gradients gathered so far."""
        return {name: array.copy() for name, array in self.views(self.info.state, self.plan.state).items()}

    def load(self, weights: Mapping[str, np.ndarray]) -> None:
        """Replace weights by name."""
        own = self.views(self.info.params, self.plan.params)
        for name, value in weights.items():
            own[name][...] = np.asarray(value).reshape(own[name].shape)

    def views(self, region: Region, block: Block) -> dict[str, np.ndarray]:
        """A block's tensors where they lie: writing to them changes the model."""
        raw = self._array(region, np.uint8) if block.tensors else np.empty(0, np.uint8)
        return {t.name: raw[at : at + t.nbytes].view(t.format.dtype).reshape(t.shape) for t, at in block.tensors}


def _optim(settings: Optim) -> COptim:
    return COptim(*(getattr(settings, name) for name in Optim.__dataclass_fields__))


def compile_native(plan: Plan) -> Native:
    """The plan as a library of this process, whose files are gone when it is loaded; ToolError without a compiler."""
    compiler = find_compiler(load_board("host"))
    sources = generate(plan)
    firmware = firmware_dir()
    with tempfile.TemporaryDirectory(prefix="edgelearn-") as name:
        folder = Path(name)
        for file, text in sources.files.items():
            (folder / file).write_text(text)
        own = [str(folder / file) for file in sources.files if file.endswith(".c")]
        kernels = [str(firmware / file) for file in sources.kernels]
        library = folder / f"model-{plan.hash}.so"
        command = [compiler.path, *FAST, "-I", str(firmware / "include"), *own, *kernels, "-o", str(library)]
        done = run_tool(command)
        if done.returncode:
            shown = tuple(line for line in done.stderr.splitlines() if "error" in line)[:8]
            raise ToolError("the model does not compile for this computer", details=shown)
        return Native(plan, library)
