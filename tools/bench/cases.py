"""What is measured: single kernels on typical layers, and every step of one training step of the demo network."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgelearn import boards, importers, kernels
from edgelearn.config import TrainConfig
from edgelearn.formats import BIT, F16, F32, S8, S32, SHIFTS, U32, Format
from edgelearn.graph import Graph, Phase, Tensor
from edgelearn.ops import OPS, Kind
from edgelearn.ops.optimizers import Optim
from edgelearn.ops.shift import pack
from edgelearn.passes.update import MINUS_LR
from edgelearn.plan import Plan, make_plan
from edgelearn.schedule import Program

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "examples" / "wearable" / "wearable.onnx"
BATCH = 8


@dataclass(frozen=True)
class Bench:
    """One kernel call: `args` in the order of the C signature, without scratch; `share` is calls per sample."""

    name: str
    step: str
    sizes: dict[str, int]
    args: tuple[Any, ...]
    macs: int
    share: float = 1.0
    kernel: kernels.Kernel | None = None
    fmt: str = "f32"


@functools.cache
def _random(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


def _array(shape: tuple[int, ...], fmt: Format) -> np.ndarray:
    if fmt in (F32, F16):
        return _random(shape).astype(fmt.dtype)
    if fmt is U32:
        return np.zeros(shape, np.uint32)
    count = fmt.nbytes(int(np.prod(shape)))
    if fmt is BIT:  # half of the elements pass, as after an untrained layer
        return np.random.default_rng(1).integers(0, 256, count).astype(np.uint8)
    return np.zeros(count, np.uint8)


def _settings() -> np.ndarray:
    optim = Optim(lr=0.01, momentum=0.9, epsilon=1e-8, bias1=0.5, bias2=0.1)
    return np.array(list(vars(optim).values()), np.float32)


def _make(
    op_name: str, sizes: dict[str, int], scalars: Sequence[float], arrays: Sequence[np.ndarray | None], name: str = "",
    share: float = 1.0, kernel: kernels.Kernel | None = None,
) -> Bench:  # fmt: skip
    op = OPS[op_name]
    lead: list[Any] = [sizes] if op.struct else list(sizes.values())
    return Bench(name, op.kernel, sizes, (*lead, *scalars, *arrays), op.macs(sizes), share, kernel, op.fmt.name)


def _window(h: int, w: int, c: int, co: int, k: tuple[int, int], s: int, pad: tuple[int, int]) -> dict[str, int]:
    return {
        "in_h": h, "in_w": w, "in_c": c, "out_h": (h + 2 * pad[0] - k[0]) // (s if h > 1 else 1) + 1,
        "out_w": (w + 2 * pad[1] - k[1]) // s + 1, "out_c": co, "k_h": k[0], "k_w": k[1],
        "stride_h": s if h > 1 else 1, "stride_w": s, "pad_top": pad[0], "pad_left": pad[1], "groups": 1,
        "count_pad": 0, "in_pitch": c, "out_pitch": co,
    }  # fmt: skip


PRODUCT = {"product 64x64x64": ("conv2d", _window(8, 8, 64, 64, (1, 1), 1, (0, 0)))}  # what inner loops are worth
LAYERS = {
    **PRODUCT,
    "conv 1x5 s2, 6>16, 128": ("conv2d", _window(1, 128, 6, 16, (1, 5), 2, (0, 2))),
    "conv 1x5 s2, 16>32, 64": ("conv2d", _window(1, 64, 16, 32, (1, 5), 2, (0, 2))),
    "conv 3x3, 16>32, 32x32": ("conv2d", _window(32, 32, 16, 32, (3, 3), 1, (1, 1))),
    "conv 3x3 s2, 3>8, 32x32": ("conv2d", _window(32, 32, 3, 8, (3, 3), 2, (1, 1))),
    "pointwise 64>64, 25x5": ("conv2d", _window(25, 5, 64, 64, (1, 1), 1, (0, 0))),
    "depthwise 3x3, 64, 25x5": ("depthwise_conv2d", _window(25, 5, 64, 64, (3, 3), 1, (1, 1))),
    "depthwise 1x5 s2, 32, 64": ("depthwise_conv2d", _window(1, 64, 32, 32, (1, 5), 2, (0, 2))),
}


def _int8(op: str, name: str, s: dict[str, int]) -> Bench:
    """The same layer of integers, each channel with a multiplier and a shift of its own."""
    rng = np.random.default_rng(len(name))
    dense = op == "dense"
    x_shape = (s["in"],) if dense else (s["in_h"], s["in_w"], s["in_c"])
    y_shape = (s["out"],) if dense else (s["out_h"], s["out_w"], s["out_c"])
    terms = s["in"] if dense else s["k_h"] * s["k_w"] * (s["in_c"] if op == "conv2d" else 1)
    x, w = rng.integers(-128, 128, x_shape, np.int8), rng.integers(-127, 128, terms * y_shape[-1], np.int8)
    bias = rng.integers(-1000, 1000, y_shape[-1], np.int32)
    multiplier, shift = np.full(y_shape[-1], 1 << 30, np.int32), np.full(y_shape[-1], -8, np.int32)
    lead: list[Any] = list(s.values()) if dense else [s]
    x_zero = 0 if dense else -3  # dense layers have it in the bias
    args = (*lead, x_zero, 4, -128, 127, x, w, bias, multiplier, shift, np.zeros(y_shape, np.int8))
    return Bench(f"{name} fwd int8", f"{op}_fwd", s, args, OPS[op].macs(s), fmt="s8")


# Layers that a simulator finishes: a thousand times fewer of them a second than in an emulator.
SMALL = {
    **PRODUCT,
    "conv 3x3, 16>32, 16x16": ("conv2d", _window(16, 16, 16, 32, (3, 3), 1, (1, 1))),
    "pointwise 64>64, 25x5": LAYERS["pointwise 64>64, 25x5"],
    "depthwise 3x3, 64, 25x5": LAYERS["depthwise 3x3, 64, 25x5"],
}


def small_kernels() -> Iterator[Bench]:
    """Small layers, each with its three kernels, in float32 and in halves."""
    dense = list(_dense(640, 128))
    for bench in [b for name, layer in SMALL.items() for b in _layer(name, *layer)] + dense:
        yield bench
        yield in_halves(bench)


def in_halves(bench: Bench) -> Bench:
    """The same call with numbers in 16 bits."""
    args = tuple(a.astype(np.float16) if isinstance(a, np.ndarray) and a.dtype == np.float32 else a for a in bench.args)
    return replace(bench, name=f"{bench.name} f16", args=args, fmt="f16")


def _layer(name: str, op: str, s: dict[str, int]) -> Iterator[Bench]:
    """Forward, gradient of x, gradient of w."""
    x, y = _random((s["in_h"], s["in_w"], s["in_c"])), _random((s["out_h"], s["out_w"], s["out_c"]))
    w = _random((s["k_h"] * s["k_w"] * s["out_c"] * (s["in_c"] if op == "conv2d" else 1),))
    yield _make(op, s, (), (x, w, _random((s["out_c"],)), y), f"{name} fwd")
    yield _make(f"{op}_bwd_x", s, (), (y, w, x), f"{name} bwd_x")
    yield _make(f"{op}_bwd_w", s, (1.0,), (x, y, w), f"{name} bwd_w")


def _dense(n: int, m: int) -> Iterator[Bench]:
    sizes, x, w, b = {"in": n, "out": m}, _random((n,)), _random((m, n)), _random((m,))
    yield _make("dense", sizes, (), (x, w, b, b), f"dense {n}>{m} fwd")
    yield _make("dense_bwd_x", {**sizes, "pitch": n}, (), (b, w, x), f"dense {n}>{m} bwd_x")
    yield _make("dense_bwd_w", sizes, (1.0,), (x, b, w), f"dense {n}>{m} bwd_w")


def product_layers() -> Iterator[Bench]:
    """Typical layers, each with its three kernels in float32 and in halves, and the forward one in int8."""
    floats = [(list(_layer(name, op, s)), _int8(op, name, s)) for name, (op, s) in LAYERS.items()]
    floats += [
        (list(_dense(n, m)), _int8("dense", f"dense {n}>{m}", {"in": n, "out": m})) for n, m in ((640, 128), (32, 7))
    ]
    for steps, integers in floats:
        yield from steps
        yield from map(in_halves, steps)
        yield integers


def single_kernels(halves: bool = True) -> Iterator[Bench]:
    """Typical layers, and what is elementwise; `halves`: in half precision, too."""
    yield from (bench for bench in product_layers() if halves or bench.fmt != "f16")
    rows = {"rows": 64, "channels": 32, "pitch": 32}
    yield _make("bias_bwd", rows, (1.0,), (_random((64, 32)), _random((32,))), "bias_bwd 64x32")
    n, v = 1024, _random((1024,))
    count = {"count": n}
    mask = _array((n,), BIT)
    yield _make("relu", count, (0.0, np.inf), (v, v, mask), "relu 1024 fwd")
    yield _make("relu_bwd", count, (0.0,), (v, mask, v), "relu 1024 bwd")
    yield _make("add", count, (), (v, v, v), "add 1024")
    for step, arrays in (("sgd_step", 2), ("momentum_step", 3), ("adam_step", 4)):
        positive = [v, v, v, np.abs(v)][:arrays]
        yield Bench(f"{step} 1024", step, count, (n, _settings(), *positive), 0)


@functools.cache
def _demo(board_id: str) -> Plan:
    config = TrainConfig(batch=BATCH, momentum=0.9, lr=0.01)
    return make_plan(importers.load(DEMO), config, boards.load(board_id))


def training_step(board_id: str) -> Iterator[Bench]:
    """Each kernel call of the plan for the demo network (all layers, batch 8, momentum), with its calls per sample."""
    return step_of(_demo(board_id))


def _operand(tensor: Tensor, graph: Graph) -> np.ndarray:
    """What a tensor holds: a loss scale as it is before the first update, integers as they are as far as they are
    known; for others shapes are enough.
    """
    bits = next((bits for bits, fmt in SHIFTS.items() if tensor.format is fmt), 0)
    if bits:
        return pack(np.asarray(tensor.data), bits)
    if tensor.name == graph.meta.get("scaling") or tensor.format in (S8, S32):
        return np.zeros(tensor.shape, tensor.format.dtype) if tensor.data is None else np.array(tensor.data)
    return _array(tensor.shape, tensor.format)


def step_of(plan: Plan) -> Iterator[Bench]:
    """Each kernel call of a plan, with its calls per sample."""
    tensors = plan.graph.tensors
    for step, sizes, kernel in zip(plan.schedule.steps, plan.sizes, plan.chosen, strict=True):
        node, op = step.node, OPS[step.node.op]
        scalars: list[Any] = list(op.scalars(node.attrs).values())
        if op.kind is Kind.ACCUMULATE:
            scalars.append(-0.01 if node.attrs["scale"] == MINUS_LR else node.attrs["scale"])
        if op.kind is Kind.STEP and op.uses_optim:
            scalars.append(_settings())
        arrays = [_operand(tensors[n], plan.graph) if n else None for n in (*node.inputs, *node.outputs)]
        if op.kind is Kind.PURE:
            arrays += [None] * (len(op.formats) - len(node.outputs))
        share = 1 / plan.config.batch if step.program is Program.UPDATE else 1.0
        bench = _make(node.op, dict(sizes), scalars, arrays, node.name, share, kernel)
        yield bench if node.phase in (Phase.FORWARD, Phase.BACKWARD) else Bench(**{**vars(bench), "macs": 0})
