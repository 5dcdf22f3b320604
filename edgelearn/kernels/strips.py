"""The scratch of depthwise layers that convert strips of a map to floats. It repeats firmware/kernels/strips.h in
integers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from edgelearn.kernels.base import FLOAT, Entry, Sizes

STRIP, LANES = 8192, 8  # bytes of a strip, if one of few channels has room: EL_STRIP_BYTES, EL_STRIP_LANES
POSITIONS = 24  # of a strip where sums, or loops, are along it: EL_STRIP_POSITIONS
STEPS = {"depthwise_conv2d_fwd": 1, "depthwise_conv2d_bwd_x": 1, "depthwise_conv2d_bwd_w": POSITIONS}


def _bytes(s: Sizes, channels: int, rows: int, back: bool) -> int:
    """Of a strip: rows that are read, that are made, weights and a bias."""
    if back:
        reads = min((rows + s["k_h"] - 2) // s["stride_h"] + 2, s["out_h"])
        elements = reads * s["out_w"] + rows * s["in_w"]
    else:
        reads = min((rows - 1) * s["stride_h"] + s["k_h"], s["in_h"])
        elements = reads * s["in_w"] + rows * s["out_w"]
    return (elements + s["k_h"] * s["k_w"] + 1) * channels * FLOAT


def _strip(s: Sizes, step: str, positions: int) -> int:
    """el_cut_of(): as many channels as have room with rows of some positions, then as many rows."""
    back = step.endswith("bwd_x")
    most, channels = s["in_h" if back else "out_h"], s["in_c"]
    rows = min(-(-positions // s["out_w"]), most)
    while channels > LANES and _bytes(s, channels, rows, back) > STRIP:
        channels = -(-((channels + 1) // 2) // LANES) * LANES
    while rows > 1 and _bytes(s, channels, rows, back) > STRIP:
        rows -= 1
    while rows < most and _bytes(s, channels, rows + 1, back) <= STRIP:
        rows += 1
    return _bytes(s, channels, rows, back)


def scratch(step: str, positions: int = 1) -> Callable[[Sizes], int]:
    """Bytes that a step wants, whose strips have so many positions."""
    return lambda s: _strip(s, step, positions)


def supports(step: str, positions: int = 1) -> Callable[[Sizes], bool]:
    """Whether strips of a few channels have room."""
    return lambda s: s["in_c"] == s["out_c"] and _strip(s, step, positions) <= STRIP


def depthwise_f16(isa: str) -> Iterator[Entry]:
    """The rows of depthwise_conv2d_f16.c in kernels/<isa>: all three steps."""
    source = f"kernels/{isa}/depthwise_conv2d_f16.c"
    for step, positions in STEPS.items():
        yield Entry(step, isa, source, scratch(step, positions), supports(step, positions), "f16", pitched=True)
