"""Sums, differences, products and quotients of activations and constants."""

from __future__ import annotations

import numpy as np

from edgelearn.importers.onnx.call import Call, Result, Unsupported, handles
from edgelearn.importers.onnx.constant import Const
from edgelearn.importers.onnx.order import axes_last, contiguous, full_shape, in_dims, memory_order, placed, reordered
from edgelearn.importers.onnx.view import View

# The device op where operand 1 repeats over operand 0, and what its weight is called.
REPEATS = {"add": ("bias", "bias"), "mul": ("mul", "scale")}


@handles("Add", "Sum", anywhere=True)
def add(call: Call) -> Result:
    """A sum of activations, or a constant that becomes the bias of the layer before it.

    Of two activations one may be broadcast. A bias of its own stays trainable.
    """
    if len(call.inputs) == 1:
        return call.raw()
    if len(call.inputs) == 2:
        return _binary(call, "add")
    total = call.view(0)
    for k in range(1, len(call.inputs)):
        total = _maps(call, "add", total, call.view(k), "" if k == len(call.inputs) - 1 else f"part{k}")
    return total


@handles("Mul", anywhere=True)
def mul(call: Call) -> Result:
    """A product of two activations, of which one may be broadcast, or with a constant.

    A constant with one value a channel stays trainable; a single number is frozen.
    """
    return _binary(call, "mul")


@handles("Sub", anywhere=True)
def sub(call: Call) -> Result:
    """A difference: the sum with what is subtracted negated."""
    first, second = call.raw(0), call.raw(1)
    if isinstance(second, Const):
        return _constant(call, "add", call.view(0), call.weight(1, "the subtrahend").scaled(-1.0))
    negated = number(call, "mul", call.view(1), -1.0, "negated")
    if isinstance(first, Const):
        return _constant(call, "add", negated, call.weight(0, "the minuend"))
    return _maps(call, "add", call.view(0), negated)


@handles("Div", anywhere=True)
def div(call: Call) -> Result:
    """A quotient: the product with the reciprocal. A constant divisor is frozen."""
    first, second = call.raw(0), call.raw(1)
    if isinstance(second, Const):
        divisor = call.weight(1, "the divisor").array
        with np.errstate(all="ignore"):
            inverse = np.float32(1) / divisor
        if np.isinf(inverse).any():
            raise Unsupported("divides by zero, or by what float32 has no inverse of")
        return _constant(call, "mul", call.view(0), Const(inverse))
    view = call.view(1)
    over = view.placed(call.builder.emit(call, "reciprocal", (view.tensor,), suffix="inverse").name)
    if isinstance(first, Const):
        return _constant(call, "mul", over, call.weight(0, "the dividend"))
    return _maps(call, "mul", call.view(0), over)


@handles("Neg", anywhere=True)
def neg(call: Call) -> Result:
    """The product with -1."""
    return number(call, "mul", call.view(), -1.0)


@handles("Reciprocal", anywhere=True)
def reciprocal(call: Call) -> Result:
    """1 / x."""
    view = call.view()
    return view.placed(call.builder.emit(call, "reciprocal", (view.tensor,)).name)


@handles("Pow", anywhere=True)
def power(call: Call) -> Result:
    """The square or the cube, as products; exponents other than 1, 2 and 3 are not supported."""
    view, exponent = call.view(), call.const(1, "the exponent").array
    if exponent.size != 1 or float(exponent.item()) not in (1.0, 2.0, 3.0):
        raise Unsupported("supported are the exponents 1, 2 and 3")
    power = view
    for left in reversed(range(int(exponent.item()) - 1)):
        power = _maps(call, "mul", power, view, "square" if left else "")
    return power


def _binary(call: Call, op: str) -> Result:
    first, second = call.raw(0), call.raw(1)
    if isinstance(first, View) and isinstance(second, View):
        return _maps(call, op, call.view(0), call.view(1))
    position = 1 if isinstance(second, Const) else 0
    return _constant(call, op, call.view(1 - position), call.weight(position, "the constant"))


def _maps(call: Call, op: str, a: View, b: View, suffix: str = "") -> View:
    if len(a.axes) != len(b.axes) or a.batch != b.batch:
        raise Unsupported(f"combines {a.user_shape} and {b.user_shape}: their batch axes do not meet")
    if a.user_shape == b.user_shape:
        if a.axes != b.axes or a.shape != b.shape:
            (a, b), _ = in_dims(call, (a, b))
        return a.placed(call.builder.emit(call, op, (a.tensor, b.tensor), suffix=suffix).name)
    if np.prod(b.user_shape) > np.prod(a.user_shape):
        a, b = b, a
    if any(size not in (1, own) for size, own in zip(b.user_shape, a.user_shape, strict=True)):
        raise Unsupported(f"combines {a.user_shape} and {b.user_shape}: only one of two may be broadcast")
    varying = [axis for axis, size in enumerate(b.user_shape) if size > 1]
    a = axes_last(call, a, varying)
    order = memory_order(a, varying)
    shape = a.shape[len(a.shape) - len(order) :]
    if shape != tuple(a.user_shape[axis] for axis in order):
        raise Unsupported(f"broadcasts {b.user_shape} over {a.user_shape}, for which memory would have to move")
    tensor = b.tensor
    if not contiguous(b, order) or b.shape[len(b.shape) - len(order) :] != shape:
        tensor = reordered(call, b, order).tensor
    return a.placed(call.builder.emit(call, REPEATS[op][0], (a.tensor, tensor), suffix=suffix).name)


def number(call: Call, op: str, view: View, value: float, suffix: str = "") -> View:
    """`view` plus (`add`) or times (`mul`) a frozen number."""
    name = call.builder.weight(call, "constant", Const(np.full(1, value, np.float32)))
    return view.placed(call.builder.emit(call, REPEATS[op][0], (view.tensor, name), suffix=suffix).name)


def _constant(call: Call, op: str, view: View, const: Const) -> Result:
    full = full_shape(view, const)
    rank, channels = len(view.axes), view.shape[-1]
    varying = [axis for axis in range(rank) if full[axis + 1] > 1]
    last = [axis for axis in varying if view.axes[axis] == ((channels, 1),)]
    alone = len(varying) == 1 and varying == last
    flat = const.moved(lambda a: a.reshape(-1))
    if op == "add" and (alone or channels == const.array.size == 1) and call.builder.add_bias(call, view, flat):
        return view
    whole = const.array.size == np.prod(view.user_shape)  # such a constant may lie in any order
    if not whole and any(len(view.axes[axis]) > 1 for axis in varying):  # taken apart by a reshape, as by a group norm
        view = axes_last(call, view, varying)
    device, suffix = REPEATS[op]
    # What is done to the sample itself, and by one number, is arithmetic rather than something learned.
    if not varying or view.tensor == call.builder.input:
        const, suffix = Const(const.array), "constant"
    name = placed(call, view, const, suffix)
    return view.placed(call.builder.emit(call, device, (view.tensor, name)).name)
