"""GRU on a projected sequence, gates in the order update, reset, new (z, r, n). Operands as in recurrent.py.

z, r = sigmoid of x + R h' + b, h = (1 - z) * n + z * h', and n is

* with `linear_before_reset` tanh(x_n + r * (R_n h' + b_n)), as PyTorch and Keras have it,
* without it tanh(x_n + R_n (r * h') + b_n).

For the backward pass the gates are kept, where the projected sequence lay. The gradients of R and b need one more row a
step, `side`: the gradient of R_n h' + b_n in the first case, r * h' in the second. It takes the place of dy.
"""

from __future__ import annotations

import numpy as np

from edgelearn.formats import F32
from edgelearn.graph import Node
from edgelearn.ops.base import Arrays, Attrs, Kind, Op, Tape
from edgelearn.ops.recurrent import Sizes, before, examples, infer, macs, sizes, walk, zero_if_none
from edgelearn.ops.smooth import sigmoid

GATES = 3
FLAG = "linear_before_reset"


def _forward(attrs: Attrs, x: np.ndarray, r: np.ndarray, b: np.ndarray | None = None,
             start: np.ndarray | None = None) -> Arrays:  # fmt: skip
    b, hidden, cut = zero_if_none(b, r), r.shape[1], 2 * r.shape[1]
    gates, y = np.empty_like(x), np.empty((*x.shape[:-1], hidden), x.dtype)
    rows, kept, states = walk(attrs, x, gates, y)
    h = zero_if_none(start, r.T)
    for t, row in enumerate(rows):
        z, reset = np.split(sigmoid(row[:cut] + (r[:cut] @ h + b[:cut])), 2)
        if attrs[FLAG]:
            n = np.tanh(row[cut:] + reset * (r[cut:] @ h + b[cut:]))
        else:
            n = np.tanh(row[cut:] + (r[cut:] @ (reset * h) + b[cut:]))
        kept[t] = np.concatenate((z, reset, n))
        h = states[t] = (1 - z) * n + z * h
    return y, gates


def _bwd(attrs: Attrs, gates: np.ndarray, y: np.ndarray, dy: np.ndarray, r: np.ndarray, b: np.ndarray | None = None,
         start: np.ndarray | None = None) -> Arrays:  # fmt: skip
    b, cut = zero_if_none(b, r), 2 * r.shape[1]
    dx, side = np.empty_like(gates), np.empty_like(dy)
    kept, states, dstates, out, sides = walk(attrs, gates, y, dy, dx, side)
    carry = np.zeros(r.shape[1], dy.dtype)
    for t, h in reversed(list(enumerate(before(states, start)))):
        z, reset, n = np.split(kept[t], GATES)
        dh = dstates[t] + carry
        dz, dn = dh * (h - n) * z * (1 - z), dh * (1 - z) * (1 - n * n)
        carry = dh * z
        if attrs[FLAG]:
            dreset = dn * (r[cut:] @ h + b[cut:])
            sides[t] = dn * reset
            carry = carry + sides[t] @ r[cut:]
        else:
            through = dn @ r[cut:]
            dreset = through * h
            sides[t] = reset * h
            carry = carry + through * reset
        out[t] = np.concatenate((dz, dreset * reset * (1 - reset), dn))
        carry = carry + out[t][:cut] @ r[:cut]
    return dx, side


def _bwd_w(attrs: Attrs, d: np.ndarray, side: np.ndarray, y: np.ndarray, start: np.ndarray | None = None) -> Arrays:
    d, side, y = walk(attrs, d, side, y)
    cut, states = 2 * y.shape[1], before(y, start)
    new = side.T @ states if attrs[FLAG] else d[:, cut:].T @ side
    return (np.concatenate((d[:, :cut].T @ states, new)),)


def _bias_bwd(attrs: Attrs, d: np.ndarray, side: np.ndarray) -> Arrays:
    d, side = walk(attrs, d, side)
    return (np.concatenate((d[:, : 2 * side.shape[1]].sum(axis=0), side.sum(axis=0))),)


def _gradient(node: Node, tape: Tape) -> None:
    x, r, b, start = node.inputs
    y = node.outputs[0]
    gates = tape.saved(node, 1, "gates", x)
    like = (x, y) if tape.trains(r) or tape.trains(b) else (x,)
    dx, *rest = tape.backward("gru_bwd", like, (gates, y, tape.grad(y), r, b, start), node)
    tape.pass_grad(x, dx)
    if rest:
        tape.weight_grad("gru_bwd_w", r, (dx, rest[0], y, start), node)
        if node.attrs[FLAG]:
            tape.weight_grad("gru_bias_bwd", b, (dx, rest[0]), node)
        else:
            tape.weight_grad("bias_bwd", b, (dx,), node)


def _bwd_macs(s: Sizes) -> int:
    """The transposed product, and once more R_n h' where its value is needed."""
    return macs(GATES + s[FLAG])(s)


OPS = (
    Op(
        "gru", _forward, infer(GATES), lambda a, i, o: sizes(o[0], a, FLAG), gradient=_gradient, macs=macs(GATES),
        inplace=((1, 0),), formats=(F32, F32), weights=(1, 2), shifts=(2,), constants=(3,), summary="GRU layer",
        examples=(*examples(GATES, linear_before_reset=True), *examples(GATES, linear_before_reset=False)),
    ),
    Op(
        "gru_bwd", _bwd, None, lambda a, i, o: sizes(i[1], a, FLAG), inplace=((0, 0), (1, 2)), formats=(F32, F32),
        macs=_bwd_macs,
    ),
    Op(
        "gru_bwd_w", _bwd_w, None, lambda a, i, o: sizes(i[2], a, FLAG), kind=Kind.ACCUMULATE, macs=macs(GATES),
    ),
    Op(
        "gru_bias_bwd", _bias_bwd, None, lambda a, i, o: {k: sizes(i[1], a)[k] for k in ("steps", "hidden")},
        kind=Kind.ACCUMULATE,
    ),
)  # fmt: skip
