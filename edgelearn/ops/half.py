"""Half precision: every op with a kernel for it a second time, casts, and how weights with such gradients are updated.

An op `conv2d` computes in float32; `conv2d_f16` is the same with operands and results in IEEE binary16. What it
computes in between, sums above all, is float32, and each element of a result is rounded once. A few operands stay in
float32 (`WIDE`): statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from edgelearn import kernels
from edgelearn.formats import F16, F32, S8
from edgelearn.ops import optimizers
from edgelearn.ops.base import Arrays, Attrs, Kind, Op, count_sizes, same_shape
from edgelearn.ops.optimizers import Optim
from edgelearn.ops.quantized.convert import OPS as CONVERSIONS
from edgelearn.ops.scaling import OVERFLOW, UPDATES

SUFFIX = f"_{F16.name}"
# Operands that stay in float32: the statistics of frozen norms.
WIDE = {"batch_norm": (3, 4), "batch_norm_bwd_x": (2,), "batch_norm_bwd_w": (2, 3)}
# Attributes that results are compared with later on: they must be numbers that a half can be.
BOUNDS = {"clip": ("low", "high"), "clip_bwd": ("low", "high")}


def widened(array: np.ndarray | None) -> np.ndarray | None:
    """Halves as float32; anything else as it is."""
    return array.astype(np.float32) if array is not None and array.dtype == np.float16 else array


def rounded(array: np.ndarray) -> np.ndarray:
    """Real numbers as halves, to the nearest, ties to even; what is too large becomes infinity."""
    with np.errstate(over="ignore"):
        return array.astype(np.float16) if array.dtype.kind == "f" else array


def _exact(op: str, attrs: Attrs) -> Attrs:
    return {k: float(np.float16(v)) if k in BOUNDS[op] else v for k, v in attrs.items()} if op in BOUNDS else attrs


def _exact_scalars(op: Op) -> Callable[[Attrs], Mapping[str, float]]:
    return lambda attrs: op.scalars(_exact(op.name, attrs))


def _in_halves(op: Op) -> Callable[..., Arrays]:
    """The numpy truth: that of the op on widened operands, its results rounded. A gradient that is accumulated stays
    as it is: the sum is rounded."""

    def compute(attrs: Attrs, *inputs: np.ndarray | None) -> Arrays:
        outputs = op.compute(_exact(op.name, attrs), *map(widened, inputs))
        return outputs if op.kind is Kind.ACCUMULATE else tuple(map(rounded, outputs))

    return compute


def halves(ops: Iterable[Op]) -> Iterator[Op]:
    """The ops among `ops` that have a kernel for it, in half precision."""
    for op in ops:
        if op.fmt is F32 and op.kind is not Kind.STEP and kernels.find(op.kernel, F16.name, kernels.REF):
            formats = tuple(F16 if fmt is F32 else fmt for fmt in op.formats)
            yield replace(
                op, name=op.name + SUFFIX, fmt=F16, formats=formats, compute=_in_halves(op), examples=(), summary="",
                calls=op.kernel, scalars=_exact_scalars(op), gradient=None, weights=(), shifts=(), constants=(),
            )  # fmt: skip


def random_bits(updates: float, salt: int, count: int) -> np.ndarray:
    """32 bits an element, of the count of updates and the tensor's salt: those of firmware/kernels/ref/steps_f16.h."""
    with np.errstate(over="ignore"):
        start = np.uint32(int(updates)) * np.uint32(0x9E3779B9) ^ np.uint32(salt) * np.uint32(0x85EBCA6B)
        x = start + np.arange(count, dtype=np.uint32) * np.uint32(0xC2B2AE35)
        x = (x ^ x >> np.uint32(16)) * np.uint32(0x7FEB352D)
        x = (x ^ x >> np.uint32(15)) * np.uint32(0x846CA68B)
        return np.asarray(x ^ x >> np.uint32(16))


def rounded_at_random(values: np.ndarray, random: np.ndarray) -> np.ndarray:
    """float32 as one of the two halves around each value, as el_to_half_at_random chooses."""
    flat = values.astype(np.float32).reshape(-1)
    bits = flat.view(np.uint32)
    sign, size = (bits >> 16 & 0x8000).astype(np.uint16), bits & np.uint32(0x7FFFFFFF)
    with np.errstate(over="ignore", invalid="ignore"):
        normal = ((size - np.uint32(112 << 23) + (random & np.uint32(0x1FFF))) >> 13).astype(np.uint16)
        steps = np.where(size < 0x38800000, np.abs(flat), 0) * np.float32(2**24)
        whole = np.floor(steps)
        up = (random & np.uint32(0xFFFFFF)).astype(np.float32) < (steps - whole) * np.float32(2**24)
        low = (whole + up).astype(np.uint16)
        nearest = flat.astype(np.float16).view(np.uint16)
    found = np.where(size < 0x38800000, sign | low, np.where(size >= 0x477FE000, nearest, sign | normal))
    return found.astype(np.uint16).view(np.float16).reshape(values.shape)


def _stored(value: np.ndarray, like: np.ndarray, salt: int, scaling: np.ndarray) -> np.ndarray:
    """A new weight in the format of the old one; `salt` 0 is to the nearest."""
    if like.dtype != np.float16:
        return value.astype(like.dtype)
    if salt == 0:
        return rounded(value)
    return rounded_at_random(value, random_bits(scaling[UPDATES], salt, value.size))


def _update(rule: Callable[..., Arrays]) -> Callable[..., Arrays]:
    """An update rule with a gradient in halves: it leaves all as it is where scaling has seen an overflow."""

    def compute(o: Optim, salt: int, g: np.ndarray, scaling: np.ndarray, w: np.ndarray, *state: np.ndarray) -> Arrays:
        if scaling[OVERFLOW]:
            return (w, *state)
        new, *after = rule(o, widened(g), widened(w), *map(widened, state))
        kept = (a.astype(s.dtype) if s.dtype != np.float16 else rounded(a) for a, s in zip(after, state, strict=True))
        return (_stored(new, w, salt, scaling), *kept)

    return compute


def _finite(o: Optim, g: np.ndarray, scaling: np.ndarray) -> Arrays:
    found = scaling.copy()
    if not np.isfinite(g).all():
        found[OVERFLOW] = 1
    return (found,)


def _elements(attrs: Attrs, ins: object, outs: object) -> dict[str, int]:
    shapes = [*ins]  # type: ignore[misc]  # the gradient's
    return {"count": int(np.prod(shapes[0]))}


def _steps() -> Iterator[Op]:
    for op in optimizers.OPS:
        rule = op.name.removesuffix("_step")
        if kernels.find(f"{rule}_mixed_step", F16.name, kernels.REF):
            for name in (op.name, f"{rule}_mixed_step"):
                yield Op(
                    name + SUFFIX, _update(op.compute), sizes=_elements, scalars=lambda a: {"salt": a["salt"]},
                    fmt=F16, kind=Kind.STEP,
                )  # fmt: skip


_CONVERT = {op.name: op for op in CONVERSIONS}
_SUMSQ = next(op for op in optimizers.OPS if op.name == "sumsq_step")

OPS = (
    Op("narrow", lambda a, x: (rounded(x),), same_shape, count_sizes, fmt=F16, formats=(F16,)),
    Op("widen", lambda a, x: (x.astype(np.float32),), same_shape, count_sizes, fmt=F16),
    replace(_CONVERT["quantize"], name=f"quantize{SUFFIX}", fmt=F16, formats=(S8,)),
    replace(
        _CONVERT["dequantize"], name=f"dequantize{SUFFIX}", fmt=F16, formats=(F16,),
        compute=lambda a, x: (rounded(_CONVERT["dequantize"].compute(a, x)[0]),),
    ),
    Op(f"finite_step{SUFFIX}", _finite, sizes=_elements, fmt=F16, kind=Kind.STEP, uses_optim=False),
    replace(
        _SUMSQ, name=f"sumsq_step{SUFFIX}", fmt=F16, compute=lambda o, g, acc: _SUMSQ.compute(o, widened(g), acc),
    ),
    *_steps(),
)  # fmt: skip
