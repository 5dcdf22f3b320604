"""What the scratch of int8 products consists of; firmware/kernels/product_s8 has the same in C."""

from __future__ import annotations

from edgelearn.kernels.base import Sizes


def terms(s: Sizes) -> int:
    """Products in a sum of a convolution or a fully connected layer."""
    return s["in"] if "in" in s else s["k_h"] * s["k_w"] * (s["in_c"] // s["groups"])


def pointwise(s: Sizes) -> bool:
    """Whether a position's window is the position, so that nothing is gathered."""
    last_row, last_column = (s["out_h"] - 1) * s["stride_h"], (s["out_w"] - 1) * s["stride_w"]
    inside = not s["pad_top"] and not s["pad_left"] and last_row < s["in_h"] and last_column < s["in_w"]
    return inside and s["k_h"] == s["k_w"] == s["groups"] == 1


def line(s: Sizes, count: int = 1) -> int:
    """Bytes for so many gathered windows, in whole words."""
    return 0 if pointwise(s) else -(-count * terms(s) // 4) * 4


def sides(s: Sizes) -> tuple[str, int, str]:
    """Of a depthwise convolution: the direction of lines (h or w), the padded positions of a line, the other one."""
    along, across = ("h", "w") if s["out_h"] > s["out_w"] else ("w", "h")
    return along, (s[f"out_{along}"] - 1) * s[f"stride_{along}"] + s[f"k_{along}"], across


def four_channels(s: Sizes) -> bool:
    """Whether a depthwise convolution goes by four channels: without a multiplier, kernels of up to 16 lines."""
    return s["in_c"] == s["out_c"] >= 4 and max(s["k_h"], s["k_w"]) <= 16


def padded_lines(s: Sizes) -> int:
    """Bytes for the weights of four channels and as many padded lines as the kernel has, in 16 bits."""
    along, width, across = sides(s)
    return s[f"k_{across}"] * (s[f"k_{along}"] + width) * 8
