"""Piecewise affine products in torch, by arithmetic on fractions and exponents in float64, with autograd rules for both
kinds of derivative: what `edgelearn.ops.pam` and el/pam.h do with bit patterns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from edgelearn.graph import Graph, Node
from tests.support import torch_graph
from tests.support.torch_graph import TorchGraph, Values


def _parts(a: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Sign, exponent and fraction in [0, 1): a = sign (1 + fraction) 2^exponent."""
    mantissa, exponent = torch.frexp(a.abs())
    return torch.sign(a), exponent - 1, torch.where(a == 0, 0.0, 2 * mantissa - 1)


def times(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    (s, e, f), (t, h, g) = _parts(a), _parts(b)
    size = torch.where(f + g < 1, 1 + f + g, 2 * (f + g))
    return s * t * torch.ldexp(size, e + h)


def slope(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The derivative of times(a, b) by a."""
    (_, _, f), (t, h, g) = _parts(a), _parts(b)
    return t * torch.ldexp(torch.where(f + g < 1, 1.0, 2.0).to(a.dtype), h)


class _Times(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: torch.Tensor, b: torch.Tensor, exact: bool) -> torch.Tensor:
        ctx.save_for_backward(a, b)
        ctx.exact = exact
        return times(a, b)

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:  # type: ignore[override]
        a, b = ctx.saved_tensors
        by = (slope(a, b), slope(b, a)) if ctx.exact else (b, a)
        da, db = (times(dy, factor) for factor in by)
        return da.sum_to_size(a.shape), db.sum_to_size(b.shape), None


class PamGraph(TorchGraph):
    """A graph whose products are piecewise affine; `exact` derivatives where layers have weights."""

    def __init__(self, graph: Graph, trained: set[str], exact: bool) -> None:
        super().__init__(graph, trained)
        self.exact = exact

    def _run(self, node: Node, values: Values) -> torch.Tensor:
        own = getattr(self, f"_{node.op}", None)
        operands = [values[name] if name else None for name in node.inputs]
        return super()._run(node, values) if own is None else own(node.attrs, *operands)

    def _layer(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return _Times.apply(x, w, self.exact)

    def _windows(self, a: Mapping[str, Any], x: torch.Tensor) -> torch.Tensor:
        """(Ho, Wo, kh, kw, C)"""
        padded = torch_graph._padded(x, a)[0]
        (kh, kw), (sh, sw) = a["kernel"], a["stride"]
        return padded.unfold(1, kh, sh).unfold(2, kw, sw).permute(1, 2, 3, 4, 0)

    def _conv2d(self, a: Mapping[str, Any], x: torch.Tensor, w: torch.Tensor, b: Any = None) -> torch.Tensor:
        win, groups = self._windows(a, x), a["groups"]
        ho, wo, kh, kw, c = win.shape
        rows = win.reshape(ho, wo, kh * kw, groups, c // groups).transpose(2, 3).reshape(ho, wo, groups, 1, -1)
        y = self._layer(rows, w.reshape(groups, w.shape[0] // groups, -1)).sum(-1).reshape(ho, wo, -1)
        return y if b is None else y + b

    def _depthwise_conv2d(self, a: Mapping[str, Any], x: torch.Tensor, w: torch.Tensor, b: Any = None) -> torch.Tensor:
        win = self._windows(a, x).repeat_interleave(a["multiplier"], 4)
        y = self._layer(win, w).sum((2, 3))
        return y if b is None else y + b

    def _dense(self, a: Mapping[str, Any], x: torch.Tensor, w: torch.Tensor, b: Any = None) -> torch.Tensor:
        y = self._layer(x.reshape(1, -1), w).sum(1)
        return y if b is None else y + b

    def _batch_norm(self, a: Mapping[str, Any], x: torch.Tensor, *p: torch.Tensor) -> torch.Tensor:
        gamma, beta, mean, inv_std = p
        return _Times.apply(x - mean, _Times.apply(inv_std, gamma, False), False) + beta

    def _relu(self, a: Mapping[str, Any], x: torch.Tensor) -> torch.Tensor:
        below = _Times.apply(x, torch.tensor(a["slope"], dtype=x.dtype), False) if a["slope"] else F.relu(x)
        y = torch.where(x < 0, below, x)
        return y if np.isinf(a["max"]) else torch.clamp(y, max=a["max"])

    def _mul(self, a: Mapping[str, Any], x: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return _Times.apply(x, torch_graph._rows(x, b), False)

    def descend(self, x: np.ndarray, target: np.ndarray | int, loss: str, rate: float) -> None:
        """One step of plain SGD."""
        for weight in self.trained:
            weight.grad = None
        self.loss(x, target, loss).backward()
        with torch.no_grad():
            for weight in self.trained:
                if weight.grad is not None:
                    weight += times(torch.tensor(-rate, dtype=weight.dtype), weight.grad)
