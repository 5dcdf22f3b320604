"""Piecewise affine products, in portable C: the reference kernels once more, and gradients by exact derivatives.

All of their operands are floats. What has no product, and what is not here, computes in f32.
"""

from __future__ import annotations

from collections.abc import Iterator

from edgelearn.kernels.base import FLOAT, REF, Entry, Sizes, rows, single

PAM = "pam"
LAYERS = ("conv2d", "depthwise_conv2d", "dense")


def _layers() -> Iterator[Entry]:
    for layer in LAYERS:
        yield from rows(REF, f"{layer}_pam.c", *(f"{layer}_{step}" for step in ("fwd", "bwd_x", "bwd_w")), fmt=PAM)
        yield from rows(REF, f"{layer}_exact_pam.c", *(f"{layer}_exact_{s}" for s in ("bwd_x", "bwd_w")), fmt=PAM)


def _window(s: Sizes) -> int:
    """One window of one group, gathered out of the padded map."""
    return s["k_h"] * s["k_w"] * (s["in_c"] // s["groups"]) * FLOAT


def _zeros(s: Sizes) -> int:
    """One position of dy, for taps outside the map."""
    return s["out_c"] // s["groups"] * FLOAT


TABLE: tuple[Entry, ...] = (
    *_layers(),
    *rows(REF, "dense_pam.c", "bias_bwd", fmt=PAM),
    *rows(REF, "batch_norm_pam.c", "batch_norm_fwd", "batch_norm_bwd_x", "batch_norm_bwd_w", fmt=PAM),
    *rows(REF, "arithmetic_pam.c", "mul_fwd", "mul_bwd_x", "mul_bwd_w", fmt=PAM),
    *rows(REF, "activation_pam.c", "relu_fwd", "relu_bwd", fmt=PAM),
    *rows(REF, "optim_pam.c", "weight_decay_step", "sgd_step", "momentum_step", "adam_step", "adamw_step", fmt=PAM),
    Entry("conv2d_fwd", "blk", "kernels/blk/conv2d_pam.c", _window, fmt=PAM, pitched=True),
    Entry("conv2d_bwd_x", "blk", "kernels/blk/conv2d_pam.c", _zeros, fmt=PAM, pitched=True),
    *rows("blk", "conv2d_pam.c", "conv2d_bwd_w", fmt=PAM, pitched=True),
    *rows("blk", "depthwise_conv2d_pam.c", "depthwise_conv2d_fwd", "depthwise_conv2d_bwd_x", "depthwise_conv2d_bwd_w",
          supports=single, fmt=PAM, pitched=True),
    *rows("blk", "activation_pam.c", "relu_fwd", "relu_bwd", fmt=PAM),
)  # fmt: skip
