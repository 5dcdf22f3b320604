"""Two maps joined along the device axis `axis`, and the part [start, stop) of one: each is the other's gradient.

Seen from the axis, a map is `outer` stretches of contiguous elements; only how long they are matters.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgelearn.graph import Node
from edgelearn.ops.base import Arrays, Attrs, Example, Op, Shape, Tape, count


def infer(attrs: Attrs, shapes: Sequence[Shape]) -> list[Shape]:
    """The output's shape; ValueError if the maps differ elsewhere."""
    (a, b), axis = shapes, attrs["axis"]
    if len(a) != len(b) or a[:axis] + a[axis + 1 :] != b[:axis] + b[axis + 1 :]:
        raise ValueError(f"shapes {a} and {b} differ in more than axis {axis}")
    return [(*a[:axis], a[axis] + b[axis], *a[axis + 1 :])]


def sizes(attrs: Attrs, ins: Sequence[Shape], outs: Sequence[Shape]) -> dict[str, int]:
    """Stretches, and the elements of each map in one."""
    axis = attrs["axis"]
    return {"outer": count(ins[0][:axis]), "first": count(ins[0][axis:]), "second": count(ins[1][axis:])}


def forward(attrs: Attrs, a: np.ndarray, b: np.ndarray) -> Arrays:
    """The numpy truth."""
    return (np.concatenate((a, b), axis=attrs["axis"]),)


def _concat_gradient(node: Node, tape: Tape) -> None:
    axis, start = node.attrs["axis"], 0
    for operand in node.inputs:
        stop = start + tape.shape(operand)[axis]
        tape.input_grad("slice", operand, (tape.grad(node.outputs[0]),), node, start=start, stop=stop)
        start = stop


def slice_forward(attrs: Attrs, x: np.ndarray) -> Arrays:
    """The numpy truth of `slice`."""
    return (np.ascontiguousarray(x[_cut(attrs)]),)


def slice_infer(attrs: Attrs, shapes: Sequence[Shape]) -> list[Shape]:
    """The shape of a slice; ValueError if it is empty or not inside."""
    x, axis, start, stop = shapes[0], attrs["axis"], attrs["start"], attrs["stop"]
    if not 0 <= start < stop <= x[axis]:
        raise ValueError(f"nothing lies between {start} and {stop} on axis {axis} of {x}")
    return [(*x[:axis], stop - start, *x[axis + 1 :])]


def _slice_sizes(attrs: Attrs, x: Shape, y: Shape) -> dict[str, int]:
    axis = attrs["axis"]
    inner = count(x[axis + 1 :])
    sizes = {"whole": x[axis], "start": attrs["start"], "part": y[axis]}
    return {"outer": count(x[:axis])} | {name: size * inner for name, size in sizes.items()}


def slice_sizes(attrs: Attrs, ins: Sequence[Shape], outs: Sequence[Shape]) -> dict[str, int]:
    """By-value shape arguments of `slice`."""
    return _slice_sizes(attrs, ins[0], outs[0])


def _cut(attrs: Attrs) -> tuple[slice, ...]:
    return (*(slice(None),) * attrs["axis"], slice(attrs["start"], attrs["stop"]))


def _slice_bwd(attrs: Attrs, dy: np.ndarray) -> Arrays:
    dx = np.zeros(attrs["x_shape"], dy.dtype)
    dx[_cut(attrs)] = dy
    return (dx,)


def _slice_gradient(node: Node, tape: Tape) -> None:
    tape.input_grad("slice_bwd", node.inputs[0], (tape.grad(node.outputs[0]),), node)


OPS = (
    Op(
        "concat", forward, infer, sizes, gradient=_concat_gradient,
        summary="two maps joined along one axis",
        examples=(
            Example({"axis": 2}, ((3, 5, 4), (3, 5, 3)), maps=2),
            Example({"axis": 0}, ((2, 3, 4), (1, 3, 4)), maps=2),
            Example({"axis": 1}, ((2, 3, 4), (2, 5, 4)), maps=2),
            Example({"axis": 0}, ((7,), (4,)), maps=2),
        ),
    ),
    Op(
        "slice", slice_forward, slice_infer, slice_sizes, gradient=_slice_gradient,
        summary="a part of a map along one axis",
        examples=(
            Example({"axis": 2, "start": 1, "stop": 4}, ((3, 2, 5),)),
            Example({"axis": 0, "start": 0, "stop": 2}, ((3, 4, 5),)),
            Example({"axis": 0, "start": 4, "stop": 9}, ((9,),)),
        ),
    ),
    Op("slice_bwd", _slice_bwd, None, lambda a, i, o: _slice_sizes(a, o[0], i[0])),
)  # fmt: skip
