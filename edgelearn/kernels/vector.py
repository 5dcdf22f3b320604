"""The scratch of kernels made of firmware/kernels/vector: patches of a map. It repeats the C code's integers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edgelearn.kernels.base import Entry, Sizes

PATCH, RUN = 448, 4  # vectors of a patch, outputs of a run: EL_PATCH, EL_RUN
FIELDS = {"h": "pad_top", "w": "pad_left"}


@dataclass(frozen=True)
class _Axis:
    """Outputs, taps and stride of a convolution along one axis."""

    out: int
    k: int
    stride: int

    def reach(self, outputs: int) -> int:
        """Elements of the input that so many outputs read."""
        return self.stride * (outputs - 1) + self.k


def _forward(s: Sizes, axis: str) -> Iterator[_Axis]:
    yield _Axis(s[f"out_{axis}"], s[f"k_{axis}"], s[f"stride_{axis}"])


def _phases(s: Sizes, axis: str) -> Iterator[_Axis]:
    """The convolutions of which the gradient of x is made: one for each phase of the stride."""
    size, k, stride = s[f"in_{axis}"], s[f"k_{axis}"], s[f"stride_{axis}"]
    for phase in range(min(stride, size)):
        yield _Axis(-(-(size - phase) // stride), len(range((phase + s[FIELDS[axis]]) % stride, k, stride)), 1)


_AXES = {
    "depthwise_conv2d_fwd": _forward,
    "depthwise_conv2d_bwd_x": _phases,
    "depthwise_conv2d_bwd_w": _forward,
}  # fmt: skip


def _vectors(step: str, s: Sizes) -> int:
    """Vectors that a step packs at once: weights and a bias, or dy, and a patch; 0 where not a single run fits."""
    most, dy = 0, step.endswith("bwd_w")
    for h in _AXES[step](s, "h"):
        for w in _AXES[step](s, "w"):
            for a, b in ((h, w), (w, h)):
                if a.reach(RUN) * b.k + RUN * dy > PATCH:
                    return 0
                outputs = a.out + (a.out % RUN == RUN - 1)
                patch = min(PATCH, a.reach(outputs) * b.reach(b.out) + outputs * b.out * dy)
                most = max(most, patch + (0 if dy else 1 + a.k * b.k))
    return most


@dataclass(frozen=True)
class Vectors:
    """An instruction set's vectors: the bytes of one, or of the longest one."""

    bytes: int

    def scratch(self, step: str) -> Callable[[Sizes], int]:
        """Bytes that a step wants."""
        return lambda s: _vectors(step, s) * self.bytes


def _supports(step: str) -> Callable[[Sizes], bool]:
    return lambda s: s["in_c"] == s["out_c"] and max(s["stride_h"], s["stride_w"]) <= 2 and _vectors(step, s) > 0


def depthwise(isa: str, vectors: Vectors, fmt: str = "f32", file: str = "depthwise_conv2d.c") -> Iterator[Entry]:
    """The rows of one file in kernels/<isa>: all three steps."""
    for step in _AXES:
        yield Entry(step, isa, f"kernels/{isa}/{file}", vectors.scratch(step), _supports(step), fmt)
