"""The reference kernels: portable C, every op, any shape."""

from __future__ import annotations

from edgelearn.kernels.base import REF, Entry, recurrent, rows

TABLE: tuple[Entry, ...] = (
    *rows(REF, "conv2d.c", "conv2d_fwd", "conv2d_bwd_x", "conv2d_bwd_w"),
    *rows(REF, "depthwise_conv2d.c", "depthwise_conv2d_fwd", "depthwise_conv2d_bwd_x", "depthwise_conv2d_bwd_w"),
    *rows(REF, "dense.c", "dense_fwd", "dense_bwd_x", "dense_bwd_w", "bias_bwd"),
    *rows(REF, "batch_norm.c", "batch_norm_fwd", "batch_norm_bwd_x", "batch_norm_bwd_w"),
    *rows(REF, "activation.c", "relu_fwd", "relu_bwd", "sigmoid_fwd", "sigmoid_bwd", "tanh_fwd", "tanh_bwd"),
    *rows(REF, "softmax.c", "softmax_fwd", "softmax_bwd", "log_softmax_fwd", "log_softmax_bwd"),
    *rows(REF, "pool.c", "max_pool2d_fwd", "max_pool2d_bwd", "avg_pool2d_fwd", "avg_pool2d_bwd"),
    *rows(REF, "layout.c", "add_fwd", "zero_fwd", "pad_fwd", "pad_bwd", "transpose_fwd", "concat_fwd", "slice_fwd",
          "slice_bwd", "take_fwd", "put_fwd"),
    *rows(REF, "arithmetic.c", "bias_fwd", "bias_bwd_x", "sub_fwd", "sub_bwd_x", "mul_fwd", "mul_bwd_x", "mul_bwd_w",
          "reciprocal_fwd", "reciprocal_bwd", "reshape_fwd"),
    *rows(REF, "hard.c", "clip_fwd", "clip_bwd", "hard_sigmoid_fwd", "hard_sigmoid_bwd", "hard_swish_fwd",
          "hard_swish_bwd", "hard_swish_signed_fwd", "elu_fwd", "elu_bwd", "prelu_fwd", "prelu_bwd_x", "prelu_bwd_w"),
    *rows(REF, "gated.c", "silu_fwd", "silu_bwd", "gelu_fwd", "gelu_bwd", "gelu_tanh_fwd", "gelu_tanh_bwd",
          "softplus_fwd", "softplus_bwd"),
    *rows(REF, "normalize.c", "layer_norm_fwd", "layer_norm_bwd_x", "layer_norm_bwd_w", "instance_norm_fwd",
          "instance_norm_bwd_x", "instance_norm_bwd_w"),
    *recurrent(REF, "gru_bias_bwd"),
    *rows(REF, "loss.c", "softmax_xent_fwd", "softmax_xent_bwd", "sigmoid_xent_fwd", "sigmoid_xent_bwd",
          "mse_fwd", "mse_bwd"),
    *rows(REF, "optim.c", "weight_decay_step", "sgd_step", "momentum_step", "adam_step", "adamw_step", "sumsq_step",
          "clip_step"),
    *rows(REF, "conv2d_s8.c", "conv2d_fwd", fmt="s8"),
    *rows(REF, "depthwise_conv2d_s8.c", "depthwise_conv2d_fwd", fmt="s8"),
    *rows(REF, "dense_s8.c", "dense_fwd", fmt="s8"),
    *rows(REF, "pool_s8.c", "max_pool2d_fwd", "avg_pool2d_fwd", "mean_fwd", fmt="s8"),
    *rows(REF, "softmax_s8.c", "softmax_fwd", fmt="s8"),
    *rows(REF, "elementwise_s8.c", "add_fwd", "sub_fwd", "mul_fwd", "table_fwd", "reshape_fwd", "concat_fwd",
          "slice_fwd", "transpose_fwd", "pad_fwd", "quantize_fwd", "dequantize_fwd", fmt="s8"),
)  # fmt: skip

# Files that call into others: the cross-entropy's gradient is softmax_fwd minus one.
NEEDS = {"kernels/ref/loss.c": ("kernels/ref/softmax.c",)}
