"""GRU, LSTM and RNN: a projection of the whole sequence, and the recurrence on its result.

A sequence is (time, batch, features) or, with layout 1, (batch, time, features); on the device (1, time, features).
Two directions are two layers, their states side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgelearn.graph import Tensor
from edgelearn.importers.onnx.call import Call, Misread, Result, Unsupported, handles
from edgelearn.importers.onnx.constant import Const
from edgelearn.importers.onnx.view import Axis, View

POINT = {"kernel": (1, 1), "stride": (1, 1), "pads": (0, 0, 0, 0), "groups": 1}
DIRECTIONS = {"forward": ("forward",), "reverse": ("reverse",), "bidirectional": ("forward", "reverse")}
# What `activations` may say, and what it means for the device's `rnn`.
SQUASH: dict[tuple[str, ...], dict[str, bool]] = {("tanh",): {"relu": False}, ("relu",): {"relu": True}}


@dataclass(frozen=True)
class Kind:
    """The device op, its gates, and the functions that the op computes with, in lower case; () if it has a choice."""

    op: str
    gates: int
    functions: tuple[str, ...] = ()


KINDS = {
    "GRU": Kind("gru", 3, ("sigmoid", "tanh")),
    "LSTM": Kind("lstm", 4, ("sigmoid", "tanh", "tanh")),
    "RNN": Kind("rnn", 1),
}


@dataclass(frozen=True)
class Layer:
    """What both directions of a layer share: its node, sizes, and the sequence as a device map."""

    call: Call
    kind: Kind
    x: str
    steps: int
    hidden: int
    batch_first: bool


@handles("GRU", "LSTM", "RNN", anywhere=True)
def recurrent(call: Call) -> list[Result | None]:
    """All states and the last one; the cell of an LSTM stays inside."""
    kind, view = KINDS[call.proto.op_type], call.view()
    directions, batch_first = _directions(call), call.flag("layout", False)
    if len(view.axes) != 2 or view.batch != (0 if batch_first else 1):
        wanted = "(batch, time, features)" if batch_first else "(time, batch, features)"
        raise Misread(f"its input is {wanted}, here the batch is axis {view.batch} of {len(view.axes) + 1}")
    steps, features = view.user_shape
    hidden = call.integer("hidden_size", call.weight(2, "the recurrent weights R", 3).array.shape[2])
    _check(call, kind, steps)
    for position, name, width in ((1, "W", features), (2, "R", hidden)):
        shape, fits = call.weight(position, name, 3).array.shape, (len(directions), kind.gates * hidden, width)
        if shape != fits:
            raise Unsupported(f"{name} has shape {shape}, expected {fits}")
    read = [bool(name) and call.builder.readers.get(name, 0) > 0 for name in call.proto.output]
    if len(read) > 2 and read[2]:
        raise Unsupported("its last cell Y_c is read, which a device does not give; Y_h is its last state")
    attrs = [_attributes(call, kind, direction, k) for k, direction in enumerate(directions)]
    layer = Layer(call, kind, call.builder.arrange(call, view, [[], [0], [1]]), steps, hidden, batch_first)
    states = [_direction(layer, k, own, len(directions) > 1) for k, own in enumerate(attrs)]
    results: list[Result | None] = [None] * max(len(read), 1)
    if read and read[0]:
        axes = ((steps, len(states) * hidden),) if steps > 1 else ()
        results[0] = _joined(layer, states, axes, True, "")
    if len(read) > 1 and read[1]:
        lasts = [
            _last(layer, state, bool(own["reverse"]), k)
            for k, (state, own) in enumerate(zip(states, attrs, strict=True))
        ]
        results[1] = _joined(layer, lasts, (), False, "last")
    return results


def _directions(call: Call) -> tuple[str, ...]:
    name = call.text("direction", "forward")
    if name not in DIRECTIONS:
        raise Unsupported(f"direction {name} does not exist")
    return DIRECTIONS[name]


def _functions(call: Call, kind: Kind, count: int) -> list[tuple[str, ...]]:
    """The functions of each direction, in lower case."""
    stated = call.attrs.get("activations")
    names = [name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for name in stated or ()]
    each = len(kind.functions) or 1
    if not names:
        return [kind.functions or ("tanh",)] * count
    if len(names) != each * count:
        raise Unsupported(f"activations {names} are not {each} for each of {count} directions")
    return [tuple(name.lower() for name in names[k * each : (k + 1) * each]) for k in range(count)]


def _attributes(call: Call, kind: Kind, direction: str, k: int) -> dict[str, bool]:
    """The device op's attributes; Unsupported for functions that it does not compute."""
    functions = _functions(call, kind, len(_directions(call)))[k]
    if functions not in ((kind.functions,) if kind.functions else SQUASH):
        known = ", ".join(kind.functions) or "tanh or relu"
        raise Unsupported(f"activations {', '.join(functions)} are not supported, only {known}")
    own = {"linear_before_reset": call.flag("linear_before_reset", False)} if kind.op == "gru" else {}
    return {"reverse": direction == "reverse", **own, **({} if kind.functions else SQUASH[functions])}


def _check(call: Call, kind: Kind, steps: int) -> None:
    """Unsupported for what the device's layers do not have."""
    if "clip" in call.attrs:
        raise Unsupported("clip is not supported")
    if call.flag("input_forget", False):
        raise Unsupported("coupled input and forget gates (input_forget) are not supported")
    if call.has(4) and (call.const(4, "sequence_lens").array != steps).any():
        raise Unsupported(f"sequence_lens cut the sequence of {steps} steps; a device runs all of them")
    if kind.op == "lstm" and call.has(7) and call.weight(7, "the peepholes P").array.any():
        raise Unsupported("peephole weights P are not supported")


def _direction(layer: Layer, k: int, attrs: dict[str, bool], several: bool) -> Tensor:
    """All states of one direction, (1, time, hidden)."""
    call, builder, rows = layer.call, layer.call.builder, layer.kind.gates * layer.hidden
    name = builder.called(call)
    side = ("reverse" if attrs["reverse"] else "forward") if several else ""
    ahead = f"{side}_" if side else ""
    owners = [f"{name}_{ahead}{part}" for part in ("input", "recurrent")]
    biases = ["", ""]
    if call.has(3):
        b = call.weight(3, "the biases B", 2)
        if b.array.shape != (call.weight(1, "W").array.shape[0], 2 * rows):
            raise Unsupported(f"B has shape {b.array.shape}, expected {2 * rows} values for each direction")
        halves = [b.moved(lambda a: a[k, :rows]), b.moved(lambda a: a[k, rows:])]
        biases = [builder.weight(call, "bias", half, owner) for half, owner in zip(halves, owners, strict=True)]
    w = call.weight(1, "W").moved(lambda a: a[k][:, None, None, :])
    r = call.weight(2, "R").moved(lambda a: a[k])
    w_name, r_name = (builder.weight(call, "weight", c, owner) for c, owner in zip((w, r), owners, strict=True))
    x = builder.emit(call, "conv2d", (layer.x, w_name, biases[0]), POINT, f"{ahead}input")
    starts = [_start(layer, 5, "initial_h", k, f"{ahead}start")]
    starts += [_start(layer, 6, "initial_c", k, f"{ahead}cell")] if layer.kind.op == "lstm" else []
    return builder.emit(call, layer.kind.op, (x.name, r_name, biases[1], *starts), attrs, side)


def _start(layer: Layer, position: int, what: str, k: int, suffix: str) -> str:
    """A constant first state, "" for zeros. It does not train, and has no way back."""
    call = layer.call
    if not call.has(position):
        return ""
    array = call.weight(position, what, 3).array
    array = array[:, k] if layer.batch_first else array[k]
    if array.shape[1] != layer.hidden or (array != array[:1]).any():
        raise Unsupported(f"{what} {array.shape} is not one state of {layer.hidden} values for all samples")
    return call.builder.weight(call, suffix, Const(array[0])) if array[0].any() else ""


def _last(layer: Layer, states: Tensor, reverse: bool, k: int) -> Tensor:
    """The state behind the last step of a direction, (1, 1, hidden)."""
    at = 0 if reverse else layer.steps - 1
    attrs = {"axis": 1, "start": at, "stop": at + 1}
    return (
        states if layer.steps == 1 else layer.call.builder.emit(layer.call, "slice", (states.name,), attrs, f"last{k}")
    )


def _joined(layer: Layer, states: Sequence[Tensor], time: Axis, sequence: bool, suffix: str) -> View:
    """The states of all directions in the file's axes: time (of a sequence), direction, batch, hidden."""
    whole = states[0]
    if len(states) > 1:
        names = tuple(state.name for state in states)
        whole = layer.call.builder.emit(layer.call, "concat", names, {"axis": 2}, suffix)
    hidden = layer.hidden
    axes: tuple[Axis, ...] = (((len(states), hidden),) if len(states) > 1 else (), ((hidden, 1),) if hidden > 1 else ())
    axes = (time, *axes) if sequence else axes
    return View(whole.name, whole.shape, axes, batch=0 if layer.batch_first else len(axes) - 1)
