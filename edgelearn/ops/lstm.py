"""LSTM on a projected sequence, gates in the order input, output, forget, cell (i, o, f, g).

i, o, f = sigmoid, g = tanh of x + R h' + b; c = f * c' + i * g; h = o * tanh(c). Operands as in recurrent.py, and the
cell before the first step. For the backward pass the gates are kept, where the projected sequence lay, and the cells.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgelearn.formats import F32
from edgelearn.graph import Node
from edgelearn.ops.base import Arrays, Attrs, Op, Tape
from edgelearn.ops.recurrent import before, examples, infer, macs, sizes, walk, weight_ops, zero_if_none
from edgelearn.ops.smooth import sigmoid

GATES = 4


def _forward(attrs: Attrs, x: np.ndarray, r: np.ndarray, b: np.ndarray | None = None, start: np.ndarray | None = None,
             cell: np.ndarray | None = None) -> Arrays:  # fmt: skip
    b, hidden = zero_if_none(b, r), r.shape[1]
    gates = np.empty_like(x)
    y, cells = (np.empty((*x.shape[:-1], hidden), x.dtype) for _ in range(2))
    rows, kept, states, c_rows = walk(attrs, x, gates, y, cells)
    h, c = zero_if_none(start, r.T), zero_if_none(cell, r.T)
    for t, row in enumerate(rows):
        total = row + (r @ h + b)
        kept[t] = np.concatenate((sigmoid(total[: 3 * hidden]), np.tanh(total[3 * hidden :])))
        i, o, f, g = np.split(kept[t], GATES)
        c = c_rows[t] = f * c + i * g
        h = states[t] = o * np.tanh(c)
    return y, gates, cells


def _bwd(attrs: Attrs, gates: np.ndarray, cells: np.ndarray, dy: np.ndarray, r: np.ndarray,
         cell: np.ndarray | None = None) -> Arrays:  # fmt: skip
    dx = np.empty_like(gates)
    kept, c_rows, dstates, out = walk(attrs, gates, cells, dy, dx)
    carry, dc = (np.zeros(r.shape[1], dy.dtype) for _ in range(2))
    for t, last in reversed(list(enumerate(before(c_rows, cell)))):
        i, o, f, g = np.split(kept[t], GATES)
        dh, squashed = dstates[t] + carry, np.tanh(c_rows[t])
        dc = dc + dh * o * (1 - squashed * squashed)
        parts = dc * g * i * (1 - i), dh * squashed * o * (1 - o), dc * last * f * (1 - f), dc * i * (1 - g * g)
        out[t] = np.concatenate(parts)
        carry, dc = out[t] @ r, dc * f
    return (dx,)


def _gradient(node: Node, tape: Tape) -> None:
    x, r, b, start, cell = node.inputs
    y = node.outputs[0]
    gates, cells = tape.saved(node, 1, "gates", x), tape.saved(node, 2, "cells")
    (dx,) = tape.backward("lstm_bwd", (x,), (gates, cells, tape.grad(y), r, cell), node)
    tape.pass_grad(x, dx)
    tape.weight_grad("lstm_bwd_w", r, (dx, y, start), node)
    tape.weight_grad("bias_bwd", b, (dx,), node)


OPS = (
    Op(
        "lstm", _forward, infer(GATES), lambda a, i, o: sizes(o[0], a), gradient=_gradient, macs=macs(GATES),
        inplace=((1, 0),), formats=(F32, F32, F32), weights=(1, 2), shifts=(2,), constants=(3, 4),
        summary="LSTM layer",
        # The last operand is the cell before the first step: there where the state is.
        examples=tuple(replace(e, shapes=(*e.shapes, e.shapes[3])) for e in examples(GATES)),
    ),
    Op("lstm_bwd", _bwd, None, lambda a, i, o: sizes(i[1], a), inplace=((0, 0),), macs=macs(GATES)),
    weight_ops("lstm", GATES),
)  # fmt: skip
