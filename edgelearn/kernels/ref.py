"""The reference kernels: portable C, every op, any shape."""

from __future__ import annotations

from collections.abc import Iterable

from edgelearn.kernels.base import REF, RULES, Entry, recurrent, rows


def in_both_formats(file: str, *steps: str) -> Iterable[Entry]:
    """Rows for the steps of one source, as it stands for f32 and as <file>_f16.c compiles it for halves."""
    yield from rows(REF, f"{file}.c", *steps)
    yield from rows(REF, f"{file}_f16.c", *steps, fmt="f16")


TABLE: tuple[Entry, ...] = (
    *in_both_formats("conv2d", "conv2d_fwd", "conv2d_bwd_x", "conv2d_bwd_w"),
    *in_both_formats("depthwise_conv2d", "depthwise_conv2d_fwd", "depthwise_conv2d_bwd_x", "depthwise_conv2d_bwd_w"),
    *in_both_formats("dense", "dense_fwd", "dense_bwd_x", "dense_bwd_w", "bias_bwd"),
    *in_both_formats("conv2d_shift", "conv2d_shift_fwd", "conv2d_shift_bwd_x"),
    *in_both_formats("depthwise_conv2d_shift", "depthwise_conv2d_shift_fwd", "depthwise_conv2d_shift_bwd_x"),
    *in_both_formats("dense_shift", "dense_shift_fwd", "dense_shift_bwd_x"),
    *in_both_formats("batch_norm", "batch_norm_fwd", "batch_norm_bwd_x", "batch_norm_bwd_w"),
    *in_both_formats("activation", "relu_fwd", "relu_bwd", "sigmoid_fwd", "sigmoid_bwd", "tanh_fwd", "tanh_bwd"),
    *rows(REF, "softmax.c", "softmax_fwd", "softmax_bwd", "log_softmax_fwd", "log_softmax_bwd"),
    *in_both_formats("pool", "max_pool2d_fwd", "max_pool2d_bwd", "avg_pool2d_fwd", "avg_pool2d_bwd"),
    *in_both_formats("layout", "add_fwd", "zero_fwd", "pad_fwd", "pad_bwd", "transpose_fwd", "concat_fwd", "slice_fwd",
                     "slice_bwd", "take_fwd", "put_fwd"),
    *in_both_formats("arithmetic", "bias_fwd", "bias_bwd_x", "sub_fwd", "sub_bwd_x", "mul_fwd", "mul_bwd_x",
                     "mul_bwd_w", "reciprocal_fwd", "reciprocal_bwd", "reshape_fwd"),
    *in_both_formats("hard", "clip_fwd", "clip_bwd", "hard_sigmoid_fwd", "hard_sigmoid_bwd", "hard_swish_fwd",
                     "hard_swish_bwd", "hard_swish_signed_fwd", "elu_fwd", "elu_bwd", "prelu_fwd",
                     "prelu_bwd_x", "prelu_bwd_w"),
    *in_both_formats("gated", "silu_fwd", "silu_bwd", "gelu_fwd", "gelu_bwd", "gelu_tanh_fwd", "gelu_tanh_bwd",
                     "softplus_fwd", "softplus_bwd"),
    *in_both_formats("normalize", "layer_norm_fwd", "layer_norm_bwd_x", "layer_norm_bwd_w", "instance_norm_fwd",
                     "instance_norm_bwd_x", "instance_norm_bwd_w"),
    *recurrent(REF, "gru_bias_bwd"),
    *rows(REF, "loss.c", "softmax_xent_fwd", "softmax_xent_bwd", "sigmoid_xent_fwd", "sigmoid_xent_bwd",
          "mse_fwd", "mse_bwd"),
    *rows(REF, "stablemax.c", "stablemax_xent_fwd", "stablemax_xent_bwd"),
    *rows(REF, "scaling.c", "loss_scale_fwd", "loss_scale_step"),
    *rows(REF, "scaling.c", "finite_step", "sumsq_step", fmt="f16"),
    *rows(REF, "cast_f16.c", "narrow_fwd", "widen_fwd", "quantize_fwd", "dequantize_fwd", fmt="f16"),
    *rows(REF, "optim_f16.c", *(f"{rule}_step" for rule in RULES), fmt="f16"),
    *rows(REF, "optim_mixed_f16.c", *(f"{rule}_mixed_step" for rule in RULES), fmt="f16"),
    *rows(REF, "optim.c", "weight_decay_step", "sgd_step", "momentum_step", "adam_step", "adamw_step", "sumsq_step",
          "clip_step"),
    *rows(REF, "shift_latents.c", "shift_begin_fwd", *(f"shift_{rule}_step" for rule in RULES), "shift_sumsq_step"),
    *rows(REF, "conv2d_s8.c", "conv2d_fwd", fmt="s8"),
    *rows(REF, "depthwise_conv2d_s8.c", "depthwise_conv2d_fwd", fmt="s8"),
    *rows(REF, "dense_s8.c", "dense_fwd", fmt="s8"),
    *rows(REF, "conv2d_shift_s8.c", "conv2d_shift_fwd", fmt="s8"),
    *rows(REF, "depthwise_conv2d_shift_s8.c", "depthwise_conv2d_shift_fwd", fmt="s8"),
    *rows(REF, "dense_shift_s8.c", "dense_shift_fwd", fmt="s8"),
    *rows(REF, "pool_s8.c", "max_pool2d_fwd", "avg_pool2d_fwd", "mean_fwd", fmt="s8"),
    *rows(REF, "softmax_s8.c", "softmax_fwd", fmt="s8"),
    *rows(REF, "elementwise_s8.c", "add_fwd", "sub_fwd", "mul_fwd", "table_fwd", "reshape_fwd", "concat_fwd",
          "slice_fwd", "transpose_fwd", "pad_fwd", "quantize_fwd", "dequantize_fwd", fmt="s8"),
)  # fmt: skip

# Files that call into others: the cross-entropy's gradient is softmax_fwd minus one.
NEEDS = {"kernels/ref/loss.c": ("kernels/ref/softmax.c",)}
