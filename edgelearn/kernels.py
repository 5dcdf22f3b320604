"""Which kernels exist: for every step of an op, number format and instruction set, the C file that defines it, the
shapes it supports and the scratch memory it wants.

`select` walks a board's preferred instruction sets and falls back to "ref", which supports everything. A shape is the
mapping that `Op.sizes` gives: the fields of `el_window`, or in/out, rows/channels, count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from edgelearn.errors import InternalError

Sizes = Mapping[str, int]

REF = "ref"
FLOAT = 4  # bytes of an f32


def no_scratch(s: Sizes) -> int:
    """For kernels whose signature has no scratch."""
    return 0


def _any(s: Sizes) -> bool:
    return True


@dataclass(frozen=True)
class Kernel:
    """A kernel for one shape: its C symbol, the file under firmware/ and its scratch in bytes.

    A kernel that wants scratch does so for every shape, and its signature ends in `void *scratch`.
    """

    name: str
    isa: str
    source: str
    scratch: int


@dataclass(frozen=True)
class Entry:
    """One row of the table: an implementation of one step."""

    step: str
    isa: str
    source: str
    scratch: Callable[[Sizes], int] = no_scratch
    supports: Callable[[Sizes], bool] = _any
    fmt: str = "f32"

    @property
    def symbol(self) -> str:
        """The C function."""
        return f"el_{self.step}_{self.fmt}__{self.isa}"

    def bind(self, s: Sizes) -> Kernel:
        """The kernel for one shape."""
        return Kernel(self.symbol, self.isa, self.source, self.scratch(s))


def _ref(file: str, *steps: str, fmt: str = "f32") -> Iterable[Entry]:
    return (Entry(step, REF, f"kernels/ref/{file}", fmt=fmt) for step in steps)


def _blk(file: str, *steps: str, supports: Callable[[Sizes], bool] = _any) -> Iterable[Entry]:
    return (Entry(step, "blk", f"kernels/blk/{file}", supports=supports) for step in steps)


def _no_multiplier(s: Sizes) -> bool:
    return s["in_c"] == s["out_c"]


def _four_windows(s: Sizes) -> int:
    """Four windows of one group, gathered out of the padded map."""
    return 4 * s["k_h"] * s["k_w"] * (s["in_c"] // s["groups"]) * FLOAT


def _three_wide_windows(s: Sizes) -> int:
    """Three windows of one group in 16 bits, rounded up to whole words."""
    return -(-3 * s["k_h"] * s["k_w"] * (s["in_c"] // s["groups"]) // 2) * 4


def _group_of_zeros(s: Sizes) -> int:
    """One position of dy, for taps outside the map."""
    return s["out_c"] // s["groups"] * FLOAT


def _states(rows: int) -> Callable[[Sizes], int]:
    """Rows as long as a recurrent layer's state."""
    return lambda s: rows * s["hidden"] * FLOAT


# How many rows the steps of recurrent layers want.
_RECURRENT = {"rnn_bwd": 1, "lstm_fwd": 5, "lstm_bwd": 2, "gru_fwd": 4, "gru_bwd": 5}


def _recurrent(isa: str, *steps: str) -> Iterable[Entry]:
    source = f"kernels/{isa}/recurrent.c"
    yield from (Entry(step, isa, source, _states(rows)) for step, rows in _RECURRENT.items())
    yield from (Entry(step, isa, source) for step in ("rnn_fwd", "gru_bwd_w", "recurrent_bwd_w", *steps))


TABLE: tuple[Entry, ...] = (
    *_ref("conv2d.c", "conv2d_fwd", "conv2d_bwd_x", "conv2d_bwd_w"),
    *_ref("depthwise_conv2d.c", "depthwise_conv2d_fwd", "depthwise_conv2d_bwd_x", "depthwise_conv2d_bwd_w"),
    *_ref("dense.c", "dense_fwd", "dense_bwd_x", "dense_bwd_w", "bias_bwd"),
    *_ref("batch_norm.c", "batch_norm_fwd", "batch_norm_bwd_x", "batch_norm_bwd_w"),
    *_ref("activation.c", "relu_fwd", "relu_bwd", "sigmoid_fwd", "sigmoid_bwd", "tanh_fwd", "tanh_bwd"),
    *_ref("softmax.c", "softmax_fwd", "softmax_bwd", "log_softmax_fwd", "log_softmax_bwd"),
    *_ref("pool.c", "max_pool2d_fwd", "max_pool2d_bwd", "avg_pool2d_fwd", "avg_pool2d_bwd"),
    *_ref("layout.c", "add_fwd", "zero_fwd", "pad_fwd", "pad_bwd", "transpose_fwd", "concat_fwd", "slice_fwd",
          "slice_bwd", "take_fwd", "put_fwd"),
    *_ref("arithmetic.c", "bias_fwd", "bias_bwd_x", "sub_fwd", "sub_bwd_x", "mul_fwd", "mul_bwd_x", "mul_bwd_w",
          "reciprocal_fwd", "reciprocal_bwd", "reshape_fwd"),
    *_ref("hard.c", "clip_fwd", "clip_bwd", "hard_sigmoid_fwd", "hard_sigmoid_bwd", "hard_swish_fwd",
          "hard_swish_bwd", "hard_swish_signed_fwd", "elu_fwd", "elu_bwd", "prelu_fwd", "prelu_bwd_x", "prelu_bwd_w"),
    *_ref("gated.c", "silu_fwd", "silu_bwd", "gelu_fwd", "gelu_bwd", "gelu_tanh_fwd", "gelu_tanh_bwd", "softplus_fwd",
          "softplus_bwd"),
    *_ref("normalize.c", "layer_norm_fwd", "layer_norm_bwd_x", "layer_norm_bwd_w", "instance_norm_fwd",
          "instance_norm_bwd_x", "instance_norm_bwd_w"),
    *_recurrent(REF, "gru_bias_bwd"),
    *_ref("loss.c", "softmax_xent_fwd", "softmax_xent_bwd", "sigmoid_xent_fwd", "sigmoid_xent_bwd",
          "mse_fwd", "mse_bwd"),
    *_ref("optim.c", "weight_decay_step", "sgd_step", "momentum_step", "adam_step", "adamw_step", "sumsq_step",
          "clip_step"),
    Entry("conv2d_fwd", "blk", "kernels/blk/conv2d.c", _four_windows),
    Entry("conv2d_bwd_x", "blk", "kernels/blk/conv2d.c", _group_of_zeros),
    *_blk("conv2d.c", "conv2d_bwd_w"),
    *_blk("depthwise_conv2d.c", "depthwise_conv2d_fwd", "depthwise_conv2d_bwd_x", "depthwise_conv2d_bwd_w",
          supports=_no_multiplier),
    *_blk("dense.c", "dense_fwd", "dense_bwd_x", "dense_bwd_w", "bias_bwd"),
    *_blk("activation.c", "relu_fwd", "relu_bwd"),
    *_recurrent("blk"),
    *_ref("conv2d_s8.c", "conv2d_fwd", fmt="s8"),
    Entry("conv2d_fwd", "blk", "kernels/blk/conv2d_s8.c", _three_wide_windows, fmt="s8"),
    *_ref("depthwise_conv2d_s8.c", "depthwise_conv2d_fwd", fmt="s8"),
    *_ref("dense_s8.c", "dense_fwd", fmt="s8"),
    *_ref("pool_s8.c", "max_pool2d_fwd", "avg_pool2d_fwd", "mean_fwd", fmt="s8"),
    *_ref("softmax_s8.c", "softmax_fwd", fmt="s8"),
    *_ref("elementwise_s8.c", "add_fwd", "sub_fwd", "mul_fwd", "table_fwd", "reshape_fwd", "concat_fwd",
          "slice_fwd", "transpose_fwd", "pad_fwd", "quantize_fwd", "dequantize_fwd", fmt="s8"),
)  # fmt: skip

# Files that call into others: the cross-entropy's gradient is softmax_fwd minus one, a recurrent step a dense layer.
NEEDS: Mapping[str, tuple[str, ...]] = {
    "kernels/ref/loss.c": ("kernels/ref/softmax.c",),
    "kernels/blk/recurrent.c": ("kernels/blk/dense.c",),
}

_INDEX = {(e.step, e.fmt, e.isa): e for e in TABLE}


def find(op_step: str, fmt: str, isa: str) -> Entry | None:
    """The table's row for one implementation, or None."""
    return _INDEX.get((op_step, fmt, isa))


def select(op_step: str, fmt: str, isas: Sequence[str], shape: Sizes) -> Kernel:
    """The kernel for one step (`conv2d_fwd`): the first of `isas` that has it for this shape, else the reference."""
    for isa in (*isas, REF):
        entry = find(op_step, fmt, isa)
        if entry is not None and entry.supports(shape):
            return entry.bind(shape)
    raise InternalError(f"no kernel for {op_step} in {fmt}", hint="add it to edgelearn/kernels.py")


def sources(chosen: Iterable[Kernel]) -> list[str]:
    """The C files, relative to firmware/, that an image with these kernels compiles; sorted."""
    own = {kernel.source for kernel in chosen}
    return sorted(own | {needed for source in own for needed in NEEDS.get(source, ())})
