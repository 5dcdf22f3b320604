"""Recurrent layers written out step by step for autograd; torch's own layers know only some of the variants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

Maybe = torch.Tensor | None


def _run(a: Mapping[str, Any], x: torch.Tensor, r: torch.Tensor, start: Maybe, step: Any) -> torch.Tensor:
    rows = list(x.reshape(-1, x.shape[-1]))
    h, states = r.new_zeros(r.shape[1]) if start is None else start, []
    for row in reversed(rows) if a["reverse"] else rows:
        h = step(row, h)
        states.append(h)
    return torch.stack(states[::-1] if a["reverse"] else states).reshape(*x.shape[:-1], -1)


def _bias(r: torch.Tensor, b: Maybe) -> torch.Tensor:
    return r.new_zeros(len(r)) if b is None else b


def rnn(a: Mapping[str, Any], x: torch.Tensor, r: torch.Tensor, b: Maybe = None, start: Maybe = None) -> torch.Tensor:
    squash = torch.relu if a["relu"] else torch.tanh
    return _run(a, x, r, start, lambda row, h: squash(row + r @ h + _bias(r, b)))


def lstm(
    a: Mapping[str, Any], x: torch.Tensor, r: torch.Tensor, b: Maybe = None, start: Maybe = None, cell: Maybe = None
) -> torch.Tensor:
    cells = [r.new_zeros(r.shape[1]) if cell is None else cell]

    def step(row: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        i, o, f, g = (row + r @ h + _bias(r, b)).chunk(4)
        cells.append(torch.sigmoid(f) * cells[-1] + torch.sigmoid(i) * torch.tanh(g))
        return torch.sigmoid(o) * torch.tanh(cells[-1])

    return _run(a, x, r, start, step)


def gru(a: Mapping[str, Any], x: torch.Tensor, r: torch.Tensor, b: Maybe = None, start: Maybe = None) -> torch.Tensor:
    def step(row: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        (rz, rr, rn), (bz, br, bn), (xz, xr, xn) = r.chunk(3), _bias(r, b).chunk(3), row.chunk(3)
        z, reset = torch.sigmoid(xz + rz @ h + bz), torch.sigmoid(xr + rr @ h + br)
        hidden = reset * (rn @ h + bn) if a["linear_before_reset"] else rn @ (reset * h) + bn
        return (1 - z) * torch.tanh(xn + hidden) + z * h

    return _run(a, x, r, start, step)


OPS = {"rnn": rnn, "lstm": lstm, "gru": gru}
