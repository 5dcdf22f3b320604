"""Piecewise affine products: ops whose multiplications add the bit patterns of floats, and their exact derivatives.

(1 + f) 2^e times (1 + g) 2^h becomes (1 + f + g) 2^(e+h), or 2 (f + g) 2^(e+h) where f + g >= 1; signs combine, sums
are those of floats. In float64 the same rule applies to its 52 bits: on float32 operands both give the same number.
`conv2d_pam` is `conv2d` with such products; there is no second definition: operands are arrays that multiply so. Its
gradients put such products where the others have products. Those of `conv2d_exact_pam` are derivatives of the piecewise
affine function itself: powers of two, which depend on both factors.
Source: A. Kosson, M. Jaggi, "Multiplication-Free Transformer Training via Piecewise Affine Operations", NeurIPS 2023.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from edgelearn import kernels
from edgelearn.formats import F32, PAM
from edgelearn.graph import Node
from edgelearn.kernels.pam import LAYERS
from edgelearn.ops import conv2d, dense, depthwise_conv2d, windows
from edgelearn.ops.base import Arrays, Attrs, Kind, Op, Tape

SUFFIX = f"_{PAM.name}"
EXACT = "_exact"
_MODULES = {module.OPS[0].name: module for module in (conv2d, depthwise_conv2d, dense)}


class _Layout:
    """The bits of a float type: `one`, the least normal number, infinity, the sign and the fraction."""

    def __init__(self, real: type, word: type, fraction: int, bias: int) -> None:
        self.real, self.word = real, word
        self.one, self.least = word(bias << fraction), word(1 << fraction)
        self.infinite, self.sign = word((2 * bias + 1) << fraction), word((2 * bias + 2) << fraction)
        self.fraction = word((1 << fraction) - 1)


_LAYOUTS = {
    np.dtype(np.float32): _Layout(np.float32, np.uint32, 23, 127),
    np.dtype(np.float64): _Layout(np.float64, np.uint64, 52, 1023),
}


def _bits(a: np.ndarray, b: np.ndarray) -> tuple[_Layout, np.ndarray, np.ndarray]:
    layout = _LAYOUTS[np.result_type(a, b)]
    return layout, _words(a, layout), _words(b, layout)


def _words(a: np.ndarray, layout: _Layout) -> np.ndarray:
    return np.atleast_1d(np.asarray(a, layout.real)).view(layout.word).reshape(np.shape(a))


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a times b, element by element, as el_pam of el/pam.h: subnormals are zero, results below them too."""
    layout, x, y = _bits(a, b)
    m, n = x & ~layout.sign, y & ~layout.sign
    total, sign = m + n, (x ^ y) & layout.sign
    found = np.minimum(np.maximum(total, layout.one) - layout.one, layout.infinite)
    zero = (m < layout.least) | (n < layout.least)
    found = np.where((found < layout.least) | zero, layout.word(0), found)
    large = np.maximum(m, n)
    found = np.where(large == layout.infinite, layout.infinite, found)
    nothing = (large > layout.infinite) | ((large == layout.infinite) & zero)
    value = np.ascontiguousarray(found | sign).view(layout.real).reshape(found.shape)
    return np.asarray(np.where(nothing, layout.real(np.nan), value))


def slope(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The derivative of product(a, b) by a, as el_pam_slope: b's power of two, doubled where fractions carry."""
    layout, x, y = _bits(a, b)
    n, sign = y & ~layout.sign, y & layout.sign
    power = (n + (x & layout.fraction)) & ~layout.fraction
    found = np.where(n < layout.least, layout.word(0), np.where(n >= layout.infinite, n, power)) | sign
    return np.asarray(np.ascontiguousarray(found).view(layout.real).reshape(found.shape))


class Affine(np.ndarray):
    """An array whose products are piecewise affine; sums of products are taken term by term, as kernels do."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        values = _plain(inputs)
        if ufunc is np.multiply and method == "__call__":
            real = np.result_type(*(v for v in values if isinstance(v, np.ndarray)))
            return product(*(np.asarray(v, real) for v in values)).view(Affine)
        if ufunc is np.matmul:
            spec = {(2, 1): "ij,j->i", (1, 2): "i,ij->j"}[values[0].ndim, values[1].ndim]
            return _einsum(spec, *values).view(Affine)
        return _affine(getattr(ufunc, method)(*values, **_plain(kwargs)))

    def __array_function__(self, func: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        if func is np.einsum:
            return _einsum(*_plain(args)).view(Affine)
        if func is np.outer:
            first, second = _plain(args)
            return product(first.reshape(-1, 1), second.reshape(1, -1)).view(Affine)
        return _affine(func(*_plain(args), **_plain(kwargs)))


def _plain(values: Any) -> Any:
    """The same with ordinary arrays."""
    if isinstance(values, Affine):
        return values.view(np.ndarray)
    if isinstance(values, tuple | list):
        return type(values)(map(_plain, values))
    return {k: _plain(v) for k, v in values.items()} if isinstance(values, dict) else values


def _affine(value: Any) -> Any:
    return value.view(Affine) if isinstance(value, np.ndarray) else value


def _einsum(spec: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """np.einsum of two operands: one term after another, in the order of the letters that are summed."""
    inputs, _, out = spec.partition("->")
    first, second = inputs.split(",")
    summed = [c for c in dict.fromkeys(first + second) if c not in out]
    sizes = dict(zip(first + second, a.shape + b.shape, strict=True))

    def aligned(letters: str, array: np.ndarray) -> np.ndarray:
        order = [*summed, *out]
        own = array.transpose([letters.index(c) for c in order if c in letters])
        return own.reshape([sizes[c] if c in letters else 1 for c in order])

    x, y = aligned(first, a), aligned(second, b)
    total = np.zeros([sizes[c] for c in out], np.result_type(a, b))
    for at in np.ndindex(*(sizes[c] for c in summed)):
        i, j = (tuple(min(k, v.shape[d] - 1) for d, k in enumerate(at)) for v in (x, y))
        total += product(x[i], y[j])
    return total


def _with_products(op: Op) -> Callable[..., Arrays]:
    """The numpy truth of an op on arrays that multiply so. What is accumulated stays one: it is still to be scaled."""

    def compute(first: Any, *inputs: np.ndarray | None) -> Arrays:
        values = [i.view(Affine) if isinstance(i, np.ndarray) and i.dtype.kind == "f" else i for i in inputs]
        outputs = op.compute(first, *values)
        return outputs if op.kind is Kind.ACCUMULATE else _plain(outputs)

    return compute


def _alike(op: Op, name: str, **changes: Any) -> Op:
    """An op with other products."""
    own = {"fmt": PAM, "compute": _with_products(op), "examples": (), "summary": "", "calls": op.kernel, **changes}
    return replace(op, name=name, **own)


def affine(ops: Iterable[Op]) -> Iterator[Op]:
    """The ops among `ops` that have a kernel for it, with piecewise affine products."""
    for op in ops:
        if op.fmt is F32 and not op.approximates and kernels.find(op.kernel, PAM.name, kernels.REF):
            yield _alike(op, op.name + SUFFIX)


# Exact derivatives: sums over dL/dy times powers of two.


def _conv2d_bwd_x(attrs: Attrs, dy: np.ndarray, w: np.ndarray, x: np.ndarray) -> Arrays:
    rows, weights = conv2d.grouped(attrs, x, w)
    ho, wo, co = dy.shape
    kh, kw = attrs["kernel"]
    groups = attrs["groups"]
    d = dy.reshape(ho * wo, groups, co // groups, 1)
    win = (d * slope(rows[:, :, None], weights[None])).sum(axis=2)
    win = win.reshape(ho, wo, groups, kh, kw, w.shape[3]).transpose(0, 1, 3, 4, 2, 5)
    return (windows.scatter(attrs, win.reshape(ho, wo, kh, kw, -1), x.shape),)


def _conv2d_bwd_w(attrs: Attrs, x: np.ndarray, dy: np.ndarray, w: np.ndarray) -> Arrays:
    rows, weights = conv2d.grouped(attrs, x, w)
    groups = attrs["groups"]
    d = dy.reshape(len(rows), groups, dy.shape[2] // groups, 1)
    return ((d * slope(weights[None], rows[:, :, None])).sum(axis=0).reshape(w.shape),)


def _depthwise_windows(attrs: Attrs, x: np.ndarray) -> np.ndarray:
    return np.repeat(windows.patches(attrs, x), attrs["multiplier"], axis=4)


def _depthwise_bwd_x(attrs: Attrs, dy: np.ndarray, w: np.ndarray, x: np.ndarray) -> Arrays:
    win = dy[:, :, None, None] * slope(_depthwise_windows(attrs, x), w)
    win = win.reshape(*win.shape[:4], -1, attrs["multiplier"]).sum(axis=5)
    return (windows.scatter(attrs, win, x.shape),)


def _depthwise_bwd_w(attrs: Attrs, x: np.ndarray, dy: np.ndarray, w: np.ndarray) -> Arrays:
    return ((dy[:, :, None, None] * slope(w, _depthwise_windows(attrs, x))).sum(axis=(0, 1)),)


def _dense_bwd_x(attrs: Attrs, dy: np.ndarray, w: np.ndarray, x: np.ndarray) -> Arrays:
    return ((dy[:, None] * slope(x.reshape(1, -1), w)).sum(axis=0).reshape(x.shape),)


def _dense_bwd_w(attrs: Attrs, x: np.ndarray, dy: np.ndarray, w: np.ndarray) -> Arrays:
    return (dy[:, None] * slope(w, x.reshape(1, -1)),)


_EXACT: dict[str, tuple[Callable[..., Arrays], Callable[..., Arrays]]] = {
    "conv2d": (_conv2d_bwd_x, _conv2d_bwd_w),
    "depthwise_conv2d": (_depthwise_bwd_x, _depthwise_bwd_w),
    "dense": (_dense_bwd_x, _dense_bwd_w),
}


def _scaled(compute: Callable[..., Arrays]) -> Callable[..., Arrays]:
    """What is accumulated is multiplied by its scale as everything else is."""
    return lambda attrs, *inputs: tuple(map(_affine, compute(attrs, *inputs)))


def _gradient(node: Node, tape: Tape) -> None:
    x, w, b = node.inputs
    dy, layer = tape.grad(node.outputs[0]), node.op.removesuffix(SUFFIX)
    tape.input_grad(f"{layer}_bwd_x{SUFFIX}", x, (dy, w, x), node)
    tape.weight_grad(f"{layer}_bwd_w{SUFFIX}", w, (x, dy, w), node)
    tape.weight_grad("bias_bwd", b, (dy,), node)


def _exact_layers() -> Iterator[Op]:
    for layer in LAYERS:
        forward, backward_x, backward_w = _MODULES[layer].OPS
        by_x, by_w = _EXACT[layer]
        name = f"{layer}{EXACT}"
        yield _alike(forward, f"{name}{SUFFIX}", gradient=_gradient)
        yield _alike(backward_x, f"{name}_bwd_x{SUFFIX}", compute=by_x, calls="", split=None)
        yield _alike(backward_w, f"{name}_bwd_w{SUFFIX}", compute=_scaled(by_w), calls="", split=None)


OPS = tuple(_exact_layers())
