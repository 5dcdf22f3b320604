"""What recurrent layers share, and the simplest of them: `rnn`, h = f(x + R h' + b) with f tanh or ReLU.

x is the sequence after the input projection, a pointwise convolution before it: all positions of a map in memory order,
[steps, gates * H]. R is [gates * H, H], b (may be left out) [gates * H], the state before the first step (may be left
out: zeros) [H]. The output is every state, [steps, H]; `reverse` walks from the last position to the first.

The backward pass is backpropagation through all steps. It gives the gradient of x, from which those of R and b follow:
dR is the sum over steps of dx's row times the state before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgelearn.graph import Node
from edgelearn.ops.base import Arrays, Attrs, Example, Kind, Op, Shape, Tape, count

Sizes = dict[str, int]


def infer(gates: int) -> Callable[[Attrs, Sequence[Shape]], list[Shape]]:
    """The rule for the states' shape; ValueError if R does not fit the projected sequence."""

    def rule(attrs: Attrs, shapes: Sequence[Shape]) -> list[Shape]:
        x, r = shapes[:2]
        if r[0] != gates * r[1] or x[-1] != r[0]:
            raise ValueError(f"recurrent weights {r} do not fit {x}")
        return [(*x[:-1], r[1])]

    return rule


def sizes(states: Shape, attrs: Attrs, *flags: str) -> Sizes:
    """Shape arguments of a recurrent kernel, from the shape of its states or their gradient."""
    own = {"steps": count(states) // states[-1], "hidden": states[-1]}
    return own | {flag: int(attrs[flag]) for flag in ("reverse", *flags)}


def macs(gates: int) -> Callable[[Sizes], int]:
    """A product with R, or with its transpose, in every step."""
    return lambda s: s["steps"] * gates * s["hidden"] * s["hidden"]


def walk(attrs: Attrs, *arrays: np.ndarray) -> list[np.ndarray]:
    """Arrays of any shape as rows [steps, channels] in the order in which the layer walks: views, to be written too."""
    rows = [a.reshape(-1, a.shape[-1]) for a in arrays]
    return [a[::-1] for a in rows] if attrs["reverse"] else rows


def before(y: np.ndarray, start: np.ndarray | None) -> np.ndarray:
    """The state before each step, [steps, H], from all states in the order of the walk."""
    first = np.zeros((1, y.shape[1]), y.dtype) if start is None else start.reshape(1, -1)
    return np.concatenate((first, y[:-1]))


def zero_if_none(value: np.ndarray | None, like: np.ndarray) -> np.ndarray:
    """An operand that may be left out, as the array that it stands for: zeros, one for each row of `like`."""
    return np.zeros(len(like), like.dtype) if value is None else value.reshape(-1)


def state_weight_gradient(attrs: Attrs, d: np.ndarray, y: np.ndarray, start: np.ndarray | None = None) -> Arrays:
    """dR where the products of all gates read the state itself."""
    d, y = walk(attrs, d, y)
    return (d.T @ before(y, start),)


def weight_ops(name: str, gates: int) -> Op:
    """The accumulating gradient of R of the layer `name`; the kernel is one for all layers."""
    return Op(
        f"{name}_bwd_w", state_weight_gradient, None,
        lambda a, i, o: sizes(i[1], a) | {"gates": gates}, kind=Kind.ACCUMULATE, macs=macs(gates),
        calls="recurrent_bwd_w",
    )  # fmt: skip


def _forward(attrs: Attrs, x: np.ndarray, r: np.ndarray, b: np.ndarray | None = None,
             start: np.ndarray | None = None) -> Arrays:  # fmt: skip
    (rows,), b = walk(attrs, x), zero_if_none(b, r)
    y = np.empty((*x.shape[:-1], r.shape[1]), x.dtype)
    (states,), h = walk(attrs, y), zero_if_none(start, r.T)
    for t, row in enumerate(rows):
        total = row + (r @ h + b)
        h = states[t] = np.maximum(total, 0) if attrs["relu"] else np.tanh(total)
    return (y,)


def _bwd(attrs: Attrs, y: np.ndarray, dy: np.ndarray, r: np.ndarray) -> Arrays:
    dx = np.empty_like(dy)
    states, dstates, out = walk(attrs, y, dy, dx)
    carry = np.zeros(r.shape[1], y.dtype)
    for t in reversed(range(len(states))):
        d = dstates[t] + carry
        out[t] = np.where(states[t] > 0, d, 0) if attrs["relu"] else d * (1 - states[t] * states[t])
        carry = out[t] @ r
    return (dx,)


def _gradient(node: Node, tape: Tape) -> None:
    x, r, b, start = node.inputs
    y = node.outputs[0]
    (dx,) = tape.backward("rnn_bwd", (x,), (y, tape.grad(y), r), node)
    tape.pass_grad(x, dx)
    tape.weight_grad("rnn_bwd_w", r, (dx, y, start), node)
    tape.weight_grad("bias_bwd", b, (dx,), node)


def examples(gates: int, **attrs: bool) -> tuple[Example, ...]:
    """Odd sizes, one and two steps, operands left out, both directions."""
    forward, backward = {"reverse": False, **attrs}, {"reverse": True, **attrs}
    return (
        Example(forward, ((1, 5, 3 * gates), (3 * gates, 3), (3 * gates,), None)),
        Example(backward, ((1, 7, 4 * gates), (4 * gates, 4), (4 * gates,), (4,))),
        Example(forward, ((1, 2, 5 * gates), (5 * gates, 5), None, (5,))),
        Example(backward, ((1, 1, 2 * gates), (2 * gates, 2), (2 * gates,), None)),
    )


OPS = (
    Op(
        "rnn", _forward, infer(1), lambda a, i, o: sizes(o[0], a, "relu"), gradient=_gradient, macs=macs(1),
        weights=(1, 2), shifts=(2,), constants=(3,), summary="recurrent layer with tanh or ReLU",
        examples=(*examples(1, relu=False), *examples(1, relu=True)[:2]),
    ),
    Op("rnn_bwd", _bwd, None, lambda a, i, o: sizes(i[0], a, "relu"), inplace=((0, 1),), macs=macs(1)),
    weight_ops("rnn", 1),
)  # fmt: skip
